"""Times, sizes, buffering and caching: of the site, or of the rules of one location."""

from __future__ import annotations

import re
from collections.abc import Callable

from portico.explain.adopted import Fate
from portico.explain.nginx.adopt.cache import adopt_cache
from portico.explain.nginx.adopt.dropped import dropped
from portico.explain.nginx.adopt.headers import adopt_header
from portico.explain.nginx.adopt.limits import adopt_limit
from portico.explain.nginx.adopt.quantities import bytes_of, duration, seconds, size
from portico.explain.nginx.adopt.told import adopt_told
from portico.explain.nginx.adopt.work import Work
from portico.explain.node import Node

Adopt = Callable[[Work, Node, tuple[str, ...]], None]
Rules = tuple[str, ...]
"""The rules of a location in `[routes]`; none: the whole site."""
_FAMILY = r"(?:proxy|uwsgi|fastcgi|scgi|grpc)"
_MOST_SECONDS = 3600
_UNLIMITED = "1024GiB"
_DEFAULT_TIMEOUT = "60s"


def adopt_setting(work: Work, node: Node, rules: Rules) -> None:
    """One directive of a server, of http, or of a location that passes requests to the app of the site."""
    if node not in work.seen:
        found = (adopt for names, adopt in _TABLE if names.fullmatch(node.name))
        next(found, _other)(work, node, rules)


def defaults(work: Work) -> None:
    """What nginx does where nothing is set: 60 s for an answer, as here; 1 MiB for a body."""
    if ("max_upload",) not in work.draft.options and work.target is not None:
        text = "client_max_body_size is 1m by default"
        why = "bodies of 16 MiB are accepted, or what the app itself sets: max_upload"
        work.draft.remark(Fate.IMPROVED, work.view.node.place, text, why)
    if ("request_timeout",) not in work.draft.options and work.target is not None:
        work.draft.set(
            ("request_timeout",),
            _DEFAULT_TIMEOUT,
            work.target.node.place,
            f"{work.target.family}_read_timeout is 60s by default",
        )


def _timeout(work: Work, node: Node, rules: Rules) -> None:
    value = seconds(node.args[0]) if node.args else None
    if value is None:
        work.lost(node, "is no time")
        return
    differs = ""
    if not 1 <= value <= _MOST_SECONDS:
        value, differs = min(max(value, 1), _MOST_SECONDS), "an app may be silent for an hour at most"
    if rules:
        for rule in rules:
            work.option(("routes", rule, "timeout"), duration(value), node, differs)
    else:
        work.option(("request_timeout",), duration(value), node, differs)


def _body(work: Work, node: Node, rules: Rules) -> None:
    value = bytes_of(node.args[0]) if node.args else None
    if value is None:
        work.lost(node, "is no size")
        return
    text, differs = (size(value), "") if value else (_UNLIMITED, "0 was no limit: a body may fill the disk")
    if rules:
        for rule in rules:
            work.option(("routes", rule, "max_upload"), text, node, differs)
    else:
        work.option(("max_upload",), text, node, differs)


def _buffering(work: Work, node: Node, rules: Rules) -> None:
    if node.args != ("off",):
        work.built_in(
            node,
            "Portico buffers answers, so that no worker waits for a slow client; event streams pass at once",
        )
    elif rules:
        for rule in rules:
            work.option(("routes", rule, "stream"), True, node)
    else:
        work.keep(node)


def _error_page(work: Work, node: Node) -> None:
    target = node.args[-1] if node.args else ""
    page = next(
        (one for one in work.view.locations if one.args in (("=", target), (f"={target}",), (target,))), None
    )
    root = page and (page.first("root", "alias") or work.view.first("root"))
    is_nginxs = root is None or root.args[0].rstrip("/") in (
        "html",
        "/usr/share/nginx/html",
        "/var/www/html",
        "/usr/share/nginx/www",
    )
    if (
        target.startswith("/")
        and is_nginxs
        and (page is None or page.first("internal", "root") or not page.children)
    ):
        work.improved(
            node,
            "Portico's own pages say what happened, and have the request's ID; [errors] pages takes yours",
        )
        if page is not None:
            work.seen.add(page)
    else:
        work.keep(node)


def _other(work: Work, node: Node, rules: Rules) -> None:
    if found := dropped(node.name):
        fate, why = found
        if why and fate is Fate.BUILT_IN:
            work.built_in(node, why)
        elif why:
            work.improved(node, why)
        work.seen.add(node)
    elif rules:
        work.lost(
            node, "a route of Portico's has no option for it", "keep it for the whole site: [nginx] server"
        )
    elif node.name == "if" and any(
        child.name not in ("return", "rewrite", "set", "break") for child in node.children or ()
    ):
        work.lost(
            node,
            "an if of a location has no place in the server",
            "let the app decide, or write a location of your own",
        )
    else:
        work.keep(node)


def _looked_at(work: Work, node: Node, _: Rules) -> None:
    """Another directive's part."""
    work.seen.add(node)


def _compression(work: Work, node: Node, rules: Rules) -> None:
    if node.args == ("off",) and not rules:
        work.keep(node)
    else:
        _other(work, node, rules)


_TABLE: tuple[tuple[re.Pattern[str], Adopt], ...] = tuple(
    (re.compile(names), adopt)
    for names, adopt in (
        (rf"{_FAMILY}_read_timeout", _timeout),
        (r"client_max_body_size", _body),
        (rf"{_FAMILY}_buffering", _buffering),
        (rf"{_FAMILY}_cache", adopt_cache),
        (rf"{_FAMILY}_(?:cache_valid|cache_bypass|no_cache)", _looked_at),
        (r"proxy_set_header|uwsgi_param|fastcgi_param", adopt_told),
        (rf"add_header|expires|more_(?:set|clear)_headers|{_FAMILY}_hide_header", adopt_header),
        (r"limit_req|limit_conn|limit_rate|limit_rate_after", adopt_limit),
        (r"gzip", _compression),
        (r"error_page", lambda work, node, _: _error_page(work, node)),
    )
)
