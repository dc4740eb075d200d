"""Middleware that reads proxy headers: how many proxies it trusts, and which prefix it adds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from portico.link.app.objects import is_a

_WERKZEUG = ("werkzeug.middleware.proxy_fix", "ProxyFix")
_HYPERCORN = ("hypercorn.middleware.proxy_fix", "ProxyFixMiddleware")
_PASTE = ("paste.deploy.config", "PrefixMiddleware")
_COUNTED = ("x_for", "x_proto", "x_host", "x_prefix")


def settings(layers: Iterable[Any], inner: Any) -> dict[str, Any]:
    """The settings, each once."""
    found = [*_wrapped(layers), *_of_starlette(inner)]
    return {"layers": found} if found else {}


def _wrapped(layers: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for thing in layers:
        if is_a(thing, _WERKZEUG):
            yield {"name": "ProxyFix", "counts": {name: int(getattr(thing, name, 0)) for name in _COUNTED}}
        elif is_a(thing, _HYPERCORN) and thing.mode == "legacy":
            yield {"name": "ProxyFixMiddleware", "counts": {"trusted_hops": int(thing.trusted_hops)}}
        elif is_a(thing, _PASTE):
            yield {"name": "PrefixMiddleware", "prefix": str(thing.prefix), "scheme": str(thing.scheme or "")}


def _of_starlette(inner: Any) -> Iterator[dict[str, Any]]:
    for one in getattr(inner, "user_middleware", None) or ():
        made_of = getattr(one, "cls", None)
        if (getattr(made_of, "__module__", ""), getattr(made_of, "__name__", "")) != _HYPERCORN:
            continue
        if one.kwargs.get("mode", "legacy") == "legacy":
            yield {
                "name": "ProxyFixMiddleware",
                "counts": {"trusted_hops": int(one.kwargs.get("trusted_hops", 1))},
            }
