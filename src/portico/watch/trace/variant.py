"""The same site behind a second nginx of its own, on a free loopback port, with one line of its configuration changed.

The app is the running one; the gateway that people use is not touched.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from portico.errors import PorticoError, Problem, UsageError
from portico.explain.words import TABLES
from portico.watch.trace.evidence import Evidence, TracedSite

_START_SECONDS = 30.0
_LISTEN = re.compile(r"(\s*listen )(\S+?)((?: [^;]*)?;)")
_OWN_FILE = re.compile(r"(\s*(?:pid|error_log|access_log|\w+_temp_path|\w+_cache_path) )([^;\s]+)(.*;)")
_ONLY_ONCE = re.compile(r" (?:backlog=\d+|ipv6only=\w+|reuseport)")


@dataclass(frozen=True)
class Change:
    """What is to be different: `text` replaces the directive, empty drops it; `line` 0: there is only one."""

    name: str
    text: str
    line: int = 0

    @classmethod
    def parse(cls, words: str, at: str = "", *, drops: bool = False) -> Change:
        """`gzip off`, or `gzip` to drop it; `at` is a line: `nginx.conf:92` or `92`. Raises UsageError."""
        text = words.strip().rstrip(";").strip()
        number = at.rpartition(":")[2]
        if not text or any(char in text for char in "{}\n"):
            hint = "expected a directive, like 'gzip off', or its name with --drop"
            raise UsageError(Problem("", f'"{words}" is no change', hint))
        if at and not number.isdigit():
            raise UsageError(Problem("--at", f'"{at}" is no line', "expected nginx.conf:92"))
        return cls(text.split()[0], "" if drops else text, int(number) if at else 0)

    def where(self, evidence: Evidence) -> Change:
        """Of several places the one that is in force for this request, if it is one."""
        if self.line or evidence.verdict is None:
            return self
        location, server = evidence.verdict.location, evidence.verdict.server
        above = next((above for node, above in server.walk() if node is location), ())
        levels = [location, *reversed(above), server, *evidence.root.all("http"), evidence.root]
        found = next((here for level in levels if level and (here := level.all(self.name))), [])
        return replace(self, line=found[0].line) if len(found) == 1 else self

    def applied(self, lines: list[str]) -> tuple[list[str], str]:
        """The lines with the change, and what was done in words. Raises UsageError."""
        found = _places(lines, self.name)
        if self.line:
            if self.line not in found:
                where = ", ".join(map(str, found)) or "nowhere"
                raise UsageError(Problem("--at", f"line {self.line} is no {self.name}", f"it is at: {where}"))
            found = [self.line]
        if len(found) > 1:
            places = "\n".join(f"nginx.conf:{n}  {lines[n - 1].strip()}" for n in found[:12])
            raise UsageError(
                Problem("", f"{self.name} is in {len(found)} places", f"choose one with --at:\n{places}")
            )
        if found:
            return self._replaced(lines, found[0])
        if not self.text:
            raise UsageError(
                Problem("", f"there is no {self.name} to drop", "portico explain lists what is there")
            )
        end = _end_of_last_server(lines)
        return [*lines[:end], f"        {self.text};", *lines[end:]], f"added to the server: {self.text}"

    def _replaced(self, lines: list[str], number: int) -> tuple[list[str], str]:
        old = lines[number - 1]
        if old.rstrip().endswith("{"):
            raise UsageError(
                Problem(f"nginx.conf:{number}", f"{self.name} is a block", "change a line in it instead")
            )
        indent = old[: len(old) - len(old.lstrip())]
        new = [f"{indent}{self.text};"] if self.text else []
        what = f"changed to: {self.text}" if self.text else "dropped"
        return [*lines[: number - 1], *new, *lines[number:]], f"nginx.conf:{number} {old.strip()} {what}"


@contextmanager
def running(
    site: TracedSite, nginx: str, change: Change | None
) -> Iterator[tuple[TracedSite, dict[str, str], str]]:
    """A second nginx; where it lives, which address became which, and what was changed. Raises PorticoError."""
    directory = Path(tempfile.mkdtemp(prefix="portico-"))
    directory.chmod(0o755)  # nginx's workers may be another user
    try:
        conf = directory / "conf"
        conf.mkdir(0o700)  # keys are among the files: nobody else looks in before each has its own mode
        shutil.copytree(site.conf.parent.resolve(), conf, dirs_exist_ok=True)
        lines, what = (conf / "nginx.conf").read_text().splitlines(), ""
        if change:
            lines, what = change.applied(lines)
        moved, addresses = _moved(lines, directory)
        (conf / "nginx.conf").write_text("\n".join(moved) + "\n")
        argv = [
            nginx,
            "-p",
            str(directory),
            "-c",
            str(conf / "nginx.conf"),
            "-e",
            str(directory / "error.log"),
        ]
        _test(argv, directory)
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _await(process, list(addresses.values()))
            private = replace(
                site,
                conf=conf / "nginx.conf",
                access_log=directory / "access.log",
                error_log=directory / "error.log",
            )
            yield private, addresses, what
        finally:
            process.terminate()
            process.wait(_START_SECONDS)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _moved(lines: list[str], directory: Path) -> tuple[list[str], dict[str, str]]:
    """Ports and files of its own instead of those of the running one."""
    addresses, made = dict[str, str](), list[str]()
    for line in lines:
        if found := _LISTEN.fullmatch(line):
            address = addresses.setdefault(found[2], f"127.0.0.1:{_free_port()}")
            line = f"{found[1]}{address}{_ONLY_ONCE.sub('', found[3])}"
        elif (found := _OWN_FILE.fullmatch(line)) and found[2] != "off":
            line = f"{found[1]}{directory}/{Path(found[2]).name}{found[3]}"
        made.append(line)
    return made, addresses


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _test(argv: list[str], directory: Path) -> None:
    done = subprocess.run(
        [*argv, "-t"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        words = done.stderr.replace(f"{directory}/conf/", "")
        raise PorticoError(Problem("nginx", "would not accept this", quote=words))


def _await(process: subprocess.Popen[bytes], addresses: list[str]) -> None:
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
        raise PorticoError(Problem("nginx", f"ended at once, with exit code {process.returncode}"))


def _places(lines: list[str], name: str) -> list[int]:
    """The numbers of the lines on which a directive of that name begins; a row of a table is none."""
    found, table = [], False
    for number, line in enumerate(lines, 1):
        if not table and _name(line) == name:
            found.append(number)
        if line.rstrip().endswith("{"):
            table = _name(line) in TABLES
        elif line.strip() == "}":
            table = False
    return found


def _name(line: str) -> str:
    return line.strip().partition(" ")[0].rstrip(";{")


def _end_of_last_server(lines: list[str]) -> int:
    """Before the brace that closes the last server: the site's."""
    begins = max((n for n, line in enumerate(lines) if line.strip() == "server {"), default=0)
    indent = len(lines[begins]) - len(lines[begins].lstrip()) if lines else 0
    closing = " " * indent + "}"
    return next((n for n in range(begins, len(lines)) if lines[n] == closing), len(lines))
