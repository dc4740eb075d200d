"""The same site behind a second gateway, on a free loopback port, with a line of its files changed.

The app is the running one; the real gateway is not touched.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from portico.errors import PorticoError, Problem, UsageError
from portico.explain.change import Change
from portico.explain.language import Language, Setting
from portico.explain.languages import language_in
from portico.explain.node import Node
from portico.site.variables import without
from portico.watch.trace.evidence import Evidence, TracedSite

_START_SECONDS = 30.0


STEPS = {
    "cache": (Setting.CACHE,),
    "compression": (Setting.COMPRESSION,),
    "limit": (Setting.RATE, Setting.CONNECTIONS),
    "static": (Setting.FILES,),
}
"""What a step that can be dropped is called, and the settings that make it; without files, their location goes."""


def placed(change: Change, evidence: Evidence) -> Change:
    """The place that is in force for this request, if it is among several; for the name of a step that is dropped,
    the line that makes it. Raises UsageError if the request takes no such step.
    """
    if change.line:
        return change
    if not change.text and change.name in STEPS:
        node = _step(change.name, evidence)
        return replace(change, name=node.name, line=node.line)
    level = next((level for level in evidence.levels if level.all(change.name)), None)
    found = level.all(change.name) if level else []
    if len(found) == 1:
        return replace(change, line=found[0].line)
    if level and change.text:
        return _among(change, level, found)
    main = evidence.language.main
    around = tuple(level.line for level in evidence.levels if level.line and Path(level.file).name == main)
    return replace(change, around=around)


def _among(change: Change, level: Node, found: list[Node]) -> Change:
    """Of a directive that stands several times in one block: the one about the same thing, or one more."""
    same = [node for node in found if [*node.args[:1]] == change.text.split()[1:2]]
    if len(same) == 1:
        return replace(change, line=same[0].line)
    return replace(change, around=(level.line,), adds=True) if level.line and not same else change


def _step(name: str, evidence: Evidence) -> Node:
    """The line, or for files the location. Raises UsageError."""
    settings = STEPS[name]
    node = next((node for one in settings if (node := evidence.setting(one))), None)
    if settings == STEPS["static"]:
        location = evidence.verdict.location if evidence.verdict else None
        node = location if location and node and location.first(node.name) is node else None
    if node is None:
        hint = f"portico trace shows the steps; those that can be dropped are {', '.join(STEPS)}"
        raise UsageError(Problem("--drop", f"this request takes no step {name}", hint))
    return node


@contextmanager
def running(
    site: TracedSite, binary: str, change: Change | None
) -> Iterator[tuple[TracedSite, dict[str, str], str]]:
    """A second gateway; its directory, the mapping of addresses, and the change. Raises PorticoError."""
    language = language_in(site.conf)
    directory = Path(tempfile.mkdtemp(prefix="portico-"))
    try:
        _open_as(site.runtime, directory)
        conf = directory / "conf"
        conf.mkdir(
            0o700
        )  # keys are among the files: no other user may read them before each has its own mode
        _copied(site.conf.resolve(), conf)
        main = conf / language.main
        lines, what = main.read_text().splitlines(), ""
        if change:
            lines, what = language.changed(lines, change)
        moved, addresses = language.moved(lines, str(directory), _free_port)
        if not addresses:
            what, hint = "nothing would listen any more", "drop or change a line that leaves a server"
            raise UsageError(Problem("what-if", what, hint))
        main.write_text("\n".join(moved) + "\n")
        argv = language.argv(binary, str(directory))
        _test(language, argv, directory)
        argv = ["setpriv", "--pdeathsig", "TERM", "--", *argv]  # ends with this process, however that ends
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=without(os.environ)
        )
        try:
            _await(language, process, list(addresses.values()))
            private = replace(
                site,
                conf=conf,
                access_log=directory / "access.log",
                error_log=directory / "error.log",
            )
            yield private, addresses, what
        finally:
            process.terminate()
            process.wait(_START_SECONDS)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _open_as(runtime: Path, directory: Path) -> None:
    """The gateway's workers may be another user; nobody reads the copies and logs of the second one who may not read
    those of the first.
    """
    found = runtime.stat()
    if os.geteuid() == 0:
        os.chown(directory, -1, found.st_gid)
    directory.chmod(found.st_mode & 0o777)


def _copied(files: Path, to: Path) -> None:
    """Raises PorticoError: shutil would list each file that found no room."""
    try:
        shutil.copytree(files, to, dirs_exist_ok=True)
    except shutil.Error as error:
        why = str(error.args[0][0][2]).partition("] ")[2].partition(": ")[0]
        what = f"the gateway's files cannot be copied there: {why}"
        raise PorticoError(
            Problem(str(to.parent), what, "make room on that disk, or set TMPDIR to a directory on another")
        ) from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _test(language: Language, argv: list[str], directory: Path) -> None:
    done = subprocess.run(
        [*argv, *language.only_reads], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        words = done.stderr.replace(f"{directory}/conf/", "")
        raise PorticoError(Problem(language.name, "would not accept this", quote=words))


def _await(language: Language, process: subprocess.Popen[bytes], addresses: list[str]) -> None:
    ends = time.monotonic() + _START_SECONDS
    for address in addresses:
        host, _, port = address.rpartition(":")
        while process.poll() is None and time.monotonic() < ends:
            try:
                socket.create_connection((host, int(port)), 1).close()
                break
            except OSError:
                time.sleep(0.02)
    if process.poll() is not None:
        raise PorticoError(Problem(language.name, f"ended at once, with exit code {process.returncode}"))
