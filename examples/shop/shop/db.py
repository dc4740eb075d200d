"""The SQLite database: created once however many workers start together, one connection a request."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from uuid import uuid4

from flask import current_app, g

HERE = Path(__file__).parent
BUSY_SECONDS = 10


def get() -> sqlite3.Connection:
    """Return this request's connection."""
    if "db" not in g:
        g.db = connect(current_app.config["DATABASE"])
    connection: sqlite3.Connection = g.db
    return connection


def close(_error: BaseException | None) -> None:
    """Close this request's connection, if it opened one."""
    if "db" in g:
        g.pop("db").close()


def connect(path: Path) -> sqlite3.Connection:
    """Open the database; rows answer to column names."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def create(path: Path, files: Path) -> None:
    """Create and seed the database and its files where they are missing."""
    for document in (HERE / "seed").iterdir():
        create_once(files / document.name, partial(shutil.copyfile, document))
    create_once(path, _build)


def create_once(path: Path, build: Callable[[Path], object]) -> None:
    """Build a file aside and link it into place: the first complete one wins, nobody sees half of one."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    build(draft)
    with suppress(FileExistsError):
        path.hardlink_to(draft)
    draft.unlink()


def _build(draft: Path) -> None:
    with closing(connect(draft)) as connection:
        # Readers and the one writer do not block each other; the mode is remembered in the file.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript((HERE / "schema.sql").read_text("utf-8"))
