"""Headers of answers."""

from __future__ import annotations

import re

from portico.explain.nginx.adopt.work import Work
from portico.explain.node import Node

_AGE = re.compile(r"max-age=(\d+)")
_PLAIN = re.compile(r"[\x20-\x23\x25-\x7e]*")
_MOST_SECONDS = 730 * 86400
_ABOUT_ONE = frozenset(
    ("cache-control", "expires", "pragma", "vary", "x-request-id", "server", "set-cookie", "link")
)


def adopt_header(work: Work, node: Node, rules: tuple[str, ...]) -> None:
    """One header of the site, or of the rules of a location."""
    if node.name.endswith("_hide_header") and node.args and not rules:
        work.option(("headers", "remove"), (node.args[0],), node)
        return
    if node.name != "add_header" or len(node.args) < 2:
        _other(work, node, rules)
        return
    name, value = node.args[0], " ".join(node.args[1].split())
    low = name.lower()
    if low == "strict-transport-security":
        _hsts(work, node, value)
    elif low in ("alt-svc", "x-cache", "x-cache-status", "x-proxy-cache", "x-request-id"):
        work.built_in(node, "Portico sends it, or Cache-Status, where it applies")
    elif low == "x-xss-protection":
        work.improved(
            node,
            "browsers have removed the filter that it switched, because it could be turned against a page",
        )
    elif low in _ABOUT_ONE or low.startswith("access-control-") or not _PLAIN.fullmatch(value):
        _other(work, node, rules)
    else:
        differs = "the app's own value wins, and the header is sent once" if not rules else ""
        for rule in rules:
            work.option(("routes", rule, "headers", name), value, node, differs)
        if not rules:
            work.option(("headers", "set", name), value, node, differs)


def _hsts(work: Work, node: Node, value: str) -> None:
    found = _AGE.search(value)
    age = min(int(found[1]), _MOST_SECONDS) if found else 0
    low = value.lower()
    if "preload" in low and age >= 365 * 86400:
        work.option(("https", "hsts"), "preload", node)
    elif age and "includesubdomains" not in low and work.view.is_tls:
        days, rest = divmod(age, 86400)
        work.option(("https", "hsts"), f"{days}d" if not rest else f"{age}s", node)
    elif age and work.view.is_tls:
        work.keep(node)
    else:
        work.improved(node, "browsers ignore it on plain HTTP; with HTTPS Portico sends it: https.hsts")


def _other(work: Work, node: Node, rules: tuple[str, ...]) -> None:
    if rules:
        work.lost(
            node,
            "a route of Portico's sets no such header",
            "let the app send it; cache and private of [routes] set Cache-Control",
        )
    elif node.name == "expires":
        work.lost(
            node,
            "the app decides how long its pages may be stored",
            "let the app send Cache-Control, or set cache of a route",
        )
    else:
        work.keep(node)
