"""The supervisor's part in compressed copies: it starts the child, and removes the copy of a file that changed.

The gateway sends a copy without checking its original, so each original is checked here: a stat every two seconds, or
less often, so that it takes at most a hundredth of the time.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct, field

from portico.errors import Problem
from portico.place import cgroup, untrusted
from portico.plan.precompress import CODINGS
from portico.plan.subjects import Precompressed
from portico.protocol import notices
from portico.protocol.status import CompressedStatus
from portico.run.background import in_background
from portico.run.precompress.scan import changed_at, stamp
from portico.run.precompress.words import Done, Folder, Found, Job, Seen, Stamp, Word
from portico.run.running import Running
from portico.ticks import WELL, Rounds, tick

_LOOK_SECONDS = 2.0
_SHARE = 100
"""Checks take at most one hundredth of the time."""
_TURN_SECONDS = 1.0
"""The delay before compression, so that the site starts to serve first; also for new folders after a reload."""
_SHOW_SECONDS = 0.2
"""The interval between notices of the progress."""
_STORE = "store"
_LONGEST_LINE = 64 << 20
"""One line names every directory of a folder."""
_MOST_THREADS = 4
_MOST_LINES = 3


class Tree(Struct):
    """The copies of one folder: the checked files, and the bytes of their copies by coding."""

    precompressed: Precompressed
    files: dict[str, Stamp] = field(default_factory=dict)
    copies: dict[str, dict[str, int]] = field(default_factory=dict)
    folders: dict[str, int] = field(default_factory=dict)
    left_out: int = 0
    too_large: list[str] = field(default_factory=list)

    def forget(self, name: str) -> None:
        """Remove its copies: the gateway sends the file itself."""
        root = Path(self.precompressed.root)
        with suppress(OSError), untrusted.folder(root.parent) as copies:  # The gateway's user may write there
            for coding in CODINGS:
                with suppress(OSError):
                    untrusted.remove(copies, f"{root.name}/{coding}{self.precompressed.url}{name}")
        self.files.pop(name, None)
        self.copies.pop(name, None)


class Copies:
    """The copies of a running site. `is_serving` says whether there is time for them."""

    def __init__(
        self, running: Running, say: Callable[[notices.Notice], None], is_serving: Callable[[], bool]
    ) -> None:
        self._running, self._say, self._is_serving = running, say, is_serving
        self._trees: dict[str, Tree] = {}
        self._progress, self._shown, self._needs_work = notices.Precompressing(0, 0, 0, 0), 0.0, False
        _clear(self._parents(), ())  # a file may have changed while Portico did not run

    async def watch(self) -> Rounds:
        """Make copies, forever; `look` must run beside it."""
        while not self._is_serving():
            await tick(_TURN_SECONDS)
        while True:
            self._adopt()
            if self._needs_work:
                self._needs_work = False
                try:
                    await self._pass()
                except Exception:
                    self._needs_work = True
                    raise
            yield WELL
            await tick(_TURN_SECONDS)

    def status(self) -> CompressedStatus:
        trees = self._trees.values()
        with_copy = [(tree.files[name][1], sizes) for tree in trees for name, sizes in tree.copies.items()]
        return CompressedStatus(
            files=len(with_copy),
            bytes=sum(size for size, _ in with_copy),
            copies={coding: sum(sizes.get(coding, 0) for _, sizes in with_copy) for coding in CODINGS},
            best_bytes=sum(min(sizes.values()) for _, sizes in with_copy),
            left=self._progress.files - self._progress.done,
            too_large=tuple(
                f"{tree.precompressed.folder}/{name}" for tree in trees for name in tree.too_large
            ),
            left_out=sum(tree.left_out for tree in trees),
        )

    def _parents(self) -> set[Path]:
        return {
            Path(copy.root).parent for plan in self._running.plans.values() for copy in plan.precompressed
        }

    def _adopt(self) -> None:
        """Adopt the folders of the current plans and drop the others. New ones need compression."""
        plans = (*self._running.plans.values(), self._running.in_force)
        wanted = {copy.root: copy for plan in plans for copy in plan.precompressed}
        if wanted.keys() == self._trees.keys():
            return
        self._needs_work |= not wanted.keys() <= self._trees.keys()
        self._trees = {root: self._trees.get(root) or Tree(copy) for root, copy in wanted.items()}
        _clear({Path(root).parent for root in wanted}, wanted)

    # Checks --------------------------------------------------------------------------------------------

    async def look(self) -> Rounds:
        """Check for changed files, forever."""
        while True:
            began, wrong = time.monotonic(), dict[str, Exception]()
            changed = await in_background(self._look) if self._has_files() else []
            for tree, names, folders in changed:
                self._needs_work |= bool(names or folders)
                for path in folders:
                    tree.folders.pop(path, None)
                for name, was in names:
                    try:
                        if tree.files.get(name) == was:  # not compressed again since
                            tree.forget(name)
                    except OSError as error:  # The gateway keeps sending that copy: try again
                        wrong[f"{tree.precompressed.folder}/{name}"] = error
            yield wrong
            took = time.monotonic() - began
            await tick(max(_LOOK_SECONDS, _SHARE * took))

    def _has_files(self) -> bool:
        return any(tree.files or tree.folders for tree in self._trees.values())

    def _look(self) -> list[tuple[Tree, list[tuple[str, Stamp]], list[str]]]:
        return [(tree, *_changed(tree)) for tree in list(self._trees.values())]

    # Compression ---------------------------------------------------------------------------------------

    async def _pass(self) -> None:
        """Let the child scan all folders and compress new files."""
        job = self._job()
        if job is None:
            return
        began, made = time.monotonic(), 0
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "portico.run.precompress.program", str(os.getpid()),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            process_group=0, limit=_LONGEST_LINE,
        )  # fmt: skip
        try:
            assert process.stdin
            assert process.stdout
            assert process.stderr
            complaints = asyncio.ensure_future(process.stderr.read())
            process.stdin.write(msgspec.json.encode(job))
            process.stdin.close()
            while line := await process.stdout.readline():
                made += self._hear(msgspec.json.decode(line, type=Word))
            self._complain(await complaints, await process.wait())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        self._finish(made, time.monotonic() - began)

    def _job(self) -> Job | None:
        if not self._trees:
            return None
        store = Path(next(iter(self._trees))).parent / _STORE
        folders = [
            Folder(tree.precompressed.url, tree.precompressed.folder, root, dict(tree.files))
            for root, tree in self._trees.items()
        ]
        threads = max(1, min(_MOST_THREADS, int(cgroup.cpus().value / 2)))
        return Job(str(store), threads, folders)

    def _hear(self, word: Word) -> int:
        """1 for a file that was compressed just now."""
        match word:
            case Found(files, size):
                self._progress = notices.Precompressing(0, files, 0, size)
                self._shown = time.monotonic()
            case Seen(root, folders, left_out, too_large) if tree := self._trees.get(root):
                tree.folders, tree.left_out, tree.too_large = folders, left_out, too_large
            case Done(root, name, at, copies, was_kept):
                if tree := self._trees.get(root):
                    tree.files[name] = at
                    tree.copies.pop(name, None)
                    if copies:
                        tree.copies[name] = copies
                self._show(at[1])
                return not was_kept
        return 0

    def _show(self, size: int) -> None:
        was = self._progress
        self._progress = notices.Precompressing(was.done + 1, was.files, was.done_bytes + size, was.bytes)
        if time.monotonic() - self._shown > _SHOW_SECONDS:
            self._shown = time.monotonic()
            self._say(self._progress)

    def _finish(self, made: int, took: float) -> None:
        if not self._progress.files:
            return
        self._progress = notices.Precompressing(0, 0, 0, 0)
        status = self.status()
        self._say(notices.Precompressed(status.files, made, status.bytes, status.best_bytes, took))

    def _complain(self, words: bytes, code: int) -> None:
        lines = words.decode("utf-8", "replace").strip().splitlines()
        if code == 0 and not lines:
            return
        what = "some static files could not be compressed" if code == 0 else "static files are not compressed"
        why = _of_files(lines) if code == 0 else _of_child(lines, code)
        self._say(notices.Trouble(Problem("", what, "they are served as they are", why)))


def _of_files(lines: list[str]) -> str:
    """The failed files, each with the reason."""
    more = [f"and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else []
    return "\n".join(lines[:_MOST_LINES] + more)


def _of_child(lines: list[str], code: int) -> str:
    """Why the child exited; the last line of a traceback."""
    if code < 0:
        memory = ": the kernel does this when memory runs out" if -code == signal.SIGKILL else ""
        return f"{signal.Signals(-code).name} ended the program that compresses{memory}"
    return f"the program that compresses failed: {lines[-1] if lines else f'exit code {code}'}"


def _changed(tree: Tree) -> tuple[list[tuple[str, Stamp]], list[str]]:
    """Files that have changed, with their former state; directories likewise."""
    files = [
        (name, was)
        for name, was in list(tree.files.items())
        if _stamp(f"{tree.precompressed.folder}/{name}") != was
    ]
    return files, [path for path, at in list(tree.folders.items()) if _is_changed(path, at)]


def _is_changed(folder: str, at: int) -> bool:
    try:
        return changed_at(folder) != at
    except PermissionError:
        return True


def _stamp(path: str) -> Stamp | None:
    try:
        return stamp(os.lstat(path))
    except OSError:
        return None


def _clear(parents: Iterable[Path], keep: Mapping[str, Precompressed] | tuple[()]) -> None:
    """Remove copies that no plan uses: hide them from the gateway at once, delete them a little later."""
    kept = {*keep, *(str(parent / _STORE) for parent in parents if _is_of_its_owner(parent / _STORE))}
    gone = []
    for path in (path for parent in parents if parent.is_dir() for path in list(parent.iterdir())):
        if str(path) not in kept:
            away = path.with_name(f".gone-{time.monotonic_ns()}")
            path.rename(away)
            gone.append(away)
    if gone:
        import threading

        def remove() -> None:
            for path in gone:
                untrusted.remove_tree(path)

        threading.Thread(target=remove, daemon=True).start()


def _is_of_its_owner(store: Path) -> bool:
    """The user who makes copies owns the parent directory, and cannot use a store that another user left there."""
    try:
        return store.lstat().st_uid == store.parent.stat().st_uid
    except OSError:
        return False
