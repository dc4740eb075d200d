"""Files that nginx sends instead of the worker.

The app has opened a file and wants to send it. If the file is under a root of [downloads] and nginx can open it,
the answer is a head with X-Accel-Redirect: nginx sends the bytes, handles ranges, and the thread is free. If nginx
would answer differently than the app, the worker sends the file: a wrong answer is worse than a slow one.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from portico.link.head import field, split
from portico.place.access import Reader
from portico.plan.downloads import CARRIED, KEPT, READER, ROOTS, SENDER, WORKER, part, whole

WORTH_BYTES: Final = 1 << 16
"""Smaller files fit nginx's buffers: the worker finishes them at once, too."""
_CARRIED: Final = frozenset(map(str.lower, CARRIED))
_OWN: Final = frozenset(("content-length", "content-range", "x-accel-buffering", "date"))
"""Headers that nginx sets itself for a file."""
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")


@dataclass(frozen=True)
class FileRange:
    """The app's answer: the status, the lines of its head, and the bytes of the file, `stop` excluded."""

    status: str
    head: str
    length: int | None
    start: int
    stop: int
    size: int
    """The size of the whole file."""


class Downloads:
    """The folders that nginx sends from; `reader` is nginx's user if it is another. With `by_worker` the gateway sends
    nothing for the app: X-Sendfile may name the files, and the worker sends them.
    """

    def __init__(
        self, roots: Iterable[str], reader: Reader | None = None, *, by_worker: bool = False
    ) -> None:
        self._roots = [root.rstrip("/") + "/" for root in roots]
        self._reader = reader
        self._by_worker = by_worker

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Downloads | None:
        """The plan's folders, None without any. RuntimeError, one line, for an invalid value."""
        text = environment.get(ROOTS)
        if not text:
            return None
        try:
            user = environment.get(READER)
            by_worker = environment.get(SENDER) == WORKER
            return cls(json.loads(text), Reader.named(user) if user else None, by_worker=by_worker)
        except (ValueError, TypeError, KeyError) as error:
            raise RuntimeError(f"{ROOTS} and {READER} cannot be used: {error}") from None

    def url(self, descriptor: int, *, is_part: bool) -> str | None:
        """The URL of an open file for nginx, None if nginx would not find exactly this file."""
        if self._by_worker or (found := self._found(descriptor)) is None:
            return None
        number, root, path = found
        if self._reader and not _readable(root, path, self._reader):
            return None
        return (part if is_part else whole)(number) + quote(os.fsencode(path[len(root) :]))

    def covers(self, descriptor: int) -> bool:
        """Whether an open file is under a root."""
        return self._found(descriptor) is not None

    def _found(self, descriptor: int) -> tuple[int, str, str] | None:
        """Number and path of the root, and the file's real path, if the file is still there."""
        try:
            link = Path(f"/proc/self/fd/{descriptor}").readlink()
            opened, lying = os.fstat(descriptor), link.lstat()
        except OSError:
            return None  # a pipe, a socket, or a file without a name
        if not stat.S_ISREG(opened.st_mode) or not os.path.samestat(opened, lying):
            return None
        path = str(link)
        for number, root in enumerate(self._roots):
            if path.startswith(root):
                return number, root, path
        return None


def agrees(part: FileRange, environ: dict[str, Any]) -> str | None:
    """The head for nginx, if nginx will answer with the status, the bytes and the headers of the app."""
    if (
        environ["REQUEST_METHOD"] != "GET"
        or "HTTP_IF_MATCH" in environ
        or "HTTP_IF_UNMODIFIED_SINCE" in environ
    ):
        return None
    if part.length not in (None, part.stop - part.start):
        return None
    if part.status.startswith("200"):
        if (part.start, part.stop) != (0, part.size):
            return None
    elif not _same_range(part, environ):
        return None
    return kept(part.head, is_private="PORTICO_PRIVATE" in environ)


def range_of(environ: Mapping[str, Any], head: str, size: int) -> tuple[int, int] | None:
    """The bytes of a named file that a GET asks for, `stop` excluded; None for the whole file: also of several ranges,
    and of one that is not there, which a server may leave aside (RFC 9110 14.2).
    """
    if environ["REQUEST_METHOD"] != "GET" or environ.get("HTTP_IF_RANGE", "").startswith("W/"):
        return None  # a weak validator does not say that the bytes are the same (RFC 9110 13.1.5)
    return _wanted(environ, dict(map(field, split(head))), size)


def part_of(head: str, size: int) -> tuple[int, int] | None:
    """The bytes of a named file that the app's own Content-Range names, `stop` excluded; None if they are not in it."""
    found = _CONTENT_RANGE.fullmatch(dict(map(field, split(head))).get("content-range", ""))
    if found is None or int(found[3]) != size:
        return None
    start, stop = int(found[1]), int(found[2]) + 1
    return (start, stop) if start < stop <= size else None


def kept(head: str, *, is_private: bool) -> str | None:
    """The lines that survive X-Accel-Redirect; None if the app sets one that would not."""
    lines, seen = [], set[str]()
    for line in split(head):
        name, value = field(line)
        if name in _OWN:
            continue
        if name == "accept-ranges":
            if value != "bytes":
                return None
            continue
        if name not in KEPT and (name not in _CARRIED or name in seen):
            return None
        seen.add(name)
        lines.append(line)
    if "content-type" not in seen:
        return None
    if is_private and "cache-control" not in seen:
        lines.append("Cache-Control: private, no-store\r\n")
    return "".join(lines)


def _same_range(part: FileRange, environ: dict[str, Any]) -> bool:
    """Whether nginx would select the same bytes from the client's range."""
    said = dict(map(field, split(part.head)))
    if said.get("content-range") != f"bytes {part.start}-{part.stop - 1}/{part.size}":
        return False
    return _wanted(environ, said, part.size) == (part.start, part.stop)


def _wanted(environ: Mapping[str, Any], said: Mapping[str, str], size: int) -> tuple[int, int] | None:
    condition = environ.get("HTTP_IF_RANGE")
    if condition is not None and condition not in (said.get("etag"), said.get("last-modified")):
        return None
    found = _RANGE.fullmatch(environ.get("HTTP_RANGE", ""))
    if found is None or not any(found.groups()):
        return None
    first, last = found.groups()
    start = int(first) if first else max(0, size - int(last))
    stop = min(int(last) + 1, size) if first and last else size
    return (start, stop) if start < stop else None


def _readable(root: str, path: str, reader: Reader) -> bool:
    """Whether nginx's user may open the file; the plan has checked that it may enter the root."""
    file, folder = Path(path), Path(root)
    try:
        if not reader.may(file.stat(), 4):
            return False
        inside = file.relative_to(folder).parents
        return all(reader.may((folder / one).stat(), 1) for one in inside)
    except OSError:
        return False
