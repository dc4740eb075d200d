"""A program in a terminal of its own, as a person would see it."""

from __future__ import annotations

import fcntl
import os
import pty
import shutil
import struct
import termios
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.process import Program, running
from tests.support.until import until

_ROWS, _COLUMNS = 50, 120
_CLEAR = "\x1b[2J"


class Terminal:
    """What was shown so far, and a keyboard."""

    def __init__(self, process: Program, ours: int) -> None:
        self.process, self._ours, self.shown = process, ours, ""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with suppress(OSError):  # its end
            while text := os.read(self._ours, 4096):
                self.shown += text.decode(errors="replace").replace("\r", "")

    @property
    def screen(self) -> str:
        """What was shown since the screen was cleared."""
        return self.shown.rpartition(_CLEAR)[2]

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def until_shown(self, words: str, count: int = 1) -> None:
        """Wait for words on the screen."""
        until(
            lambda: self.screen.count(words) >= count,
            lambda: f"not shown: {words} (exit code {self.process.poll()})\n{self.shown[-5000:]}",
        )


@contextmanager
def in_terminal(argv: Sequence[str], home: Path, env: Mapping[str, str]) -> Iterator[Terminal]:
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
    setsid = shutil.which("setsid") or "setsid"
    with running([setsid, "--ctty", *argv], cwd=home, env=env, stdin=its, stdout=its, stderr=its) as process:
        os.close(its)
        yield Terminal(process, ours)
    os.close(ours)
