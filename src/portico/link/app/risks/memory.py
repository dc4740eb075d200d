"""State in the memory of one process that a request in another worker does not see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from portico.link.app.objects import is_a, objects
from portico.link.app.risks.state import writes

_LIMITERS = {
    ("flask_limiter._extension", "Limiter"),
    ("flask_limiter.extension", "Limiter"),
    ("slowapi.extension", "Limiter"),
}
_COUNTS = ("limits.storage.memory", "MemoryStorage"), ("limits.aio.storage.memory", "MemoryStorage")
_CACHES = ("flask_caching.backends.simplecache", "SimpleCache"), ("cachelib.simple", "SimpleCache")
_ONE = "or run one worker, whose threads share it: --workers 1"
_MOST = 20


def memory(inner: Any, directory: Path) -> Iterator[dict[str, str]]:
    """Risks of the kind `memory`: module variables that requests write, and known in-memory stores."""
    yield from _stores(inner, directory)
    views = getattr(inner, "view_functions", None)
    for one in writes(directory, views.values() if isinstance(views, dict) else ())[:_MOST]:
        what = f"{one.name} is written by requests ({one.place}, in {one.function}): each worker has its own"
        yield risk(f"{one.name} ({one.place})", what, f"keep it in a database, in Redis or in a file; {_ONE}")


def risk(name: str, what: str, hint: str) -> dict[str, str]:
    """`name` is its name in `portico run`."""
    return {"kind": "memory", "what": what, "hint": hint, "name": name}


def _stores(inner: Any, directory: Path) -> Iterator[dict[str, str]]:
    every = {id(thing): (where, thing) for where, thing in _flat(objects(inner, directory))}
    for where, thing in every.values():
        if any(is_a(thing, names) for names in _LIMITERS):
            if any(is_a(getattr(thing, "_storage", None), names) for names in _COUNTS):
                what = f"the rate limiter ({where}) counts in memory: every worker has its own count"
                yield risk(
                    "the rate limiter's counts", what, f"give it a shared storage_uri, use [limits], {_ONE}"
                )
        elif any(is_a(thing, names) for names in _CACHES):
            what = f"the cache ({where}) is in memory: every worker has its own, and clearing it clears one"
            yield risk("the cache", what, f"use one that is shared: files, Redis, memcached; {_ONE}")


def _flat(found: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Also the content of an extension's set or dict: some have one entry for each object."""
    for where, thing in found:
        yield where, thing
        if where.startswith("app.extensions") and type(thing) in (set, list, dict):
            yield from ((where, one) for one in (thing.values() if isinstance(thing, dict) else thing))
