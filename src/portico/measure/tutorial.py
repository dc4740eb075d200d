"""The nginx configuration that tutorials write, and what it is made of."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from portico.plan.gateway.nginx import syntax

_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")

Words = tuple[str, ...]


class Block(Struct, frozen=True):
    words: Words
    inside: Sequence[Directive]


Directive = Words | Block

FOUR_HEADERS: list[Directive] = [
    ("proxy_set_header", "Host", "$host"),
    ("proxy_set_header", "X-Real-IP", "$remote_addr"),
    ("proxy_set_header", "X-Forwarded-For", "$proxy_add_x_forwarded_for"),
    ("proxy_set_header", "X-Forwarded-Proto", "$scheme"),
]


def tutorial(directory: Path, port: int, inner_port: int) -> str:
    """Debian's nginx.conf with the site that the tutorials add: TCP to the app server, four headers, access log."""
    location: list[Directive] = [("proxy_pass", f"http://127.0.0.1:{inner_port}"), *FOUR_HEADERS]
    http: list[Directive] = [
        ("gzip", "on"),
        ("access_log", str(directory / "access.log")),
        server(port, location),
    ]
    return conf(directory, http, worker_connections=768)


def server(port: int, location: list[Directive]) -> Block:
    """A server for any host with one location."""
    listen = ("listen", f"127.0.0.1:{port}")
    return Block(("server",), [listen, ("server_name", "_"), Block(("location", "/"), location)])


def conf(directory: Path, http: list[Directive], worker_connections: int = 4096) -> str:
    """A whole file, with everything that nginx writes in the private directory."""
    temporary: list[Directive] = [(f"{name}_temp_path", str(directory / name)) for name in _TEMPORARY]
    whole: list[Directive] = [
        ("daemon", "off"),
        *_user(),
        ("worker_processes", "auto"),
        ("pid", str(directory / "nginx.pid")),
        ("error_log", "stderr"),
        Block(("events",), [("worker_connections", str(worker_connections))]),
        Block(("http",), [*temporary, ("sendfile", "on"), ("tcp_nopush", "on"), *http]),
    ]
    return "".join(f"{line.text}\n" for line in syntax.render(_tree(whole)))


def _user() -> list[Directive]:
    """As root the workers stay root, or they could not reach the private directory."""
    if os.geteuid() != 0:
        return []
    return [("user", pwd.getpwuid(0).pw_name, grp.getgrgid(os.getgid()).gr_name)]


def _tree(directives: Sequence[Directive]) -> Iterator[syntax.Directive]:
    for one in directives:
        words = one.words if isinstance(one, Block) else one
        inside = tuple(_tree(one.inside)) if isinstance(one, Block) else None
        yield syntax.Directive(words[0], words[1:], inside)
