"""An httpd.conf with one line changed, and one for a second httpd beside the first."""

from __future__ import annotations

import re
from collections.abc import Callable

from portico.errors import Problem, UsageError
from portico.explain.change import Change
from portico.explain.httpd.names import canonical
from portico.explain.httpd.syntax import word

_MAIN = "httpd.conf"
_LISTEN = re.compile(r"(\s*Listen\s+)(\S+)(.*)", re.IGNORECASE)
_HOST = re.compile(r"(\s*<VirtualHost\s+)([^>]+)(>.*)", re.IGNORECASE)
_FILES = (
    "PidFile", "ScoreBoardFile", "ErrorLog", "CustomLog", "TransferLog", "GlobalLog", "CacheRoot",
    "SSLSessionCache", "SSLStaplingCache", "CacheLockPath", "Mutex", "HttpdSocket", "WSGISocketPrefix",
)  # fmt: skip
_RUNTIME = re.compile(r"(\s*DefaultRuntimeDir\s+).*", re.IGNORECASE)
_OWN_FILE = re.compile(rf"(\s*(?:{'|'.join(_FILES)})\s+)(.*)", re.IGNORECASE)
_PATH = re.compile(r'"?(?:file:|shmcb:|dbm:|fcntl:|flock:)?/[^\s"(]*"?')


def changed(lines: list[str], change: Change) -> tuple[list[str], str]:
    """The lines with the change, and the change in words. Raises UsageError."""
    name = canonical(change.name)
    found = [number for number, line in enumerate(lines, 1) if _name(line) == name]
    if change.line:
        if change.line not in found:
            where = ", ".join(map(str, found)) or "nowhere"
            raise UsageError(Problem("--at", f"line {change.line} is no {name}", f"it is at: {where}"))
        found = [change.line]
    if len(found) > 1:
        places = "\n".join(f"{_MAIN}:{n}  {lines[n - 1].strip()}" for n in found[:12])
        raise UsageError(Problem("", f"{name} is in {len(found)} places", f"choose one with --at:\n{places}"))
    if found:
        return _replaced(lines, change, found[0])
    if not change.text:
        raise UsageError(Problem("", f"there is no {name} to drop", "portico explain lists what is there"))
    end = _end_of_last_host(lines)
    return [*lines[:end], f"    {change.text}", *lines[end:]], f"added to the server: {change.text}"


def _replaced(lines: list[str], change: Change, number: int) -> tuple[list[str], str]:
    old = lines[number - 1]
    if old.lstrip().startswith("<"):
        hint = "change a line in it instead"
        raise UsageError(Problem(f"{_MAIN}:{number}", f"{change.name} is a block", hint))
    indent = old[: len(old) - len(old.lstrip())]
    last = number
    while last < len(lines) and lines[last - 1].endswith("\\"):
        last += 1
    new = [f"{indent}{change.text}"] if change.text else []
    what = f"changed to: {change.text}" if change.text else "dropped"
    return [*lines[: number - 1], *new, *lines[last:]], f"{_MAIN}:{number} {old.strip()} {what}"


def moved(lines: list[str], directory: str, free_port: Callable[[], int]) -> tuple[list[str], dict[str, str]]:
    """Replaces ports and files of the running one with others."""
    addresses, ports = dict[str, str](), dict[str, int]()
    for line in lines:
        if found := _LISTEN.fullmatch(line):
            port = found[2].rpartition(":")[2]
            ports.setdefault(port, free_port())
            addresses.setdefault(found[2], f"127.0.0.1:{ports[port]}")
    made, seen = list[str](), set[str]()
    for line in lines:
        if found := _LISTEN.fullmatch(line):
            address = addresses[found[2]]
            line = "" if address in seen else f"{found[1]}{address}{found[3]}"
            seen.add(address)
        elif found := _HOST.fullmatch(line):
            line = found[1] + " ".join(_moved_host(one, ports) for one in found[2].split()) + found[3]
        elif found := _RUNTIME.fullmatch(line):
            line = f"{found[1]}{directory}"
        elif found := _OWN_FILE.fullmatch(line):
            line = found[1] + _PATH.sub(lambda one: _below(one[0], directory), found[2])
        made.append(line)
    return made, addresses


def _moved_host(address: str, ports: dict[str, int]) -> str:
    """Any host: the second httpd listens on the loopback alone."""
    port = address.rpartition(":")[2]
    return f"*:{ports[port]}" if port in ports else address


def _below(path: str, directory: str) -> str:
    quote = '"' if path.startswith('"') else ""
    kind, slash, rest = path.strip('"').partition("/")
    name = rest.rstrip("/").rpartition("/")[2]
    return f"{quote}{kind}{directory}{slash}{name}{quote}"


def argv(binary: str, directory: str) -> list[str]:
    """The command for httpd with the files in `conf` of that directory; what is wrong with them goes to stderr."""
    return [binary, "-d", f"{directory}/conf", "-f", f"{directory}/conf/{_MAIN}", "-DFOREGROUND"]


def _name(line: str) -> str:
    return canonical(word(line)[0].removeprefix("<").rstrip(">"))


def _end_of_last_host(lines: list[str]) -> int:
    """Before the end of the last virtual host: the site's."""
    ends = [number for number, line in enumerate(lines) if line.strip().lower() == "</virtualhost>"]
    return ends[-1] if ends else len(lines)
