"""The configuration for people who run nginx without Portico: a file for each subject, with the reasons as comments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from portico.plan.files import File, Line
from portico.plan.gateway.nginx.main import tree
from portico.plan.gateway.nginx.syntax import Directive, directive, render_commented
from portico.plan.web.model import Web

_SUBJECTS = {
    "types.conf": (("types", "default_type", "types_hash_max_size"), "the type of each file ending"),
    "maps.conf": (("map", "geo", "split_clients"), "variables that follow from others"),
    "log.conf": (("log_format", "access_log"), "one line of JSON for each request"),
}
"""The directives of `http` that have a file of their own."""
_LONG = 20
"""Lines of what the app is told from which they have a file of their own."""


def plain_files(web: Web) -> tuple[File, ...]:
    """nginx.conf and the files that it includes."""
    top, apart = list[Directive](), dict[str, list[Directive]]()
    for item in tree(web):
        if item.name == "daemon":
            top.append(
                directive("daemon", "off", why="in the foreground: systemd, or the file start, watches it")
            )
        elif item.name == "http" and item.block is not None:
            top.append(replace(item, block=tuple(_http(item.block, apart))))
        else:
            top.append(item)
    return (
        _file("nginx.conf", "nginx: its processes, limits and servers", top),
        *(_file(name, _about(name), lines) for name, lines in apart.items()),
    )


def _about(name: str) -> str:
    return (
        _SUBJECTS[name][1]
        if name in _SUBJECTS
        else "what the app is told of each request, and what it is not told"
    )


def _http(items: Iterable[Directive], apart: dict[str, list[Directive]]) -> Iterator[Directive]:
    """What stays in nginx.conf; the rest is collected by file."""
    for item in items:
        name = next((name for name, (names, _) in _SUBJECTS.items() if item.name in names), "")
        if name:
            if name not in apart:
                yield _include(name)
            apart.setdefault(name, []).append(item)
        elif item.name == "server" and item.block is not None:
            yield replace(item, block=tuple(_server(item.block, apart)))
        else:
            yield item


def _server(items: tuple[Directive, ...], apart: dict[str, list[Directive]]) -> Iterator[Directive]:
    told = [item for item in items if _tells(item)]
    if len(told) < _LONG:
        yield from items
        return
    name = next((name for name, lines in apart.items() if lines == told), "")
    name = name or f"app{sum(one.startswith('app') for one in apart) + 1}.conf"
    apart[name] = told
    is_said = False
    for item in items:
        if not _tells(item):
            yield item
        elif not is_said:
            is_said = True
            yield _include(name)


def _tells(item: Directive) -> bool:
    return item.verbatim is None and item.name.endswith(("_param", "_set_header"))


def _include(name: str) -> Directive:
    return directive("include", name, why=_about(name))


def _file(path: str, about: str, lines: Iterable[Directive]) -> File:
    """Private, as nginx.conf is: it may name what others should not know."""
    heading = Line(f"# {about}")
    return File(path, (heading, Line(""), *render_commented(lines)), mode=0o600)
