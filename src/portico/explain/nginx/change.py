"""An nginx.conf with one line changed, and one for a second nginx beside the first."""

from __future__ import annotations

import re
from collections.abc import Callable

from portico.errors import Problem, UsageError
from portico.explain.change import Change, not_a_change
from portico.explain.nginx.contexts import MAIN, may_stand_in
from portico.explain.nginx.words import TABLES

_LISTEN = re.compile(r"(\s*listen\s+)(\S+?)((?:\s[^;]*)?;)")
_OWN_FILE = re.compile(r"(\s*(?:pid|error_log|access_log|\w+_temp_path|\w+_cache_path)\s+)([^;\s]+)(.*;)")
_QUOTED = re.compile(r"""\\.|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'""")
_OF_THE_PROCESS = ("daemon", "master_process")
_ONLY_ONCE = re.compile(r" (?:backlog=\d+|ipv6only=\w+|reuseport)")


def changed(lines: list[str], change: Change) -> tuple[list[str], str]:
    """The lines with the change, and the change in words. Raises UsageError."""
    if re.search(r"[{}]", change.text or change.name) or ";" in _QUOTED.sub("", change.text):
        raise not_a_change(change.text or change.name)
    if change.name in _OF_THE_PROCESS:
        what = (
            f"{change.name} cannot be changed: nginx would not end with this command, or would serve as root"
        )
        raise UsageError(Problem("", what, "it changes nothing about a request"))
    found = [] if change.adds else _places(lines, change.name)
    if change.line:
        if change.line not in found:
            where = ", ".join(map(str, found)) or "nowhere"
            raise UsageError(Problem("--at", f"line {change.line} is no {change.name}", f"it is at: {where}"))
        found = [change.line]
    if len(found) > 1:
        places = "\n".join(f"nginx.conf:{n}  {lines[n - 1].strip()}" for n in found[:12])
        raise UsageError(
            Problem("", f"{change.name} is in {len(found)} places", f"choose one with --at:\n{places}")
        )
    if found:
        return _replaced(lines, change, found[0])
    if not change.text:
        raise UsageError(
            Problem("", f"there is no {change.name} to drop", "portico explain lists what is there")
        )
    begin = next((begin for begin in change.around if may_stand_in(change.name, _name(lines[begin - 1]))), 0)
    if begin:
        return _added(lines, change.text, begin)
    if change.around and may_stand_in(change.name, MAIN):
        return [f"{change.text};", *lines], f"added to the main level: {change.text}"
    end = _end_of_last_server(lines)
    return [*lines[:end], f"        {change.text};", *lines[end:]], f"added to the server: {change.text}"


def _added(lines: list[str], text: str, begin: int) -> tuple[list[str], str]:
    """At the end of the block that begins at this line."""
    end, old = _end(lines, begin), lines[begin - 1]
    indent = " " * (len(old) - len(old.lstrip()) + 4)
    block = old.strip().rstrip("{").rstrip()
    return [
        *lines[: end - 1],
        f"{indent}{text};",
        *lines[end - 1 :],
    ], f"added to {block} (nginx.conf:{begin}): {text}"


def _end(lines: list[str], begin: int) -> int:
    """The line that closes the block that begins at that one."""
    old = lines[begin - 1]
    closing = " " * (len(old) - len(old.lstrip())) + "}"
    return next(
        (number for number in range(begin + 1, len(lines) + 1) if lines[number - 1] == closing), len(lines)
    )


def _replaced(lines: list[str], change: Change, number: int) -> tuple[list[str], str]:
    old = lines[number - 1]
    if old.rstrip().endswith("{") and not change.text:
        return [
            *lines[: number - 1],
            *lines[_end(lines, number) :],
        ], f"nginx.conf:{number} {old.strip()} ... }} dropped"
    if old.rstrip().endswith("{"):
        raise UsageError(
            Problem(f"nginx.conf:{number}", f"{change.name} is a block", "change a line in it instead")
        )
    indent = old[: len(old) - len(old.lstrip())]
    new = [f"{indent}{change.text};"] if change.text else []
    what = f"changed to: {change.text}" if change.text else "dropped"
    return [*lines[: number - 1], *new, *lines[number:]], f"nginx.conf:{number} {old.strip()} {what}"


def moved(lines: list[str], directory: str, free_port: Callable[[], int]) -> tuple[list[str], dict[str, str]]:
    """Replaces ports and files of the running one with others."""
    addresses, made = dict[str, str](), list[str]()
    for line in lines:
        if found := _LISTEN.fullmatch(line):
            address = addresses.setdefault(found[2], f"127.0.0.1:{free_port()}")
            line = f"{found[1]}{address}{_ONLY_ONCE.sub('', found[3])}"
        elif (found := _OWN_FILE.fullmatch(line)) and found[2] != "off":
            line = f"{found[1]}{directory}/{found[2].rpartition('/')[2]}{found[3]}"
        made.append(line)
    return made, addresses


def argv(binary: str, directory: str) -> list[str]:
    """The command for nginx with the files in `conf` of that directory."""
    conf, log = f"{directory}/conf/nginx.conf", f"{directory}/error.log"
    return [binary, "-p", directory, "-c", conf, "-e", log]


def _places(lines: list[str], name: str) -> list[int]:
    """The line numbers of the directives with that name; a row of a table is not a directive."""
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
