"""Reads an nginx configuration with all its includes; crossplane parses each file.

Another user may have written the files: an include that has no end, a device, a huge file and a NUL are problems, each
with its place. With whose rights files are read is the caller's part (`reading.as_user`).
"""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from portico.errors import PorticoError, Problem
from portico.explain.node import Node
from portico.plan.gateway.nginx.syntax import quote
from portico.reading import ordinary
from portico.site.own.nginx.syntax import unescaped

_LONGEST = 4 << 20
_MOST_FILES = 2000
_DEEPEST = 20
_ENDS_A_WORD = re.compile(r"[\s;{}]")
_NGINXS = "/etc/nginx"
"""Where nginx looks for relative includes, also of a file that was copied from there."""


def read(path: Path) -> Node:
    """The configuration as one tree, with includes in their place. Raises PorticoError for an invalid one."""
    root, problems = read_partly(path)
    if problems:
        raise PorticoError(*problems)
    return root


def read_partly(path: Path) -> tuple[Node, tuple[Problem, ...]]:
    """What can be read, and a problem for each include that cannot. Raises PorticoError if the file itself cannot."""
    reading = _Reading(path.parent)
    nodes = reading.file(path, "", ())
    if reading.files <= 1 and not nodes and reading.problems:
        raise PorticoError(*reading.problems)
    return Node("", (), str(path), 0, tuple(nodes)), tuple(reading.problems)


class _Reading(Struct):
    """One reading of a configuration; relative includes begin at `directory`."""

    directory: Path
    problems: list[Problem] = field(default_factory=list)
    files: int = 0

    def file(self, path: Path, where: str, above: tuple[Path, ...]) -> list[Node]:
        """The directives of a file and of its includes; `where` is the include that names it."""
        if why := self._endless(path, above):
            self.problems.append(Problem(where, f"{path} {why}", "remove that include"))
            return []
        self.files += 1
        if what := _unreadable(path):
            self.problems.append(Problem(where or str(path), f"{path} {what}" if where else what))
            return []
        import crossplane

        payload = crossplane.parse(
            str(path), catch_errors=True, check_ctx=False, check_args=False, comments=False, single=True
        )
        found = [_problem(error) for error in payload["errors"]]
        self.problems += found
        return self._nodes(payload["config"][0]["parsed"], str(path), (*above, path))

    def _endless(self, path: Path, above: tuple[Path, ...]) -> str:
        if path in above:
            return "includes itself"
        if len(above) >= _DEEPEST:
            return f"is nested in {_DEEPEST} includes, which is the limit"
        return f"is one of more than {_MOST_FILES} files" if self.files >= _MOST_FILES else ""

    def _nodes(self, parsed: list[Any], file: str, above: tuple[Path, ...]) -> list[Node]:
        made = []
        for item in parsed:
            args, line = tuple(unescaped(word) for word in item["args"]), item["line"]
            block = item.get("block")
            if item["directive"] == "include" and block is None:
                made.append(Node("include", args, file, line))
                made += self._included(args, f"{file}:{line}", above)
                continue
            children = None if block is None else tuple(self._nodes(block, file, above))
            if item["directive"] == "if":  # crossplane removes the parentheses
                args = (f"({' '.join(map(_word, args))})",)
            name = unescaped(item["directive"])  # the key of a map is one, too
            made.append(Node(name, args, file, line, children))
        return made

    def _included(self, args: tuple[str, ...], where: str, above: tuple[Path, ...]) -> list[Node]:
        if len(args) != 1 or "\0" in args[0]:
            self.problems.append(Problem(where, "include names no file", "expected one path, or one pattern"))
            return []
        paths = self._paths(args[0])
        if not paths and not glob.has_magic(args[0]):
            self.problems.append(Problem(where, f"there is no {args[0]}", "nginx -t says more"))
        return [node for path in paths for node in self.file(path, where, above)]

    def _paths(self, pattern: str) -> list[Path]:
        """The files of an include, as nginx orders them."""
        above = [one for one in self.directory.parents if one.name == "nginx"]
        for base in (self.directory, *above, Path(_NGINXS)):
            name = str(base / pattern)
            found = sorted(glob.glob(name)) if glob.has_magic(pattern) else [name]  # noqa: PTH207  as nginx
            if paths := [Path(one) for one in found if _exists(Path(one))]:
                return paths
        return []


def _word(text: str) -> str:
    """A word of a condition, with quotes if it needs them."""
    return quote(text) if _ENDS_A_WORD.search(text) else text


def _exists(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # it cannot be looked at: `file` says why
    return True


def _unreadable(path: Path) -> str:
    """Why a file is no configuration, in words; empty if it may be one."""
    try:
        content = ordinary(path)
    except (OSError, ValueError) as error:
        return f"cannot be read: {getattr(error, 'strerror', '') or error}"
    if len(content) > _LONGEST:
        return f"has more than {_LONGEST >> 20} MiB: it is no configuration"
    return "has a NUL character: it is no configuration" if b"\0" in content else ""


def _problem(error: dict[str, Any]) -> Problem:
    line = f":{error['line']}" if error.get("line") else ""
    what = str(error["error"]).removesuffix(f" in {error['file']}{line}")
    if "recursion depth" in what:
        what = "is nested too deeply"
    place = f"{error['file']}{line}"
    if not what:
        return Problem(place, "ends within a directive", "expected a configuration of nginx or Apache httpd")
    return Problem(place, what, "nginx -t says more")
