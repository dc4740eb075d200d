"""What the gateway has to know of a site whose app is in another container, as files. Pure.

No variable and no secret of the app is in them. What the app needs, it keeps of portico.toml itself
(`site.variants.platform`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from portico.site.facts import AppFacts, LeftFolder, StaticFolder
from portico.site.model import Site
from portico.site.options import Options
from portico.site.options.fleet import Fleet
from portico.site.options.node import Node
from portico.site.options.release import Release
from portico.site.options.workers import Workers
from portico.values import Address

_Folder = TypeVar("_Folder", StaticFolder, LeftFolder)


def of_gateway(site: Site, servers: list[str], facts: str, listen: Address | None) -> Options:
    """The options of the gateway in front of these servers; `facts` is the file with what the app says."""
    return replace(
        site.options,
        name=site.name,
        listen=listen or site.options.listen,
        app=None,
        user="",
        python="",
        workers=Workers(),
        release=Release(),
        processes={},
        env={},
        env_file=[],
        node=Node(),
        fleet=Fleet(),
        max_upload=site.max_upload,
        upstream=replace(site.options.upstream, servers=servers, facts=facts),
    )


def told(site: Site, homes: Mapping[str, str]) -> AppFacts:
    """What the gateway has to know of the app. `homes` are directories here, and where the image has them.

    Folders that the image does not have are left to the app.
    """
    facts = site.facts
    return AppFacts(
        app="",
        directory="",
        kind="remote",
        framework=facts.router,
        unicode=facts.unicode,
        static=list(_there(facts.static, homes)),
        left=list(_there(facts.left, homes)),
        never_kept=facts.never_kept,
        static_versions=facts.static_versions,
        static_max_age=facts.static_max_age,
        session_cookie=site.session_cookie,
        max_content_length=facts.max_content_length,
        routes=facts.routes,
    )


def _there(folders: list[_Folder], homes: Mapping[str, str]) -> Iterator[_Folder]:
    for one in folders:
        for here, there in homes.items():
            if one.folder == here or one.folder.startswith(f"{here}/"):
                yield replace(one, folder=f"{there}{one.folder.removeprefix(here)}")
                break


def json_of(facts: AppFacts) -> str:
    """What the gateway reads, without defaults."""
    return json.dumps(_said(facts), indent=2, ensure_ascii=False)


def toml(options: Options) -> Iterator[str]:
    """The lines of a portico.toml that says so; what is left out is a default."""
    yield from _table(_said(options), ())


def _said(value: Any) -> Any:
    """The value as TOML has it; of a struct only what is no default."""
    if isinstance(value, Struct) and not hasattr(value, "parse"):
        found = {}
        for field in msgspec.structs.fields(value):
            own = getattr(value, field.name)
            default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
            if own is not None and own != default:
                found[field.encode_name] = _said(own)
        return found
    if isinstance(value, dict):
        return {name: _said(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_said(one) for one in value]
    return value if isinstance(value, bool) or type(value) in (int, float) else str(value)


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    tables = {name: one for name, one in table.items() if isinstance(one, dict)}
    lists = {name: one for name, one in table.items() if isinstance(one, list) and any(map(_is_table, one))}
    for name, one in table.items():
        if name not in tables and name not in lists:
            yield f"{_key(name)} = {_value(one)}"
    for name, one in tables.items():
        inner = (*path, name)
        if not one or any(not isinstance(value, dict) for value in one.values()):
            yield from ("", f"[{'.'.join(map(_key, inner))}]")
        yield from _table(one, inner)
    for name, many in lists.items():
        for one in many:
            yield from ("", f"[[{'.'.join(map(_key, (*path, name)))}]]")
            yield from _table(one, (*path, name))


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else _value(name)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
