"""The child process: reads a job, compresses, puts copies where the gateway finds them, reports, and exits.

python -m portico.run.precompress.program PARENT < job
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from portico.place import untrusted
from portico.plan.precompress import kept
from portico.run.precompress.codings import ENCODE, SUFFIXES, holds
from portico.run.precompress.scan import scan, stamp
from portico.run.precompress.store import Store, key, write
from portico.run.precompress.words import Done, Folder, Found, Job, Seen, Stamp, Word
from portico.run.processes import prctl

_SPEAKING = threading.Lock()
_IS_ANOTHER = list[int]()
"""The user of this process after a change, if any."""
_IDLE_CLASS, _WHO_PROCESS, _IOPRIO_SET = 3 << 13, 1, {"x86_64": 251, "aarch64": 30}


def main(parent: int) -> None:
    """Do the job of the process with that number, and end with it; every file is written whole or not at all."""
    prctl.end_with(parent, signal.SIGKILL)
    _step_back()
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    _become_owner(Path(job.store).parent, parent)
    _work(job)


def _work(job: Job) -> None:
    store, todo = Store(Path(job.store)), list[tuple[Folder, str, Stamp]]()
    for folder in job.folders:
        found = scan(folder.folder)
        todo += [(folder, name, at) for name, at in found.files.items() if folder.known.get(name) != at]
        _say(Seen(folder.root, found.folders, found.left_out, found.too_large))
    _say(Found(len(todo), sum(at[1] for _, _, at in todo)))
    todo.sort(key=lambda item: item[2][1])  # small files are done quickly
    with ThreadPoolExecutor(job.threads) as pool:
        for _ in pool.map(lambda item: _pack(store, *item), todo):
            pass
    store.prune()


def _pack(store: Store, folder: Folder, name: str, at: Stamp) -> None:
    """Copies of one file. A file that changes meanwhile gets none: the supervisor sees that it differs from `at`.

    An unreadable file gets none until something else changes.
    """
    try:
        content = _read(Path(folder.folder, name), at)
        if content is None:
            _say(Done(folder.root, name, at, {}, was_kept=True))
            return
        digest = key(content)
        made = store.get(digest)
        was_kept = made is not None
        if made is None:
            made = _packed(Path(folder.folder, name), content)
            store.put(digest, made)
        copies = {coding: made[coding] for coding in made if made[coding]}
        _publish(folder, name, at, copies)
        sizes = {coding: len(copy) for coding, copy in copies.items()}
        _say(Done(folder.root, name, at, sizes, was_kept))
    except OSError as error:
        sys.stderr.write(f"{folder.folder}/{name}: {error.strerror}\n")  # the supervisor reads it


def _read(path: Path, at: Stamp) -> bytes | None:
    """The bytes of that very file, None if it was replaced."""
    with _opened(path) as file:
        if stamp(os.fstat(file.fileno())) != at:
            return None
        content = file.read()
        return content if stamp(os.fstat(file.fileno())) == at and len(content) == at[1] else None


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Opens a file of the app, which may be a link or a FIFO. Raises OSError.

    The gateway's user may read more than the app may: so no part of the path may be a link, as in the gateway itself.
    """
    if not _IS_ANOTHER:
        with open(path, "rb", opener=untrusted.opened) as file:
            yield file
        return
    with untrusted.straight(str(path)) as number, open(number, "rb", closefd=False) as file:
        yield file


def _packed(path: Path, content: bytes) -> dict[str, bytes]:
    """The bytes of each coding; none if the coding does not help."""
    made = {coding: _theirs(path, coding, content) or encode(content) for coding, encode in ENCODE.items()}
    helps = kept(len(content), {coding: len(copy) for coding, copy in made.items()})
    return {coding: copy if coding in helps else b"" for coding, copy in made.items()}


def _theirs(path: Path, coding: str, content: bytes) -> bytes:
    """The copy that a build has put beside the file, if it matches the file."""
    beside = path.with_name(path.name + SUFFIXES[coding])
    try:
        with _opened(beside) as file:
            packed = file.read(len(content))
        if len(packed) == len(content):
            return b""
    except OSError:
        return b""
    return packed if holds(coding, packed, content) else b""


def _publish(folder: Folder, name: str, at: Stamp, copies: dict[str, bytes]) -> None:
    """Put the copies where the gateway looks, with the file's own time, from which Last-Modified and ETag are made."""
    for coding in ENCODE:
        path = Path(f"{folder.root}/{coding}{folder.url}{name}")
        if coding in copies:
            _make_parents(path.parent, Path(folder.root).parent)
            write(path, copies[coding], (at[2], at[2]))
        else:
            path.unlink(missing_ok=True)


def _make_parents(path: Path, top: Path) -> None:
    """Make directories that the gateway's user can enter, independent of our umask."""
    if path in (top, path.parent):
        return
    _make_parents(path.parent, top)
    if not path.is_dir():
        path.mkdir(exist_ok=True)
        path.chmod(0o755)


def _become_owner(directory: Path, parent: int) -> None:
    """Root becomes the gateway's user, who owns that directory: a copy must not contain what that user may not read.

    A change of the user clears PR_SET_PDEATHSIG, which ends this process with the supervisor: it is set again.
    """
    owner = directory.stat().st_uid
    if os.geteuid() != 0 or owner == 0:
        return
    entry = pwd.getpwuid(owner)
    os.initgroups(entry.pw_name, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(owner)
    _IS_ANOTHER.append(owner)
    prctl.end_with(parent, signal.SIGKILL)


def _say(word: Word) -> None:
    with _SPEAKING:
        os.write(1, msgspec.json.encode(word) + b"\n")


def _step_back() -> None:
    """Use only idle CPU time and disk time: SCHED_IDLE (sched(7)) and the idle class (ioprio_set(2))."""
    os.nice(19)
    try:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    except (OSError, AttributeError):
        pass  # a sandbox forbids it: nice is enough
    number = _IOPRIO_SET.get(os.uname().machine)
    if number is not None:
        ctypes.CDLL(None).syscall(number, _WHO_PROCESS, 0, _IDLE_CLASS)


if __name__ == "__main__":
    main(int(sys.argv[1]))
