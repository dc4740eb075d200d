"""Files that an ASGI app names as its body: by the pathsend extension, or by X-Sendfile."""

from __future__ import annotations

import asyncio
import os
import stat
from typing import Any, Final

from portico.link.asgi.scope import Scope
from portico.link.asgi.wire import Wire
from portico.link.head import BrokenAppError
from portico.link.wsgi.download import WORTH_BYTES, Downloads, FileRange, agrees
from portico.link.wsgi.request import ClientGoneError

_SENDFILE: Final = 1 << 18
"""Bytes of a file that the kernel sends at once, while no other request runs."""
_IF = {
    b"if-match": "HTTP_IF_MATCH",
    b"if-unmodified-since": "HTTP_IF_UNMODIFIED_SINCE",
    b"range": "HTTP_RANGE",
}


class Files:
    """`downloads` are the folders from which nginx sends files."""

    def __init__(self, downloads: Downloads | None) -> None:
        self._downloads = downloads

    def open(self, path: str, *, is_named: bool) -> int:
        """A descriptor of the file; BrokenAppError if there is none, or if X-Sendfile may not name it."""
        what = "X-Sendfile names" if is_named else "http.response.pathsend names"
        try:
            raw = path.encode("latin-1") if is_named else os.fsencode(path)
            descriptor = os.open(raw, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise BrokenAppError(f"{what} {path!r}: {error.strerror}") from None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise BrokenAppError(f"{what} {path!r}, which is not a file")
        if is_named and (self._downloads is None or not self._downloads.covers(descriptor)):
            os.close(descriptor)
            raise BrokenAppError(f"{what} {path!r}, which is not a file under a root of [downloads]")
        return descriptor

    def head(self, descriptor: int, head: str, scope: Scope, facts: dict[str, str]) -> str | None:
        """The head that makes nginx send the file with status 200; None if the worker must send it."""
        size = os.fstat(descriptor).st_size
        if self._downloads is None or size < WORTH_BYTES:
            return None
        environ: dict[str, Any] = facts | {"REQUEST_METHOD": scope.get("method", "GET")}
        environ |= {_IF[name]: value.decode("latin-1") for name, value in scope["headers"] if name in _IF}
        kept = agrees(FileRange("200 OK", head, None, 0, size, size), environ)
        url = self._downloads.url(descriptor, is_part=False)
        if kept is None or url is None:
            return None
        return f"{kept}X-Accel-Redirect: {url}\r\nContent-Length: 0\r\n"


async def copy(descriptor: int, wire: Wire, count: int) -> int:
    """Sends up to `count` bytes of the file by the kernel; how many it sent, fewer if the file became shorter."""
    done = 0
    while done < count:
        try:
            # Without waiting: the descriptor is asked for each time, since the connection may have been closed.
            out = wire.connection.fileno()
            os.set_blocking(out, False)
            sent = os.sendfile(out, descriptor, done, min(count - done, _SENDFILE))
        except BlockingIOError:
            await wire.writable()
            continue
        except OSError as error:
            raise ClientGoneError(*error.args) from None
        if sent == 0:
            break
        done += sent
        wire.progress()
        await asyncio.sleep(0)
    return done
