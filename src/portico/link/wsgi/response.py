"""The outgoing half of a request: start_response, write, the body, and the guarantee about truncated responses.

A response is complete when every byte of it was handed to nginx; only then is the request consumed from the socket
(see `request`). Closing before that resets the connection, and nginx breaks the transfer to the client.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Final, Protocol

from portico.link import timing
from portico.link.head import (
    BrokenAppError,
    check_status,
    endpoint,
    field,
    is_events,
    numbers,
    render,
    split,
    streamed,
)
from portico.link.wsgi.download import WORTH_BYTES, Downloads, FileRange, agrees, kept, part_of, range_of
from portico.link.wsgi.request import Body, ClientGoneError, Connection, Environ, take
from portico.link.wsgi.stream import Stream

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]
StartResponse = Callable[..., Callable[[bytes], None]]
App = Callable[[Environ, StartResponse], Iterable[bytes]]

_JOIN: Final = 1 << 16
"""Below this size, copying a body behind its head is cheaper than a second system call."""
_SEND: Final = 1 << 20
"""Bytes handed to the kernel at once, so that a long body shows progress to the deadline."""
_WERKZEUG_PART: Final = "206 PARTIAL CONTENT"
_UNBUFFERED: Final = re.compile(r"(?:^|\n)x-accel-buffering:[ \t]*no[ \t]*\r", re.IGNORECASE)
_SLOW_NS: Final = 200_000_000
"""A client that blocks longer than this is slow: another thread takes over this one's duty meanwhile."""
_ERROR: Final = b"Internal Server Error\n"


class Progress(Protocol):
    """The answering thread, where a response records its progress: `moved` is time.monotonic_ns(). A `Slot` is one."""

    label: str
    ident: int
    moved: int
    stream: Stream | None

    @property
    def relieve(self) -> Callable[[Any], None]: ...


class FileWrapper:
    """`wsgi.file_wrapper`: a file that the kernel sends if it has a descriptor, else read in blocks."""

    def __init__(self, filelike: Any, block_size: int = 1 << 16) -> None:
        self.filelike = filelike
        self.block_size = block_size
        for name in (
            "close",
            "seek",
            "tell",
            "seekable",
        ):  # Werkzeug's ranges seek, and read everything before them otherwise
            if hasattr(filelike, name):
                setattr(self, name, getattr(filelike, name))

    def __iter__(self) -> FileWrapper:
        return self

    def __next__(self) -> bytes:
        block: bytes = self.filelike.read(self.block_size)
        if block:
            return block
        raise StopIteration


class Response:
    """One response. `start` is the app's start_response, `send` sends the app's result, `finish` ends it.

    `size` is the length of the whole request, which waits in the socket unless there is a `body` that reads it.
    Sending raises ClientGoneError if nginx has closed the connection, and BrokenAppError for what PEP 3333 or HTTP
    do not allow.
    """

    __slots__ = (
        "_body",
        "_connection",
        "_downloads",
        "_environ",
        "_head",
        "_left",
        "_length",
        "_progress",
        "_route",
        "_sendfile",
        "_size",
        "_started",
        "_status",
        "bodiless",
        "closed",
        "head_sent",
        "is_shortened",
    )  # fmt: skip

    def __init__(
        self,
        connection: Connection,
        environ: Environ,
        progress: Progress,
        size: int,
        body: Body | None = None,
        downloads: Downloads | None = None,
    ) -> None:
        self._connection = connection
        self._environ = environ
        self._progress = progress
        self._size = size
        self._body = body
        self._downloads = downloads
        self._started = progress.moved
        self._status = self._head = ""
        self._route = "-"
        self._length: int | None = None
        self._sendfile: str | None = None
        self._left: int | None = None  # bytes still missing to the Content-Length; None: until the end
        self.head_sent = self.bodiless = self.closed = self.is_shortened = False

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None, /
    ) -> Callable[[bytes], None]:
        """PEP 3333's start_response."""
        if exc_info:
            try:
                if self.head_sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # PEP 3333: no reference cycle through the traceback
        elif self._status:
            raise BrokenAppError("start_response was called twice without exc_info")
        check_status(status)
        self._head, self._length, self._sendfile = render(headers)
        self._status = status
        self._route = endpoint(self._environ)
        self.bodiless = (
            status[0] == "1" or status[:3] in ("204", "304") or self._environ["REQUEST_METHOD"] == "HEAD"
        )
        return self.write

    def write(self, data: bytes) -> None:
        """Sends one block now, behind the head if that was not sent yet."""
        if not self.head_sent:
            self._send_head(data)
        elif data and not self.bodiless:
            self._send(self._bounded(data))

    def send(self, result: Iterable[bytes]) -> None:
        """Sends the app's whole result: the response is complete, or an exception says why it is not.

        `closed` means that the app's result was closed on the way.
        """
        if type(result) is list or type(result) is tuple:
            self._send_known(result)
        elif isinstance(result, FileWrapper) or self._status == _WERKZEUG_PART:
            self._send_file(result)
        else:
            self._send_blocks(result)
        if not self.head_sent:
            if self._sendfile is None:
                self._send_head(b"")
            else:
                self._send_named(self._sendfile)
        if self._left and not self.bodiless:
            raise BrokenAppError(f"the body ended {self._left} bytes before its Content-Length")

    def _send_blocks(self, result: Iterable[bytes]) -> None:
        if self._length is None and not self.bodiless and self._is_stream(result):
            self._send_stream(result)
            return
        for block in result:
            if block:  # PEP 3333: the head waits for the first non-empty block
                self.write(block)
            if self.bodiless:
                break  # the rest, possibly endless, is not needed

    def _is_stream(self, result: Iterable[bytes]) -> bool:
        """Whether a body of unknown length is sent as the app yields it. nginx gets a header about it if the app
        sets none.
        """
        if _UNBUFFERED.search(self._head):
            return True
        # Django's streaming answers say `streaming`: others are complete already.
        if isinstance(result, FileWrapper) or not getattr(result, "streaming", True) or self.head_sent:
            return False
        if not streamed(self._head):
            return False
        self._head += "X-Accel-Buffering: no\r\n"
        return True

    def finish(self) -> None:
        """Consumes the request from the socket and closes it: nginx sees a clean end."""
        body = self._body
        size = self._size if body is None else body.untaken
        try:
            if body is not None and not body.arrived:
                # nginx still sends the body that the app did not read, and a close now would look like a failure:
                # it gets the end of the response, and then closes by itself.
                self._connection.shutdown(socket.SHUT_WR)
            take(self._connection, size)
            if self._length is None:
                # A child that the app has forked may hold the connection, too: the close alone would be no end.
                self._connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # nginx has everything and closed first
        self._connection.close()

    def fail(self) -> None:
        """Answers 500; only before anything was sent."""
        self._status = ""
        self.start("500 Internal Server Error", [("Content-Type", "text/plain; charset=utf-8")])
        self.send([_ERROR])

    def _send_stream(self, result: Iterable[bytes]) -> None:
        """Sends a streaming answer: it has its own thread, and gets checks from the main thread."""
        are_events = is_events(self._head)
        stream = Stream(self._connection, self._progress.ident, self._send_head if are_events else None)
        self._progress.stream = stream
        self._progress.relieve(self._progress)
        try:
            for block in result:
                if block:
                    with stream.lock:
                        stream.has_begun = True
                        self.write(block)
                        stream.at_line_end = block[-1:] == b"\n"
        except GeneratorExit:
            raise ClientGoneError("the app got an exception while it had nothing to send") from None
        finally:
            stream.end()
            self._progress.stream = None

    def _send_known(self, blocks: list[bytes] | tuple[bytes, ...]) -> None:
        """A complete body is sent with its length: nginx notices a cut by itself and need not wait for the end."""
        data = blocks[0] if len(blocks) == 1 else b"".join(blocks)
        if not data and self._sendfile is not None:
            return
        self._promise(len(data))
        self.write(data)

    def _promise(self, length: int) -> None:
        if self._length is None and self._status and not self.head_sent and not self.bodiless:
            self._length = length
            self._head += f"Content-Length: {length}\r\n"

    def _send_file(self, result: Any) -> None:
        """Sends a file, or Werkzeug's range of one: by nginx, else by the kernel, else block by block."""
        if (found := _file_of(result)) is None:
            self._send_blocks(result)
            return
        descriptor, start, stop, size = found
        self._promise(stop - start)
        if self._downloads and stop - start >= WORTH_BYTES and not (self.head_sent or self.bodiless):
            part = FileRange(self._status, self._head, self._length, start, stop, size)
            if self._hand_over(self._downloads, result, descriptor, part):
                return
        if not self.closed:
            self._copy(descriptor, start, stop)

    def _hand_over(self, downloads: Downloads, result: Any, descriptor: int, part: FileRange) -> bool:
        """Lets nginx send an open file; False if the worker must, and then nothing was sent."""
        is_part = "HTTP_RANGE" in self._environ
        if (head := agrees(part, self._environ)) is None or not downloads.url(descriptor, is_part=is_part):
            return False
        descriptor = os.dup(descriptor)
        try:
            # An app may remove its file in close(): that must have happened before nginx opens it.
            self.closed = True
            if hasattr(result, "close"):
                result.close()
            if url := downloads.url(descriptor, is_part=is_part):
                self._redirect(head, url)
            else:
                self._copy(descriptor, part.start, part.stop)
        finally:
            os.close(descriptor)
        return True

    def _send_named(self, path: str) -> None:
        """X-Sendfile: the app names a file and returns no body."""
        try:
            descriptor = os.open(_native(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise BrokenAppError(f"X-Sendfile names {path!r}: {error.strerror}") from None
        try:
            if self._downloads is None or not self._downloads.covers(descriptor):
                raise BrokenAppError(
                    f"X-Sendfile names {path!r}, which is not a file under a root of [downloads]"
                )
            is_part = "HTTP_RANGE" in self._environ
            url = self._downloads.url(descriptor, is_part=is_part)
            head = kept(self._head, is_private="PORTICO_PRIVATE" in self._environ)
            if url and head is not None and self._status[:3] in ("200", "206"):
                self._redirect(head, url)
                return
            self._copy_named(descriptor, path)
        finally:
            os.close(descriptor)

    def _copy_named(self, descriptor: int, path: str) -> None:
        """Sends a named file, or the range that was asked for: the app may have looked at that itself (Werkzeug)."""
        size, status = os.fstat(descriptor).st_size, self._status[:3]
        part = range_of(self._environ, self._head, size) if status == "200" else None
        if status == "206" and (part := part_of(self._head, size)) is None:
            raise BrokenAppError(f"X-Sendfile names {path!r}, and Content-Range is no part of it")
        start, stop = part or (0, size)
        self._length = stop - start
        self._head = f"{_without_length(self._head)}Content-Length: {self._length}\r\n"
        if part and status == "200":
            self._status = "206 Partial Content"
            self._head += f"Content-Range: bytes {start}-{stop - 1}/{size}\r\n"
        self._copy(descriptor, start, stop)

    def _redirect(self, head: str, url: str) -> None:
        """The head that makes nginx send the file of that URL; nginx does the rest."""
        self._status, self._length = "200 OK", 0
        self._head = f"{head}X-Accel-Redirect: {url}\r\nContent-Length: 0\r\n"
        self._send_head(b"")

    def _copy(self, descriptor: int, start: int, stop: int) -> None:
        if not self.head_sent:
            self._send_head(b"")
        if not self.bodiless:
            left = stop - start
            self._copy_file(descriptor, start, left if self._left is None else min(left, self._left))

    def _copy_file(self, descriptor: int, offset: int, left: int) -> None:
        out = self._connection.fileno()
        while left > 0:
            before = time.monotonic_ns()
            try:
                sent = os.sendfile(out, descriptor, offset, min(left, _SEND))
            except (BrokenPipeError, ConnectionResetError) as error:
                raise ClientGoneError(*error.args) from None
            if sent == 0:
                return  # the file became shorter; `send` notices the missing bytes
            offset += sent
            left -= sent
            if self._left is not None:
                self._left -= sent
            self._got_on(before)

    def _send_head(self, data: bytes) -> None:
        """Sends the head and the first part of the body, in one system call if that is short."""
        if not self._status:
            raise BrokenAppError("the app gave a body, or ended, without calling start_response")
        if self._body is not None:
            self._body.hold()
        if self.bodiless:
            data = b""
            if self._status[0] == "1" or self._status[:3] == "204":
                self._head = _without_length(self._head)
        else:
            self._left = self._length
            data = self._bounded(data)
        sent = self._environ.get("PORTICO_MSEC")
        told = numbers(self._started, self._progress.label, sent, self._route)
        head = f"HTTP/1.1 {self._status}\r\n{self._head}X-Portico: {told}\r\n\r\n".encode("latin-1")
        if len(data) > _JOIN:
            self._send(head, first=True)
            self._send(data)
        else:
            self._send(head + data, first=True)

    def _bounded(self, data: bytes) -> bytes:
        """The part of `data` within the Content-Length; the rest would be read as another response."""
        if self._left is None:
            return data
        if len(data) > self._left:
            data = data[: self._left]
            self.is_shortened = True
        self._left -= len(data)
        return data

    def _send(self, data: bytes, first: bool = False) -> None:
        before = 0 if first else time.monotonic_ns()
        try:
            if len(data) <= _SEND:
                self._connection.sendall(data)
            else:
                view = memoryview(data)
                for at in range(0, len(view), _SEND):
                    self._connection.sendall(view[at : at + _SEND])
                    self._progress.moved = time.monotonic_ns()
        except OSError as error:
            raise ClientGoneError(*error.args) from None
        if first:
            self.head_sent = True
        else:
            self._got_on(before)

    def _got_on(self, before: int) -> None:
        """Records progress since that moment."""
        self._progress.moved = now = time.monotonic_ns()
        if now - before > _SLOW_NS:
            self._progress.relieve(self._progress)


class TimedResponse(Response):
    """A Response that tells the gateway its times, if the client may see them."""

    __slots__ = ()

    def _send_head(self, data: bytes) -> None:
        if timing.WANTED in self._environ:
            self._head += timing.line(self._started, self._environ.get("PORTICO_MSEC"))
        super()._send_head(data)


def _file_of(result: Any) -> tuple[int, int, int, int] | None:
    """Descriptor, first byte, last byte + 1 and size of the file behind a result; None if it is not a file."""
    wrapper = result if isinstance(result, FileWrapper) else getattr(result, "iterable", None)
    if not isinstance(wrapper, FileWrapper):
        return None
    try:
        descriptor, offset = wrapper.filelike.fileno(), wrapper.filelike.tell()
        size = os.fstat(descriptor).st_size
        if wrapper is result:
            return descriptor, offset, max(offset, size), size
        start = result.start_byte
        return descriptor, start, min(size, start + result.byte_range), size
    except (AttributeError, OSError, TypeError, ValueError):
        return None


def _native(path: str) -> bytes:
    """The path of a header, whose text stands for bytes (PEP 3333)."""
    try:
        return path.encode("latin-1")
    except UnicodeEncodeError:
        return os.fsencode(path)


def _without_length(head: str) -> str:
    """RFC 9110 8.6: no Content-Length with 1xx and 204."""
    return "".join(line for line in split(head) if field(line)[0] != "content-length")
