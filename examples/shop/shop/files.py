"""Uploaded pictures and documents: the bytes in a folder, the rest in the database."""

import mimetypes
from pathlib import Path
from sqlite3 import Row
from uuid import uuid4

from flask import current_app
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import BadRequest, NotFound

from shop import db

SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}


def save_picture(upload: FileStorage | None) -> int:
    """Keep a picture and return its id; what it is, its first bytes say, not its name. Raise BadRequest."""
    start = upload.stream.read(8) if upload else b""
    kinds = [kind for signature, kind in SIGNATURES.items() if start.startswith(signature)]
    if upload is None or not kinds:
        raise BadRequest("expected a PNG, JPEG, GIF or WebP picture")
    upload.stream.seek(0)
    return _save(upload, "picture", kinds[0])


def save_document(upload: FileStorage | None) -> int:
    """Keep a document of any type and return its id; raise BadRequest when none was chosen."""
    if upload is None or not upload.filename:
        raise BadRequest("expected a file")
    kind, _encoding = mimetypes.guess_type(upload.filename)
    return _save(upload, "document", kind or "application/octet-stream")


def documents() -> list[Row]:
    """Return every document, newest first."""
    return db.get().execute("SELECT * FROM files WHERE kind = 'document' ORDER BY id DESC").fetchall()


def find(kind: str, file_id: int) -> tuple[Row, Path]:
    """Return a file's row and where its bytes are; raise NotFound."""
    row = db.get().execute("SELECT * FROM files WHERE kind = ? AND id = ?", [kind, file_id]).fetchone()
    if row is None:
        raise NotFound(f"there is no {kind} {file_id}")
    return row, _folder() / row["stored_as"]


def remove(file_id: int) -> None:
    """Forget a file and delete its bytes."""
    with db.get() as connection:
        gone = connection.execute("DELETE FROM files WHERE id = ? RETURNING stored_as", [file_id]).fetchone()
    if gone:
        (_folder() / gone["stored_as"]).unlink(missing_ok=True)


def _save(upload: FileStorage, kind: str, content_type: str) -> int:
    name = (upload.filename or kind).replace("\\", "/").rsplit("/", 1)[-1]
    path = _folder() / uuid4().hex
    upload.save(path)
    with db.get() as connection:
        added = connection.execute(
            "INSERT INTO files (kind, name, stored_as, content_type, size) VALUES (?, ?, ?, ?, ?)",
            [kind, name, path.name, content_type, path.stat().st_size],
        )
    return int(added.lastrowid or 0)


def _folder() -> Path:
    return Path(current_app.config["FILES"])
