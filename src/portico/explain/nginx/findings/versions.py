"""Directives that the nginx in use does not know yet, or no longer, and its published faults."""

from __future__ import annotations

import re
from collections.abc import Iterator

from portico.explain.finding import Finding
from portico.explain.nginx.findings.config import Config, instead, removed, written
from portico.explain.node import Node
from portico.plan.gateway.nginx.security.holes import holes
from portico.plan.gateway.nginx.syntax import Directive

_Version = tuple[int, int, int]
_SINCE: dict[str, _Version] = {
    "http2": (1, 25, 1), "http3": (1, 25, 0), "keepalive_min_timeout": (1, 27, 4), "proxy_pass_trailers": (1, 27, 2),
    "ssl_certificate_cache": (1, 27, 4), "ssl_object_cache_inheritable": (1, 27, 4), "early_hints": (1, 29, 0),
    "ssl_certificate_compression": (1, 29, 1), "add_header_inherit": (1, 29, 3), "add_trailer_inherit": (1, 29, 3),
    "ssl_ech_file": (1, 29, 4), "sticky": (1, 29, 6), "max_headers": (1, 29, 8), "least_time": (1, 31, 0),
    "tunnel_pass": (1, 31, 0), **{
        f"{link}_socket_{end}": (1, 31, 3)
        for link in ("proxy", "fastcgi", "grpc", "scgi", "uwsgi") for end in ("sndbuf", "rcvbuf")
    },
    "xml_external_entities": (1, 31, 3), "client_body_early_read": (1, 31, 5), "ssl_reject_handshake": (1, 19, 4),
    "ssl_conf_command": (1, 19, 4), "proxy_cookie_flags": (1, 19, 3), "keepalive_time": (1, 19, 10),
}  # fmt: skip
"""The first version of each, from nginx's list of changes."""
_GONE: dict[str, tuple[_Version, str]] = {
    "http2_push": ((1, 25, 1), "early_hints"), "http2_push_preload": ((1, 25, 1), "early_hints"),
    "http2_max_concurrent_pushes": ((1, 25, 1), ""), "http2_recv_timeout": ((1, 19, 7), "client_header_timeout"),
    "http2_idle_timeout": ((1, 19, 7), "keepalive_timeout"), "http2_max_requests": ((1, 19, 7), "keepalive_requests"),
    "http2_max_field_size": ((1, 19, 7), "large_client_header_buffers"),
    "http2_max_header_size": ((1, 19, 7), "large_client_header_buffers"), "limit_zone": ((1, 7, 6), "limit_conn_zone"),
    "spdy_headers_comp": ((1, 9, 5), ""), "spdy_chunk_size": ((1, 9, 5), "http2_chunk_size"),
    "satisfy_any": ((0, 8, 25), "satisfy"), "open_file_cache_retest": ((0, 7, 66), "open_file_cache_valid"),
    "optimize_server_names": ((0, 8, 25), ""),
}  # fmt: skip
"""The version in which each went or lost its meaning, and what took its place."""
_PREDICATES: _Version = (1, 31, 5)
_PARAMETERS: tuple[tuple[str, str, re.Pattern[str], _Version], ...] = (
    ("listen", "", re.compile("multipath"), (1, 29, 7)),
    ("keepalive", "upstream", re.compile("local"), (1, 29, 7)),
    ("server", "upstream", re.compile("route=.*|drain"), (1, 29, 6)),
    ("server", "upstream", re.compile("resolve"), (1, 27, 3)),
    ("proxy_http_version", "", re.compile("2"), (1, 29, 4)),
)
"""Words of older directives that have a first version of their own: directive, block, word; from the same list."""


def unknown(config: Config) -> Iterator[Finding]:
    for node in config.named(*_SINCE):
        first = _SINCE[node.name]
        if config.older(*first):
            yield _unknown(config, node, node.name, first)
    yield from _new_words(config)
    for location in config.locations:
        if location.args and location.args[0].startswith("$") and config.older(*_PREDICATES):
            yield _unknown(config, location, "a location by a condition", _PREDICATES)


def _new_words(config: Config) -> Iterator[Finding]:
    for name, block, pattern, first in _PARAMETERS:
        for node in config.named(name) if config.older(*first) else ():
            word = next(
                (one for one in node.args[name != "proxy_http_version" :] if pattern.fullmatch(one)), ""
            )
            if word and (not block or config.parent(node).name == block):
                yield _unknown(config, node, f"{word} of {name}", first)


def _unknown(config: Config, node: Node, what: str, first: _Version) -> Finding:
    number = ".".join(map(str, first))
    has = config.build.number if config.build else ""
    better = (
        instead(written("listen", 443, "ssl", "http2"))
        if what == "http2"
        else removed(f"or take nginx {number}")
    )
    return config.finding(
        "too-new", node, f"{what} is of nginx {number}, and this is nginx {has}",
        "nginx refuses the configuration and keeps the old one, or does not start; a location is taken for a path"
        if node.name == "location" else "nginx refuses the configuration and keeps the old one, or does not start",
        better,
    )  # fmt: skip


def gone(config: Config) -> Iterator[Finding]:
    for node in config.named(*_GONE):
        last, better = _GONE[node.name]
        yield config.finding(
            "removed-directive",
            node,
            f"{node.name} means nothing since nginx {'.'.join(map(str, last))}",
            "nginx warns or refuses the configuration, and what it limited is not limited",
            removed(f"{better} took its place" if better else ""),
        )
    for node in config.named("ssl"):
        if node.args[:1] in (("on",), ("off",)):
            yield config.finding(
                "ssl-directive",
                node,
                "the directive ssl is not known to nginx 1.25.1 and newer",
                "nginx refuses the configuration after the next upgrade",
                removed("say ssl in the listen line: listen 443 ssl;"),
            )
    for node in config.named("listen"):
        if "spdy" in node.args:
            yield config.finding(
                "removed-directive",
                node,
                "spdy means nothing since nginx 1.9.5",
                "nginx refuses the configuration",
                instead(written("listen", *(word.replace("spdy", "http2") for word in node.args))),
            )
        if "http2" in node.args and config.newer(1, 25, 1):
            yield config.finding(
                "listen-http2",
                node,
                "http2 in a listen line is out of date since nginx 1.25.1",
                "nginx warns at each start; it holds for all servers of the address, not for this one",
                instead(
                    written("listen", *(word for word in node.args if word != "http2")),
                    written("http2", "on"),
                ),
            )


def faults(config: Config) -> Iterator[Finding]:
    """The published faults of the nginx in use that the configuration uses."""
    if config.build is None:
        return
    for hole in holes(config.build, tuple(map(_directive, config.root.children or ()))):
        advisory = hole.advisory
        node = next(
            (found for need in advisory.needs for found in config.above if found.name == need.split()[0]),
            None,
        )
        if hole.is_used and node is not None and config.http is not None:
            yield config.finding(
                "gateway-fault",
                node,
                f"{advisory.id} ({advisory.severity}) of nginx {config.build.number}: {advisory.about}",
                f"a client may crash or take over nginx's workers; see {advisory.source}",
                removed(
                    "or install a version with the fix: "
                    + ", ".join(".".join(map(str, one)) for one in advisory.fixed)
                ),
            )


def _directive(node: Node) -> Directive:
    children = None if node.children is None else tuple(map(_directive, node.children))
    return Directive(node.name, node.args, children)


FINDERS = (unknown, gone, faults)
