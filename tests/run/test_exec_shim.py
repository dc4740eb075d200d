"""The child's life between its fork and its program."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from portico.run.processes import child, exec_shim
from portico.run.processes.child import Child
from tests.support import private_directory
from tests.support.process import PIPE, ended, launch
from tests.support.until import until
from tests.users import ONLY_ROOT, USER, paths, python


def _start(*argv: str, user: str = "", listener: socket.socket | None = None) -> Child:
    return child.start(
        "test",
        argv,
        cwd="/",
        env={},
        signals=child.APP_SERVER,
        user=user,
        listener=listener,
        reads_stderr=True,
    )


def _said(started: Child) -> str:
    assert started.stderr
    said = started.stderr.read().decode()
    started.stderr.close()
    assert started.process.wait(60) == 0, said
    return said


def _asked(script: str, listener: socket.socket | None = None) -> object:
    """What a child says of itself."""
    program = f"import json, os, sys\njson.dump({script}, sys.stderr)"
    return json.loads(_said(_start(sys.executable, "-c", program, listener=listener)))


def _descriptors() -> list[str]:
    return sorted(str(path) for path in Path("/proc/self/fd").iterdir())


def _ignored(started: Child) -> int:
    status = dict(line.split(":\t", 1) for line in _said(started).splitlines())
    return int(status["SigIgn"], 16)


def test_a_program_has_no_terminal_that_it_could_type_into() -> None:
    """Another user's program would else give root's shell its next command (TIOCSTI)."""
    program = (
        "import fcntl, os, sys, termios\n"
        "try: os.open('/dev/tty', os.O_RDWR)\n"
        "except OSError as error: print(error.strerror, file=sys.stderr)\n"
        "try: fcntl.ioctl(2, termios.TIOCSTI, b'x')\n"
        "except OSError as error: print(error.strerror, file=sys.stderr)\n"
    )
    starts = (
        "import sys\n"
        "from portico.run.processes import child\n"
        f"one = child.start('t', (sys.executable, '-c', {program!r}), cwd='/', env={{}}, signals=child.APP_SERVER)\n"
        "sys.exit(one.process.wait(60))\n"
    )
    words = ["script", "-qec", shlex.join([sys.executable, "-c", starts]), "/dev/null"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines()[0] == "No such device or address"
    assert len(done.stdout.splitlines()) == 2


def test_a_program_starts_with_the_signals_of_a_shell() -> None:
    """Python ignores SIGPIPE: a program that inherits this does not end with the pipe that it writes to."""
    ignored = _ignored(_start("sh", "-c", "cat /proc/self/status >&2"))
    assert not ignored & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1)


def test_a_program_has_no_descriptor_but_those_it_is_given() -> None:
    listing = (
        "sorted(int(name) for name in os.listdir('/proc/self/fd'))[:-1]"  # the last one reads the directory
    )
    assert _asked(listing) == [0, 1, 2]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert _asked(listing, listener=listener) == [0, 1, 2, exec_shim.LISTENER_FD]


def test_a_start_that_fails_leaves_no_descriptor_and_no_child(tmp_path: Path) -> None:
    (no_program := tmp_path / "text").write_text("nothing")
    before, children = _descriptors(), psutil.Process().children()
    for argv, cwd, error in (
        (("/no/such/program",), "/", FileNotFoundError),
        ((str(no_program),), "/", PermissionError),
        (("true",), "/no/such/directory", FileNotFoundError),
    ):
        with pytest.raises(error) as caught:
            child.start("x", argv, cwd=cwd, env={}, signals=child.APP_SERVER, reads_stderr=True)
        assert caught.value.filename == (argv[0] if cwd == "/" else cwd)
    until(lambda: set(_descriptors()) <= set(before), _descriptors)  # threads of other tests have some, too
    # Popen collects ended children of other tests.
    assert set(psutil.Process().children()) <= set(children)


def test_a_portico_that_was_upgraded_starts_programs_as_before() -> None:
    """It has the old arguments, and runs the new shim: the program's first word is its fifth."""
    for signals in (str(int(signal.SIGTERM)), f"{int(signal.SIGTERM)}:0"):
        report = os.open(os.devnull, os.O_WRONLY)
        argv = exec_shim.command(
            os.getpid(), signal.SIGTERM, report, exec_shim.NO_LISTENER, 0, ("echo", "ran")
        )
        at = argv.index(f"{int(signal.SIGTERM)}:0")
        argv[at] = signals
        assert argv[at - 1 :] == [str(os.getpid()), signals, str(report), "-1", "echo", "ran"]
        done = subprocess.run(argv, pass_fds=(report,), capture_output=True, check=True, timeout=60)
        os.close(report)
        assert done.stdout == b"ran\n"


def test_a_child_whose_parent_is_gone_does_not_become_the_program() -> None:
    failed, report = os.pipe()
    argv = exec_shim.command(ended().pid, signal.SIGTERM, report, exec_shim.NO_LISTENER, 0, ("echo", "ran"))
    done = subprocess.run(argv, pass_fds=(report,), capture_output=True, check=False, timeout=60)
    os.close(report)
    assert (done.returncode, done.stdout, os.read(failed, 9)) == (1, b"", b"")
    os.close(failed)


_PARENT = """
import sys
from portico.run.processes import child
started = child.start("x", ("sleep", "600"), cwd="/", env={}, signals=child.APP_SERVER, user=sys.argv[1])
print(started.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("user", ["", pytest.param(USER, marks=ONLY_ROOT)])
def test_a_child_ends_with_its_parent(user: str) -> None:
    with private_directory() as home:
        parent = launch(
            [python() if user else sys.executable, "-c", _PARENT, user],
            stdin=PIPE,
            stdout=PIPE,
            cwd=home,
            env={**os.environ, **paths(home)},
        )
        assert parent.stdout
        pid = int(parent.stdout.readline())
        parent.kill()  # alone: that is what this is about
        parent.communicate()
    deadline = time.monotonic() + 60
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        return " Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]
    except OSError:
        return False
