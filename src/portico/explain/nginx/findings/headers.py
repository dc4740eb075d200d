"""Headers that are lost, come too late or promise what is not so."""

from __future__ import annotations

import re
from collections.abc import Iterator

from portico.explain.finding import Finding
from portico.explain.nginx.families import LINKS
from portico.explain.nginx.findings.config import Config, added, instead, removed, written
from portico.explain.nginx.locations import rule
from portico.explain.node import Node

_SECURITY = frozenset((
    "strict-transport-security", "content-security-policy", "x-frame-options", "x-content-type-options",
    "referrer-policy", "permissions-policy", "cross-origin-opener-policy", "cross-origin-resource-policy",
))  # fmt: skip
_NEEDED = frozenset((
    "host", "x-forwarded-for", "x-real-ip", "x-forwarded-proto", "x-forwarded-host", "remote-addr", "request-method",
    "query-string", "script-filename", "content-length", "content-type", "server-name", "request-uri", "path-info",
))  # fmt: skip
"""Without these an app answers wrongly, or believes the client."""
_DEAD = ("x-xss-protection", "expect-ct", "public-key-pins", "x-ua-compatible")
_SETTERS = (*(f"{link}_set_header" for link in LINKS), *(f"{link}_param" for link in LINKS))


def lost(config: Config) -> Iterator[Finding]:
    """A block with an `add_header` of its own has none of those above."""
    for level in _levels(config):
        own = level.all("add_header")
        if not own or config.value(level, "add_header_inherit") == "merge":
            continue
        outer = _outer(config, level, "add_header")
        missing = [one for one in outer if one.args and one.args[0].lower() not in _names(own)]
        missing = [one for one in missing if _counts(one.args[0])]
        if missing:
            shown = ", ".join(dict.fromkeys(one.args[0] for one in missing))
            is_security = any(one.args[0].lower() in _SECURITY for one in missing)
            yield config.finding(
                "add-header-lost",
                own[0],
                f"this block has a header of its own, and so none of those above: {shown}",
                "answers from here are not protected by them"
                if is_security
                else "answers from here lack them",
                added(level, *(written(one.name, *one.args) for one in missing)),
            )


def _counts(name: str) -> bool:
    """Whether it is for browsers' safety, or for pages of other sites."""
    return name.lower() in _SECURITY or name.lower().startswith("access-control-")


def set_lost(config: Config) -> Iterator[Finding]:
    """The same for what the app is told."""
    for level in _levels(config):
        for name in _SETTERS:
            own, outer = level.all(name), _outer(config, level, name)
            missing = [one for one in outer if one.args and one.args[0].lower() not in _names(own)]
            missing = [
                one
                for one in missing
                if one.args[0].lower().replace("_", "-").removeprefix("http-") in _NEEDED
            ]
            if own and missing and config.is_open(level):
                shown = ", ".join(dict.fromkeys(one.args[0] for one in missing))
                yield config.finding(
                    "set-header-lost",
                    own[0],
                    f"this block has a {name} of its own, and so none of those above: {shown}",
                    "the app sees another host, scheme or address here than elsewhere: wrong links, spoofed clients",
                    added(level, *(written(one.name, *one.args) for one in missing)),
                )


def _levels(config: Config) -> Iterator[Node]:
    yield from (
        node
        for node in config.above
        if node.name in ("server", "location", "if") and node.children is not None
    )


def _outer(config: Config, level: Node, name: str) -> list[Node]:
    return config.in_force(config.parent(level), name)


def _names(lines: list[Node]) -> set[str]:
    return {one.args[0].lower() for one in lines if one.args}


def late(config: Config) -> Iterator[Finding]:
    """Without `always` only answers that went well have the header."""
    for level in {config.parent(node): None for node in config.named("add_header")}:
        short = [one for one in level.all("add_header") if one.args and one.args[0].lower() in _SECURITY]
        short = [one for one in short if one.args[-1] != "always" and len(one.args) > 1]
        short = [one for one in short if not one.args[1].startswith("$upstream_http_")]
        if short:
            shown = ", ".join(one.args[0] for one in short)
            yield config.finding(
                "add-header-always",
                short[0],
                f"{shown}: only on answers with 200, 201, 204, 206 and 30x",
                "an error page, which often repeats what a client sent, has no protection",
                instead(*(written(*(one.name, *one.args), "always") for one in short)),
            )


def over_http(config: Config) -> Iterator[Finding]:
    for node in config.named("add_header"):
        server = config.server_of(node)
        if not node.args or node.args[0].lower() != "strict-transport-security" or server is None:
            continue
        if (
            not config.has_tls(server)
            and config.is_public(server)
            and not config.in_force(server, "set_real_ip_from")
        ):
            yield config.finding(
                "hsts-http",
                node,
                "browsers ignore Strict-Transport-Security that comes by http",
                "the first visit stays open to whoever is on the way",
                removed("say it in the server with TLS"),
            )


def origins(config: Config) -> Iterator[Finding]:
    """Another site reads answers with the visitor's cookies."""
    for node in config.named("add_header"):
        name = node.args[0].lower() if len(node.args) > 1 else ""
        if name != "access-control-allow-origin":
            continue
        beside = config.parent(node).all("add_header")
        has_cookies = any(
            one.args[0].lower() == "access-control-allow-credentials" for one in beside if one.args
        )
        if "$http_origin" in node.args[1] and not _is_checked(config, node):
            yield config.finding(
                "cors-any",
                node,
                "every site that asks is allowed to read the answer",
                "any page a visitor opens reads what this site shows to that visitor",
                instead(written("add_header", node.args[0], "https://app.example", "always")),
            )
        elif node.args[1] == "*" and has_cookies:
            yield config.finding(
                "cors-credentials",
                node,
                "browsers refuse * together with Access-Control-Allow-Credentials",
                "requests with cookies from other sites fail",
                instead(written("add_header", node.args[0], "https://app.example", "always")),
            )


def _is_checked(config: Config, node: Node) -> bool:
    """Whether a condition around the line compares the origin."""
    return any("http_origin" in " ".join(level.args) for level in config.above[node] if level.name == "if")


def loose_origins(config: Config) -> Iterator[Finding]:
    """A pattern for an origin or a referer that is open at an end."""
    lines = [
        (node, re.search(r"\$http_(?:origin|referer)\s+~\*?\s+[\"']?(.+?)[\"']?\)$", node.text))
        for node in config.named("if")
    ]
    rows = [
        (row, re.match(r"~\*?(.+)", row.name))
        for table in config.named("map")
        if table.args[:1] in (("$http_origin",), ("$http_referer",))
        for row in table.children or ()
    ]
    for node, found in [*lines, *rows]:
        if found is None or (found[1].startswith("^") and found[1].endswith(("$", "/"))):
            continue
        if not re.search(r"[a-z0-9-]{2,}\\?\.[a-z]{2,}", found[1]):
            continue
        above = (
            node if node.name == "if" else next(t for t in config.named("map") if node in (t.children or ()))
        )
        made = config.finding(
            "origin-pattern",
            above,
            f"the pattern {found[1]} is not bound at both ends",
            "https://shop.example.evil.example or https://evil.example/?shop.example counts as your own site",
            instead(
                "~^https://shop\\.example$"
                if node.name != "if"
                else 'if ($http_origin ~ "^https://shop\\.example$") {'
            ),
        )
        yield made


def dead(config: Config) -> Iterator[Finding]:
    for node in config.named("add_header"):
        if node.args and node.args[0].lower() in _DEAD and not node.args[-1].startswith("$upstream_http_"):
            yield config.finding(
                "header-dead",
                node,
                f"browsers no longer know {node.args[0]}",
                "it protects nothing, and its filter opened holes in old browsers",
                removed("a Content-Security-Policy does what it promised"),
            )


def aged(config: Config) -> Iterator[Finding]:
    """The age of files on pages of the app."""
    for node in config.named("expires", "add_header"):
        level = config.parent(node)
        if (
            level.name != "location"
            or not level.first("proxy_pass", "uwsgi_pass", "grpc_pass")
            or rule(level).pattern != "/"
        ):
            continue
        is_long = node.name == "expires" and node.args and node.args[0] not in ("off", "epoch", "-1", "0")
        is_public = (
            len(node.args) > 1 and node.args[0].lower() == "cache-control" and "public" in node.args[1]
        )
        if is_long or (node.name == "add_header" and is_public):
            yield config.finding(
                "app-expires",
                node,
                "pages of the app are given an age, whatever the app says of them",
                "browsers and caches in between keep pages of a signed-in visitor, and show old ones",
                removed("say it in the location of static files"),
            )


FINDERS = (lost, set_lost, late, over_http, origins, loose_origins, dead, aged)
