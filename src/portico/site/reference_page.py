"""The page docs/reference.md: every option, generated from the declaration."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from portico.site.keys import Key, access_keys, flag_keys, keys, purpose, route_keys, rule_keys, sections
from portico.site.options.access import Access
from portico.site.options.edge import Edge
from portico.site.options.route import Route
from portico.site.variables import USER, variable


def reference_page() -> str:
    """The page docs/reference.md."""
    lines = [
        "# Every option",
        "",
        "Generated from `src/portico/site/options/` by `make docs`. Every key of `portico.toml` is optional;",
        "each is also a flag, and a variable of the environment ([environment.md](environment.md#options-of-portico)).",
        "A table may be given as a plain value, which then means the key marked *short*: `workers = 4`,",
        '`nginx = "system"`.',
        "",
    ]
    lines += _index()
    for key in keys():
        lines += _section_head(key) + _entry(key)
    lines += ['## [access."/admin"]', "", purpose(Access), ""]
    lines += [
        "One table a path, which may have placeholders; see [access.md](access.md). There is no flag.",
        "",
    ]
    lines += [line for key in access_keys() for line in _route_entry("access.<path>", key)]
    lines += ["## [[route]]", "", purpose(Route), ""]
    lines += ["One table a rule; see [routing.md](routing.md). There is no flag.", ""]
    lines += [line for key in rule_keys() for line in _route_entry("route", key)]
    lines += ['## [routes."/import/<int:id>"]', "", purpose(Edge), ""]
    lines += ["One table a URL rule, in Flask's spelling; see [routes.md](routes.md). There is no flag.", ""]
    lines += ["Each key of `[access]` is allowed here, too, and applies to this route alone.", ""]
    own = [key for key in route_keys() if key not in access_keys()]
    return "\n".join([*lines, *(line for key in own for line in _route_entry("routes.<rule>", key))])


def _index() -> list[str]:
    """The options by section, each a link."""
    by_section: dict[str, list[str]] = {}
    for key in keys():
        section, _, last = key.name.rpartition(".")
        by_section.setdefault(section, []).append(f"[{last}](#{_anchor(key)})")
    rows = [
        f"| {f'`[{name}]`' if name else 'site'} | {' · '.join(links)} |" for name, links in by_section.items()
    ]
    return [
        "| section | options |",
        "|---|---|",
        *rows,
        '| `[access."..."]` | [access to paths](#accessadmin) |',
        "| `[[route]]` | [requests that go elsewhere](#route) |",
        '| `[routes."..."]` | [one route](#routesimportintid) |',
        "",
    ]


def _anchor(key: Key) -> str:
    """The anchor that GitHub makes of the heading."""
    section = sections().get(key.name.partition(".")[0])
    is_short = section is not None and key.name.endswith(f".{section.shorthand}")
    return key.name.replace(".", "") + ("-short" if is_short else "")


def default_of(key: Key) -> str:
    """The default as text: the value, or the help's description of it."""
    if said := _DEFAULT.search(key.help):
        return said[1]
    return "none" if key.default in (None, "") else f"`{shown(key.default)}`"


_DEFAULT = re.compile(r"Default: (.+)\.$")


def shown(value: Any) -> str:
    """A value in the syntax of portico.toml."""
    if value is None:
        return "(see the text)"
    if isinstance(value, dict):
        return (
            "{ " + ", ".join(f'"{name}" = "{item}"' for name, item in value.items()) + " }" if value else "{}"
        )
    if isinstance(value, bool | list) or type(value) in (int, float):
        return json.dumps(value)
    return f'"{value}"'


def _section_head(key: Key) -> list[str]:
    name, _, last = key.name.partition(".")
    section = sections().get(name)
    first = section and next(iter(msgspec.structs.fields(section))).name == last
    return [f"## [{name}]", "", purpose(section), ""] if section and first else []


def _entry(key: Key) -> list[str]:
    section = sections().get(key.name.partition(".")[0])
    is_short = section is not None and key.name.endswith(f".{section.shorthand}")
    flag = next(flag for flag, owner in flag_keys().items() if owner.name == key.name)
    short = " *(short)*" if is_short else ""
    lines = [
        f"### `{key.name}`{short}",
        "",
        _DEFAULT.sub("", key.help).strip(),
        "",
        f"Default: {default_of(key)}. Example `{_assignment(key)}`. Flag `--{flag}`. Type: {key.expected}.",
        f"Variable `{variable(key.name)}`{_WEAKER if variable(key.name) == USER else ''}.",
    ]
    return [*lines, *_rights(key), *([f"Source: <{key.source}>"] if key.source else []), ""]


_WEAKER = ", where neither a flag nor portico.toml names one"


def _rights(key: Key) -> list[str]:
    """Who must own the file for Portico as root to accept the option, see docs/users.md."""
    if key.reach:
        return [f"As root: only from a file that root alone can change ([users.md](users.md)); {key.reach}."]
    if key.is_read:
        return ["As root: used with the rights of the app's user ([users.md](users.md))."]
    return []


def _route_entry(table: str, key: Key) -> list[str]:
    default = "none" if key in access_keys() else "the site's" if key.default is None else default_of(key)
    return [
        f"### `{table}.{key.name}`",
        "",
        key.help,
        "",
        f"Default: {default}. Example `{_assignment(key)}`. Type: {key.expected}.",
        "",
    ]


def _assignment(key: Key) -> str:
    return f"{key.name.rpartition('.')[2]} = {shown(key.example)}"
