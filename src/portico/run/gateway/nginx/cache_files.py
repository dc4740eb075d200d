"""The answers in nginx's cache as files: their contents, and how to delete one.

nginx has no command to delete one. It treats a missing file, or one with an unknown version, as not cached: a small
file without a version replaces the old one, and the old one's version is cleared. This disturbs neither a client
that is receiving the old answer nor nginx's own bookkeeping.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path

from portico.place import untrusted
from portico.run.gateway.cached import CacheEntry

_HEADER = struct.Struct("@NlllllIHHH")
"""The beginning of ngx_http_file_cache_header_t: version, times (valid, updating, error, modified, date), checksum,
milliseconds, and the offsets of the answer's head and body."""
_VERSION = 5
_NO_VERSION = bytes(struct.calcsize("@N"))
_KEY = b"\nKEY: "
_TAGS = re.compile(rb"^(?:surrogate-key|cache-tag)[ \t]*:[ \t]*(.*?)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_NUMBERS = re.compile(rb"^x-portico:[ \t]*(\d{1,15}|-) (\d{1,15}) ", re.IGNORECASE | re.MULTILINE)
_FIRST_READ = 4096
_UNKNOWN_SECONDS = 2.0
"""How long an answer is assumed to have taken if that is unknown."""


def read(path: Path) -> CacheEntry | None:
    """The content of a file; None if it holds no cached answer (any more)."""
    try:
        with (
            untrusted.folder(path.parent.parent) as top,
            untrusted.file(top, _name(path), os.O_RDONLY) as file,
        ):
            start = os.read(file, _FIRST_READ)
            if len(start) < _HEADER.size:
                return None
            version, *_, date, _sum, _part, begin, body = _HEADER.unpack_from(start)
            if version != _VERSION:
                return None
            head = start[:body] if body <= len(start) else start + os.read(file, body - len(start))
    except OSError:
        return None
    key, _, _ = head[head.find(_KEY) + len(_KEY) : begin].partition(b"\n")
    scheme, _, rest = key.split(b" ")[0].decode("utf-8", "surrogateescape").partition("://")
    host, slash, uri = rest.partition("/")
    words = b" ".join(_TAGS.findall(head, begin)).decode("latin-1")
    tags = frozenset(re.split(r"[\s,]+", words)) - {""}
    return CacheEntry(path, scheme, host.lower(), slash + uri, tags, date - _under_way(head[begin:]))


def _name(path: Path) -> str:
    """The path of a cached answer below the cache directory, to which nginx's user may write."""
    return f"{path.parent.name}/{path.name}"


def _under_way(head: bytes) -> float:
    """How long the answer took, in seconds: its time in the queue and with the app."""
    found = _NUMBERS.search(head)
    if not found:
        return _UNKNOWN_SECONDS
    queue = 0 if found[1] == b"-" else int(found[1])
    return (queue + int(found[2])) / 1e6


def files(directory: str, since: float = 0.0) -> Iterator[Path]:
    """Every file of the cache; with `since`, only those written at that Unix time or later."""
    try:
        folders = [Path(entry.path) for entry in os.scandir(directory) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for folder in folders:
        try:
            if since and folder.lstat().st_mtime < since:
                continue
            with os.scandir(folder) as entries:
                for entry in entries:
                    if "." not in entry.name and (
                        not since or entry.stat(follow_symlinks=False).st_mtime >= since
                    ):
                        yield Path(entry.path)
        except OSError:
            continue  # nginx removed it


def drop(entry: CacheEntry) -> bool:
    """Make nginx forget the answer; returns whether it was there. Only for files of the cache directory's owner."""
    try:
        with untrusted.folder(entry.path.parent.parent) as top:
            owner = os.fstat(top).st_uid
            with (
                untrusted.folder(entry.path.parent.name, top) as folder,
                untrusted.file(folder, entry.path.name, os.O_RDWR, owner=owner) as file,
            ):
                _forget(file, folder, entry.path.name)
    except OSError:
        return False
    return True


def _forget(file: int, folder: int, name: str) -> None:
    found, start = os.fstat(file), os.read(file, _FIRST_READ)
    begin = _HEADER.unpack_from(start)[8] if len(start) >= _HEADER.size else 0
    # A worker of nginx may have it open, and looks for no other file within a second.
    os.pwrite(file, _NO_VERSION, 0)
    draft = f"{name}.gone"
    untrusted.remove(folder, draft)
    with untrusted.file(folder, draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as made:
        os.fchmod(made, found.st_mode & 0o777)
        if os.geteuid() == 0:
            os.fchown(made, found.st_uid, found.st_gid)  # nginx's workers must be able to read it
        os.write(made, _NO_VERSION + start[len(_NO_VERSION) : begin])
    os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
