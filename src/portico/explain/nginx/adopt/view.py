"""The servers of a configuration: what each is for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

from msgspec import Struct

from portico.explain.nginx.families import PASSES
from portico.explain.nginx.locations import Rule, rule
from portico.explain.nginx.servers import Listen, listens_of, names_of
from portico.explain.node import Node

_REDIRECTS = ("301", "302", "303", "307", "308")
_TARGET = re.compile(
    r"(?P<scheme>https?|\$scheme)://(?P<host>\$\w+|[^/$]+)(?P<rest>/.*|\$request_uri|\$uri\S*)?"
)
_CONDITION = re.compile(r"\(\s*\$(?:host|http_host)\s*=\s*(?P<name>\S+?)\s*\)")
_QUIET = frozenset({
    "listen", "server_name", "access_log", "error_log", "root", "index", "server_tokens", "include", "http2",
    "charset", "ssl_certificate", "ssl_certificate_key", "ssl_protocols", "ssl_ciphers",
    "ssl_prefer_server_ciphers", "ssl_session_cache", "ssl_session_timeout", "ssl_session_tickets",
    "ssl_dhparam", "ssl_trusted_certificate", "ssl_stapling", "ssl_stapling_verify", "ssl_reject_handshake",
    "add_header", "resolver", "resolver_timeout", "log_not_found", "autoindex", "default_type",
    "client_max_body_size", "ssl_ecdh_curve",
})  # fmt: skip
"""What may stand in a server that only redirects, or only closes: it answers nothing by itself."""
CHALLENGE = "/.well-known/acme-challenge"


class Redirect(Struct, frozen=True):
    """The answer of a server that only redirects. `host` is empty for the host that was asked."""

    status: str
    scheme: str
    host: str
    keeps_path: bool
    node: Node


class View(Struct, frozen=True, dict=True):
    """One server block, with the blocks around it, outermost first."""

    node: Node
    above: tuple[Node, ...]

    @cached_property
    def listens(self) -> list[Listen]:
        return listens_of(self.node)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Lower case, without the names that mean none."""
        return tuple(name.lower() for name in names_of(self.node) if name not in ("", "_", "*", "default"))

    @property
    def is_tls(self) -> bool:
        return any(one.is_tls for one in self.listens) or bool(
            self.node.first("ssl_certificate") and any(one.port == 443 for one in self.listens)
        )

    @property
    def is_default(self) -> bool:
        return any(one.is_default for one in self.listens)

    @cached_property
    def locations(self) -> list[Node]:
        """Its locations, with those nested in `/`, which are looked up as if they stood beside it."""
        found = list[Node]()
        for one in self.node.all("location"):
            found.append(one)
            if rule(one) == Rule("", "/"):
                found += one.all("location")
        return found

    @cached_property
    def main(self) -> Node | None:
        """The location that answers what no other does."""
        ours = [one for one in self.locations if rule(one) in (Rule("", "/"), Rule("^~", "/"))]
        return ours[0] if ours else None

    def inherited(self, name: str, location: Node | None = None) -> list[Node]:
        """The directives of that name in force: those of the innermost level that has any."""
        levels = [location] if location is not None else []
        if location is not None and self.main is not None and location in self.main.all("location"):
            levels.append(self.main)
        for level in (*levels, self.node, *reversed(self.above)):
            if found := level.all(name):
                return found
        return []

    def first(self, name: str, location: Node | None = None) -> Node | None:
        """The first of them."""
        return next(iter(self.inherited(name, location)), None)


def views(root: Node) -> list[View]:
    """The servers of http, or of a fragment that is included there."""
    made = [View(server, (root, http)) for http in root.all("http") for server in http.all("server")]
    return [*made, *(View(server, (root,)) for server in root.all("server"))]


def closes(view: View) -> Node | None:
    """The directive by which a server refuses every request."""
    if (line := view.node.first("ssl_reject_handshake")) and line.args == ("on",) and not view.locations:
        return line
    found = view.node.first("return") or (
        view.main.first("return") if view.main and len(view.locations) == 1 else None
    )
    is_closed = found is not None and found.args[:1] and found.args[0] in ("444", "403", "404", "410", "400")
    return found if is_closed and not view.names and _is_quiet(view) else None


def redirect(view: View) -> Redirect | None:
    """The redirect of a server that does nothing else, apart from challenges of a certificate authority."""
    if any(node.first(*PASSES) for node in view.locations) or not _is_quiet(view):
        return None
    found = list(_redirects(view))
    return found[0] if found else None


def _is_quiet(view: View) -> bool:
    others = (
        child.name
        for child in view.node.children or ()
        if child.name not in ("return", "rewrite", "if", "location")
    )
    inner = [one for one in view.locations if one is not view.main and not is_challenge(one)]
    return not inner and all(name in _QUIET for name in others)


def is_challenge(location: Node) -> bool:
    """Whether a location answers the challenges of a certificate authority."""
    return rule(location).pattern.startswith(CHALLENGE)


def _redirects(view: View) -> Iterator[Redirect]:
    for level in (view.node, *([view.main] if view.main else [])):
        for node in level.children or ():
            made = (
                [_of_return(one) for one in _returns(node)] if node.name != "rewrite" else [_of_rewrite(node)]
            )
            yield from (one for one in made if one is not None)


def _returns(node: Node) -> list[Node]:
    """The node, or those of an `if` about the host or the scheme."""
    if node.name == "return":
        return [node]
    if node.name != "if" or not node.args:
        return []
    about_host = _CONDITION.fullmatch(node.args[0]) or "$scheme" in node.args[0] or "$https" in node.args[0]
    return node.all("return") if about_host else []


def _of_return(node: Node) -> Redirect | None:
    words = node.args
    if len(words) == 1 and words[0].startswith("http"):
        words = ("302", *words)
    if len(words) != 2 or words[0] not in _REDIRECTS:
        return None
    return _target(words[0], words[1], node)


def _of_rewrite(node: Node) -> Redirect | None:
    if len(node.args) < 2 or node.args[0] not in ("^", "^/(.*)$", "^(.*)$", "^(.*)", ".*", "^/(.*)", "(.*)"):
        return None
    status = {"permanent": "301", "redirect": "302"}.get(node.args[-1])
    text = re.sub(r"/?\$1(?:\?)?$", "$request_uri", node.args[1]).removesuffix("?")
    return _target(status or "302", text, node) if status or text.startswith("http") else None


def _target(status: str, text: str, node: Node) -> Redirect | None:
    match = _TARGET.fullmatch(text)
    if match is None:
        return None
    host = match["host"].lower()
    host = "" if host in ("$host", "$http_host", "$server_name", "$hostname") else host.removesuffix(":443")
    rest = match["rest"] or ""
    return Redirect(status, match["scheme"], host, "$request_uri" in rest or "$uri" in rest, node)
