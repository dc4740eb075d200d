"""Ends a process of httpd whose master was killed.

No signal does that gracefully: a child of the event MPM waits for one byte from its master in the "pipe of death"
(httpd's os/unix/unixd.h and server/mpm_unix.c, `ap_mpm_podx_check`), and ignores SIGTERM and SIGWINCH. Each child has
both ends of that pipe, so the byte can be written in the dead master's place. The child then closes its listening
sockets at once, finishes its requests, and exits.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from portico.run.processes import proc

_GRACEFUL = b"!"
"""AP_MPM_PODX_GRACEFUL_CHAR. In the pipe by which a child wakes itself, the only other one with both ends, any byte
only wakes it."""


def end(pid: int) -> None:
    """Ask it to finish its requests and exit. One that cannot be asked is killed: it would keep the port.

    Root needs CAP_SYS_PTRACE to open the pipe of another user's process; containers often lack it.
    """
    try:
        for name, writer in _own_pipes(proc.PROC / str(pid)).items():
            write(writer, name)
    except OSError:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def write(descriptor: Path, pipe: str) -> None:
    """Write the byte through that entry of /proc/PID/fd. Raises OSError, also if it is not that pipe (any more).

    The process may put a file there that it can only read: root would open it for writing.
    """
    writer = os.open(descriptor, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if str(Path(f"/proc/self/fd/{writer}").readlink()) != pipe:
            raise PermissionError(f"{descriptor} is not {pipe}")
        os.write(writer, _GRACEFUL)
    finally:
        os.close(writer)


def _own_pipes(process: Path) -> dict[str, Path]:
    """The writing ends of the pipes that it holds both ends of, by the pipe's name. Raises OSError."""
    ends = dict[str, dict[int, Path]]()
    for descriptor in (process / "fd").iterdir():
        try:
            name = str(descriptor.readlink())
            if name.startswith("pipe:"):
                ends.setdefault(name, {})[_access(process / "fdinfo" / descriptor.name)] = descriptor
        except FileNotFoundError:
            continue  # closed just now
    return {
        name: both[os.O_WRONLY] for name, both in ends.items() if both.keys() >= {os.O_RDONLY, os.O_WRONLY}
    }


def _access(info: Path) -> int:
    """Whether that descriptor reads or writes: `flags`, an octal number (proc_pid_fdinfo(5))."""
    fields = dict(line.split(":", 1) for line in info.read_text("ascii").splitlines() if ":" in line)
    return int(fields["flags"], 8) & os.O_ACCMODE
