"""The app's standard output and standard error, stored with the ID of the request that wrote it.

The text still goes to its stream; a copy becomes a line of JSON in app.log, so that it can be shown with its
request. A request that writes nothing costs nothing: the ID is looked up when there is text.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from portico.link import prompt

VARIABLE: Final = "PORTICO_APP_LOG"
"""The variable with the file's name."""
_LONGEST: Final = 1 << 16
"""Characters of one entry: a single append of this size is not interleaved with another worker's."""

_APPEND: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
"""No request waits for the reader of a FIFO in the file's place."""

Who = Callable[[], str]
"""The ID of the request that the calling thread or task serves, empty for none."""


class AppLog:
    """app.log, appended to by every worker; reopened after a rotation. Never raises."""

    def __init__(self, path: str, who: Who) -> None:
        self._path, self._who = path, who
        self._lock = threading.Lock()
        self._fd, self._file = -1, (0, 0)

    def add(self, stream: str, text: str) -> None:
        """Appends one entry; `stream` is stdout or stderr."""
        entry = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "id": self._who(),
            "pid": os.getpid(),
            "stream": stream,
            "text": text[:_LONGEST],
        }
        line = json.dumps(entry).encode() + b"\n"  # ASCII: any output of the app can be encoded
        try:
            with self._lock:
                os.write(self._current(), line)
        except OSError:
            pass  # a full disk: the text is still on the stream

    def _current(self) -> int:
        try:
            found = os.stat(self._path)  # noqa: PTH116  at each line: no Path is made
            if self._fd >= 0 and (found.st_dev, found.st_ino) == self._file:
                return self._fd
        except FileNotFoundError:
            pass
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._fd = os.open(self._path, _APPEND, 0o640)
        opened = os.fstat(self._fd)
        self._file = (opened.st_dev, opened.st_ino)
        return self._fd


class Copied:
    """A text stream whose complete lines are also copied to an AppLog; everything else is the stream's own."""

    def __init__(self, stream: TextIO, name: str, log: AppLog) -> None:
        self._stream, self._name, self._log = stream, name, log
        self._rest = (
            threading.local()
        )  # print() writes a line and its end separately, in several threads at once
        self._has_more, self._stuck = False, threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        count = self._stream.write(text)
        self._has_more = not text.endswith("\n")
        whole, end, rest = f"{getattr(self._rest, 'text', '')}{text}".rpartition("\n")
        if len(rest) > _LONGEST:
            whole, end, rest = rest, "\n", ""
        self._rest.text = rest
        if end and whole.strip():
            self._log.add(self._name, whole)
        return count

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        self._stream.flush()

    def push(self) -> None:
        """Called once a second: writes text that still waits for the end of its line. Never blocks: a reader may
        hang.
        """
        if self._has_more and not self._stuck.locked():
            self._has_more = False
            threading.Thread(target=self._push, daemon=True, name="portico output").start()

    def _push(self) -> None:
        with self._stuck, contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def push() -> None:
    """Called once a second in a worker: see Copied.push."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, Copied):
            stream.push()


def keep(who: Who, log: Any) -> None:
    """Starts copying in this process. `log` is Gunicorn's logger, which holds its own streams.

    Every record of `logging` has a `request_id` from here on, "-" outside of a request: a formatter may use it.
    """
    prompt.by_line()
    path = os.environ.get(VARIABLE)
    if not path:
        return
    kept = AppLog(path, who)
    before = (sys.stdout, sys.stderr)
    sys.stdout, sys.stderr = Copied(before[0], "stdout", kept), Copied(before[1], "stderr", kept)
    for handler in (*log.error_log.handlers, *log.access_log.handlers, *logging.getLogger().handlers):
        if isinstance(handler, logging.StreamHandler) and handler.stream in before:
            handler.setStream(sys.stdout if handler.stream is before[0] else sys.stderr)
    _number_records(who)


def _number_records(who: Who) -> None:
    make = logging.getLogRecordFactory()

    def numbered(*args: Any, **words: Any) -> logging.LogRecord:
        record = make(*args, **words)
        record.request_id = who() or "-"
        return record

    logging.setLogRecordFactory(numbered)
