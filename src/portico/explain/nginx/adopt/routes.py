"""Locations that lead elsewhere, as [[route]]: another server, or a redirect."""

from __future__ import annotations

import re

from portico.explain.adopted import Fate
from portico.explain.nginx.adopt import fastcgi
from portico.explain.nginx.adopt.dropped import dropped
from portico.explain.nginx.adopt.passes import Target, target_of
from portico.explain.nginx.adopt.told import is_standard
from portico.explain.nginx.adopt.work import Work
from portico.explain.nginx.families import PASSES
from portico.explain.nginx.locations import rule
from portico.explain.node import Node
from portico.site.checks.rule import URL_PATH
from portico.site.routing import REDIRECTS, target

_TOLD = ("proxy_set_header", "uwsgi_param", "fastcgi_param", "proxy_pass_header")
_UPGRADED = re.compile(r"proxy_(?:http_version|cache_bypass)")
_KEEPS_PATH = "$request_uri"


def adopt_elsewhere(work: Work, location: Node) -> bool:
    """A rule for a location that passes requests to one server, or redirects them; False if it must stay as it is."""
    wanted = rule(location)
    if wanted.kind not in ("", "^~") or not _is_path(wanted.pattern):
        return False
    found = target_of(location, work.view.above[0])
    if found is None:
        return _redirect(work, location)
    if found.scheme == "fastcgi" and fastcgi.differs(work.view, location):
        return False
    words = _server(found, wanted.pattern)
    told = [one for name in _TOLD for one in work.view.inherited(name, location)]
    if not words or not all(_says_nothing(one) for one in (*(location.children or ()), *told)):
        return False
    to, strips = words
    work.seen.update((location, found.node))
    for node in location.children or ():
        _line(work, node)
    work.route(wanted.pattern, to, found.node, strips=strips, differs=_differs(wanted.pattern))
    return True


def _is_path(pattern: str) -> bool:
    return pattern != "/" and bool(URL_PATH.fullmatch(pattern)) and not re.search(r"//|/\.|^/-/", pattern)


def _server(found: Target, pattern: str) -> tuple[str, bool] | None:
    """The target of the rule, and whether the path is stripped; None if a rule cannot say it."""
    is_plain = len(found.servers) == 1 and " " not in found.servers[0] and not _has_more(found)
    if found.problem or not is_plain or found.scheme not in ("http", "uwsgi", "fastcgi"):
        return None
    strips = found.uri == "/" and pattern.endswith("/")
    if (found.uri not in ("", pattern) and not strips) or (strips and found.scheme != "http"):
        return None
    server = found.servers[0]
    to = server if "://" in server or server.startswith("unix:") else f"http://{server}"
    return (to, strips) if _is_target(to) else None


def _has_more(found: Target) -> bool:
    """Whether an `upstream` says more than its one server."""
    return found.upstream is not None and any(
        one.name not in ("server", "keepalive") or len(one.args) > 1 for one in found.upstream.children or ()
    )


def _is_target(text: str) -> bool:
    try:
        target(text)
    except ValueError:
        return False
    return True


def _says_nothing(node: Node) -> bool:
    """Whether a rule does the same without this line."""
    if node.name in (*PASSES, "include") or _UPGRADED.fullmatch(node.name):
        return True  # what is included stands beside its include
    if node.name in _TOLD:
        is_host = bool(node.args) and node.args[0].lower() == "host"
        return is_standard(node) and (not is_host or node.args[-1] in ("$host", "$http_host", "$proxy_host"))
    found = dropped(node.name)
    return found is not None and bool(found[1]) and node.children is None


def _line(work: Work, node: Node) -> None:
    if node.name in PASSES:
        return
    if node.args[-1:] == ("$proxy_add_x_forwarded_for",):
        work.improved(
            node,
            "it begins with what the client wrote: the server gets the address that nginx saw, alone",
        )
    elif node.name in _TOLD or _UPGRADED.fullmatch(node.name):
        work.built_in(node, "the server gets host, scheme and client from nginx alone, and WebSockets pass")
    elif (found := dropped(node.name)) and found[0] is Fate.BUILT_IN:
        work.built_in(node, found[1])
    elif found:
        work.improved(node, found[1])


def _differs(pattern: str) -> str:
    if pattern.endswith("/"):
        return f"{pattern.rstrip('/')} without its slash is the rule's, too"
    return f"only {pattern} and what is below {pattern}/, not other paths that begin with it"


def _redirect(work: Work, location: Node) -> bool:
    """`location /old/ { return 301 https://new.example$request_uri; }`."""
    node, pattern = location.first("return"), rule(location).pattern
    if node is None or len(location.children or ()) != 1 or len(node.args) != 2 or not pattern.endswith("/"):
        return False
    to = redirect_words(*node.args)
    if not to:
        return False
    work.seen.update((location, node))
    work.route(pattern, to, node, differs=_differs(pattern))
    return True


def redirect_words(status: str, url: str) -> str:
    """`301 https://new.example`, as `to` of a rule; empty if a rule cannot say it."""
    keeps = url.endswith(_KEEPS_PATH)
    text = url.removesuffix(_KEEPS_PATH)
    if not status.isdigit() or int(status) not in REDIRECTS or "$" in text:
        return ""
    has_path = "/" in text.partition("://")[2] or text.startswith("/")
    if (
        keeps == has_path
    ):  # a URL without a path would keep the path of the request, and one with a path would not
        return ""
    return f"{status} {text}" if _is_target(f"{status} {text}") else ""
