"""portico.toml and flags become Options: every mistake is reported with its place, nothing is guessed."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from portico.errors import Problem, UsageError
from portico.reading import ordinary
from portico.site import variables
from portico.site.checks.values import broken_rules
from portico.site.convert import convert
from portico.site.entries import entry_lines
from portico.site.keys import LIST, Key, flag_keys, keys, sections, table_keys
from portico.site.options import Options
from portico.site.options.access import Access
from portico.site.options.edge import Edge
from portico.site.options.route import Route
from portico.site.own.tables import TABLES
from portico.site.variants.platform import with_port, without_gateway

FILE = "portico.toml"
_TABLES: dict[str, type[Edge | Access | Route]] = {"routes": Edge, "access": Access, LIST: Route}
"""Tables that contain tables, and the list of tables."""
_EXAMPLES = {"routes": '[routes."/import"]', "access": '[access."/admin"]', LIST: f"[[{LIST}]]"}
_BY_ENTRY = tuple(key for table in TABLES for key in (table.above_key, table.server_key))
"""Options whose entries each have their own line in `causes`."""
_BY_NAME = ("headers.set",)
"""Tables whose names each have their own line in `causes`."""
_FLAG_NAMES = {"domains": "--domain"}
"""Flags with another name than their option, because each takes one value."""

_NOT_CONNECTIONS = (
    "it limits requests in progress; only the kernel can limit connections: docs/capacity.md has rules"
)
RENAMED = {
    "limits.connections": ("limits.in_progress", _NOT_CONNECTIONS),
    "limits.burst": ("a part of limits.rate", 'write rate = "10/second burst 20"'),
}
"""Renamed options, with the new name and the reason."""


def load(path: Path | None, flags: Mapping[str, Any]) -> tuple[Options, dict[str, str]]:
    """Reads the file, applies the environment and then the flags over it, checks everything.

    `path` is the portico.toml or None, `flags` maps a flag's name ("listen", "workers") to its text, or to a list of
    texts if the flag may be repeated. Returns the options and, for each key that was set, its origin
    ("portico.toml:3", "--listen", "PORT in the environment"); own directives have an origin for each entry. Raises
    UsageError with all problems found.
    """
    text = _read(path) if path else ""
    shown = path.name if path else FILE
    found = [*_from_file(text, shown), *_from_environment(os.environ), *_from_flags(flags)]
    problems = [item for item in found if isinstance(item, Problem)]
    values = _values(found)
    causes = {key.name: where for key, _, where in _settings(found)} | _of_entries(found, text, shown)
    if problems:
        raise UsageError(*problems)
    options = _build(values)
    broken = [
        Problem(_place(causes, rule.key), f"{rule.key}: {rule.what}", rule.hint)
        for rule in broken_rules(options)
    ]
    if broken:
        raise UsageError(*broken)
    return with_port(without_gateway(options), causes, os.environ)


def refusals(text: str) -> dict[str, str]:
    """What `load` would refuse in that text: the dotted key, and why. The environment has no part in it."""
    found = list(_from_file(text, FILE))
    problems = [item for item in found if isinstance(item, Problem)]
    if problems:
        return {one.what.partition(": ")[0]: f"{one.what}; {one.hint}".rstrip("; ") for one in problems}
    options = _build({key.name: value for key, value, _ in _settings(found)})
    return {rule.key: f"{rule.what}; {rule.hint}".rstrip("; ") for rule in broken_rules(options)}


def _values(found: list[_Found]) -> dict[str, Any]:
    """By key; of a table, a flag adds and replaces entries, and an empty one removes all."""
    values = dict[str, Any]()
    for key, value, _ in _settings(found):
        is_added = key.is_table and value  # an empty table is the whole: `--processes=`
        values[key.name] = values.get(key.name, {}) | value if is_added else value
    return values


_Set = tuple[Key, Any, str]
_Found = _Set | Problem


def _settings(found: list[_Found]) -> Iterator[_Set]:
    return (item for item in found if not isinstance(item, Problem))


def _read(path: Path) -> str:
    try:
        # Another user may have put a FIFO there, which would block root, and with it every site of a gateway.
        return ordinary(path).decode("utf-8") if os.geteuid() == 0 else path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(Problem(str(path), "no such file", "name an existing file with --config")) from None
    except OSError as error:
        raise UsageError(Problem(str(path), f"cannot be read: {error.strerror}")) from None
    except UnicodeDecodeError as error:
        raise UsageError(Problem(str(path), f"is not UTF-8 (byte {error.start})")) from None


def parsed(text: str) -> dict[str, Any]:
    """The document of a TOML file that another user may have written. Raises tomllib.TOMLDecodeError."""
    if found := _LONG_KEY.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise tomllib.TOMLDecodeError(f"A key has more than {_MOST_PARTS} parts (at line {line}, column 1)")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise tomllib.TOMLDecodeError("It is nested too deeply (at line 1, column 1)") from None


_MOST_PARTS = 64
_PART = r"(?:[\w-]++|\"[^\"\n]*+\"|'[^'\n]*+')"
_LONG_KEY = re.compile(rf"(?<![\w.-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{_MOST_PARTS},}}")
"""tomllib's memory grows with the square of a key's parts: 1.5 GB for 40 kB of "a.a.a"."""


def _from_file(text: str, shown: str) -> Iterator[_Found]:
    try:
        document = parsed(text)
    except tomllib.TOMLDecodeError as error:
        line = _toml_error_line(str(error), text)
        yield Problem(f"{shown}:{line}", f"not valid TOML: {error}")
        return
    lines = _lines_of_keys(text)
    for name, value, is_unknown in _flatten(document):
        where = f"{shown}:{lines.get(name) or lines.get(name.rpartition('.')[0], 1)}"
        if is_unknown:
            yield _unknown(where, name)
        elif _has_nul(value):
            yield _nul(where, name)
        else:
            yield _setting(_key(name), value, where, is_flag=False)


def _nul(where: str, name: str) -> Problem:
    hint = "leave it out: no name, path or pattern can contain it"
    return Problem(where, f"{name} has a NUL character", hint)


def _has_nul(value: Any) -> bool:
    """Whether a string in it does: nginx and the system take what is before a NUL for the whole."""
    if isinstance(value, dict):
        return any(_has_nul(one) for pair in value.items() for one in pair)
    return any(map(_has_nul, value)) if isinstance(value, list) else isinstance(value, str) and "\0" in value


def _of_entries(found: list[_Found], text: str, shown: str) -> dict[str, str]:
    """The origin of each line of own directives (`nginx.server[0]`) and of each header that is set."""
    lines = _lines_of_keys(text)
    causes = {
        name: f"{shown}:{lines[name]}"
        for key, value, _ in _settings(found)
        if key.name in _BY_NAME
        for name in (f"{key.name}.{one}" for one in value)
        if name in lines
    }
    for key, _, where in _settings(found):
        if key.name in _BY_ENTRY and where.startswith(f"{shown}:"):
            for number, of_entry in enumerate(entry_lines(text, int(where.rpartition(":")[2]))):
                causes[f"{key.name}[{number}]"] = "\n".join(f"{shown}:{line}" for line in of_entry)
    return causes


def _from_environment(environ: Mapping[str, str]) -> Iterator[_Found]:
    for key, value, is_flag in variables.given(environ):
        where = variables.cause(key.name)
        if _has_nul(value):
            yield _nul(where, key.name)
        else:
            yield _not_utf8(where, key, value) or _setting(key, value, where, is_flag=is_flag)


def _from_flags(flags: Mapping[str, Any]) -> Iterator[_Found]:
    named = flag_keys()
    for flag, value in flags.items():
        where = _FLAG_NAMES.get(flag, f"--{flag}")
        yield _not_utf8(where, named[flag], value) or _setting(named[flag], value, where, is_flag=True)


def _not_utf8(where: str, key: Key, value: Any) -> Problem | None:
    """A command-line word may contain any bytes; the files written from it are UTF-8."""
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        return Problem(where, f"{_hidden(key) or ascii(text)} is not UTF-8", "expected UTF-8 text")
    return None


def _flatten(document: Mapping[str, Any]) -> Iterator[tuple[str, Any, bool]]:
    """The dotted keys of a TOML document; a section given as a plain value sets its shorthand."""
    known = {key.name for key in keys()}
    for name, value in document.items():
        section = sections().get(name)
        if name in _TABLES:
            yield from _flatten_tables(name, value)
        elif section is None:
            yield name, value, name not in known
        elif isinstance(value, dict):
            for inner, innermost in value.items():
                yield f"{name}.{inner}", innermost, f"{name}.{inner}" not in known
        else:
            yield f"{name}.{section.shorthand}", value, False


def _flatten_tables(of: str, tables: Any) -> Iterator[tuple[str, Any, bool]]:
    """`routes./import.timeout`: the rule stands between the first dot and the last; in a list it is the number."""
    known = {key.name for key in table_keys()[of]}
    if not isinstance(tables, list if of == LIST else dict):
        yield f"{of}.", tables, True
        return
    if of == LIST:  # TOML refuses a list of tables with anything else in it, unless it stands in one line
        tables = {
            str(at): {"to": "", **one} if isinstance(one, dict) else one for at, one in enumerate(tables, 1)
        }
    for rule, table in tables.items():
        if not isinstance(table, dict):
            yield f"{of}.{rule}.", table, True
            continue
        for name, value in table.items():
            yield f"{of}.{rule}.{name}", value, name not in known


def _unknown(where: str, name: str) -> Problem:
    if name.endswith("."):
        hint = f"expected tables such as {_EXAMPLES[name.partition('.')[0]]}"
        return Problem(where, f"{name[:-1]}: is not a table", hint)
    if name in RENAMED:
        new, why = RENAMED[name]
        return Problem(where, f"{name}: is called {new}", why)
    section, _, last = name.rpartition(".")
    inside = f"{section}." if section else ""
    if table := _table_of(name):
        names = [key.name for key in table_keys()[table]]
    else:
        names = [key.name.removeprefix(inside) for key in keys() if key.name.startswith(inside)]
    names = sorted({other.partition(".")[0] for other in names})
    near = difflib.get_close_matches(last, names, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(names)}"
    return Problem(where, f"{name}: unknown key", hint)


def _setting(key: Key, value: Any, where: str, *, is_flag: bool) -> _Found:
    try:
        return key, convert(key, value, is_flag=is_flag), where
    except ValueError as error:
        shown = _hidden(key) or _shown(value, is_flag=is_flag)
        return Problem(where, f"{key.name}: {shown} is not valid", str(error))


def _hidden(key: Key) -> str:
    """What is shown of a value that may be secret; empty for any other."""
    return "the value" if key.name == "env" else ""


def _build(values: Mapping[str, Any]) -> Options:
    top = {name: value for name, value in values.items() if "." not in name}
    top |= {name: _tables(name, values) for name in _TABLES}
    top["domains"] = [name.lower() for name in top.get("domains", [])]  # a name in capitals is the same name
    top["canonical"] = top.get("canonical", "").lower()
    top[LIST] = [replace(one, host=[name.lower() for name in one.host]) for one in top[LIST].values()]
    for name, section in sections().items():
        prefix = f"{name}."
        inner = {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
        top[name] = section(**inner)
    return Options(**top)


def _tables(of: str, values: Mapping[str, Any]) -> dict[str, Edge | Access | Route]:
    tables: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        if _table_of(name) == of:
            rule, _, last = name.removeprefix(f"{of}.").rpartition(".")
            tables.setdefault(rule, {})[last] = value
    return {rule: _TABLES[of](**table) for rule, table in tables.items()}


def _table_of(name: str) -> str:
    """The table of tables that contains the key; empty for any other key."""
    table, dot, _ = name.partition(".")
    return table if dot and table in _TABLES else ""


def _key(name: str) -> Key:
    if table := _table_of(name):
        last = name.rpartition(".")[2]
        return replace(next(key for key in table_keys()[table] if key.name == last), name=name)
    return next(key for key in keys() if key.name == name)


def _place(causes: Mapping[str, str], key: str) -> str:
    return causes.get(key) or next((place for name, place in causes.items() if name.startswith(key)), FILE)


def _shown(value: Any, *, is_flag: bool) -> str:
    if isinstance(value, list):
        texts = ", ".join(_shown(item, is_flag=is_flag) for item in value)
        return texts if is_flag else f"[{texts}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def _toml_error_line(message: str, text: str) -> int:
    _, found, tail = message.partition("(at line ")
    return int(tail.partition(",")[0]) if found else text.count("\n") + 1


def _lines_of_keys(text: str) -> dict[str, int]:
    """The line of each key of a valid document; tomllib does not report them."""
    lines: dict[str, int] = {}
    table, listed = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if _IN_LIST.match(stripped):
            listed += 1
            table = f"{LIST}.{listed}."
            lines.setdefault(table.rstrip("."), number)
        elif stripped.startswith("["):
            table = stripped.strip("[] ").partition("]")[0].replace('"', "").replace("'", "").strip() + "."
            lines.setdefault(table.rstrip("."), number)
        elif "=" in stripped and not stripped.startswith("#"):
            name = stripped.partition("=")[0].strip().strip("\"'")
            lines.setdefault(table + name, number)
    return _with_shorthands(lines)


_IN_LIST = re.compile(rf"\[\[\s*{LIST}\s*\]\]")


def _with_shorthands(lines: dict[str, int]) -> dict[str, int]:
    short = {
        f"{name}.{section.shorthand}": lines[name] for name, section in sections().items() if name in lines
    }
    return short | lines
