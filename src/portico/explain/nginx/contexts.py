"""In which blocks a directive of nginx may stand, as crossplane knows it from nginx's sources."""

from __future__ import annotations

from functools import cache

MAIN = ""
"""Outside all blocks."""
_PATHS = {MAIN: (), "http": ("http",), "server": ("http", "server"), "location": ("http", "location")}


def may_stand_in(name: str, block: str) -> bool:
    """Whether `name` may be in such a block of HTTP, or at the main level. False for directives that are not known."""
    path = _PATHS.get(block)
    known, contexts = _tables()
    return path is not None and any(mask & contexts[path] for mask in known.get(name, ()))


@cache
def _tables() -> tuple[dict[str, list[int]], dict[tuple[str, ...], int]]:
    """Imported when it is needed: it takes 30 ms."""
    from crossplane.analyzer import CONTEXTS, DIRECTIVES

    return DIRECTIVES, CONTEXTS
