"""The nginx configurations of the peers: what a tutorial gives, and what a careful person would write.

Every peer behind nginx uses the same nginx binary and logs every request, so that only the set-up differs.
"""

from __future__ import annotations

import getpass
import grp
import os
import re
from dataclasses import dataclass
from pathlib import Path

_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
_PLAIN = re.compile(r"[^\s;{}\"'\\#]+")


Words = tuple[str, ...]


@dataclass(frozen=True)
class Block:
    words: Words
    inside: list[Directive]


Directive = Words | Block

_FOUR_HEADERS: list[Directive] = [
    ("proxy_set_header", "Host", "$host"),
    ("proxy_set_header", "X-Real-IP", "$remote_addr"),
    ("proxy_set_header", "X-Forwarded-For", "$proxy_add_x_forwarded_for"),
    ("proxy_set_header", "X-Forwarded-Proto", "$scheme"),
]

# nginx's own uwsgi_params file.
_UWSGI_PARAMS: list[Directive] = [
    ("uwsgi_param", "QUERY_STRING", "$query_string"),
    ("uwsgi_param", "REQUEST_METHOD", "$request_method"),
    ("uwsgi_param", "CONTENT_TYPE", "$content_type"),
    ("uwsgi_param", "CONTENT_LENGTH", "$content_length"),
    ("uwsgi_param", "REQUEST_URI", "$request_uri"),
    ("uwsgi_param", "PATH_INFO", "$document_uri"),
    ("uwsgi_param", "DOCUMENT_ROOT", "$document_root"),
    ("uwsgi_param", "SERVER_PROTOCOL", "$server_protocol"),
    ("uwsgi_param", "REQUEST_SCHEME", "$scheme"),
    ("uwsgi_param", "HTTPS", "$https", "if_not_empty"),
    ("uwsgi_param", "REMOTE_ADDR", "$remote_addr"),
    ("uwsgi_param", "REMOTE_PORT", "$remote_port"),
    ("uwsgi_param", "SERVER_PORT", "$server_port"),
    ("uwsgi_param", "SERVER_NAME", "$server_name"),
]


def tutorial(directory: Path, port: int, inner_port: int) -> str:
    """Debian's nginx.conf with the site that the tutorials add: TCP to Gunicorn, four headers, access log."""
    location: list[Directive] = [("proxy_pass", f"http://127.0.0.1:{inner_port}"), *_FOUR_HEADERS]
    http: list[Directive] = [
        ("gzip", "on"),
        ("access_log", str(directory / "access.log")),
        _server(port, location),
    ]
    return _conf(directory, http, worker_connections=768)


def files(directory: Path, port: int) -> str:
    """Files alone, tuned by hand: sendfile, files kept open, buffered log."""
    http: list[Directive] = [
        ("gzip", "on"),
        ("gzip_types", "text/css"),
        ("gzip_vary", "on"),
        ("open_file_cache", "max=1000", "inactive=60s"),
        ("open_file_cache_valid", "30s"),
        Block(("types",), [("text/css", "css")]),
        *_tuned_log(directory),
        Block(("server",), [
            ("listen", f"127.0.0.1:{port}", "backlog=4096"),
            Block(("location", "/static/"), [
                ("root", str(directory)),
                ("add_header", "Cache-Control", "max-age=3600"),
            ]),
        ]),
    ]  # fmt: skip
    return _conf(directory, http)


def http_upstream(directory: Path, port: int, socket: Path) -> str:
    """Tuned HTTP: unix socket, connections to the app server kept open, buffered log."""
    location: list[Directive] = [
        ("proxy_pass", "http://app"),
        ("proxy_http_version", "1.1"),
        ("proxy_set_header", "Connection", ""),
        *_FOUR_HEADERS,
    ]
    upstream = Block(("upstream", "app"), [("server", f"unix:{socket}"), ("keepalive", "64")])
    return _conf(directory, [*_tuned_log(directory), upstream, _server(port, location)])


def uwsgi_upstream(directory: Path, port: int, socket: Path) -> str:
    """Tuned uwsgi: the uwsgi protocol over a unix socket, buffered log."""
    location: list[Directive] = [("uwsgi_pass", f"unix:{socket}"), *_UWSGI_PARAMS]
    return _conf(directory, [*_tuned_log(directory), _server(port, location)])


def cached_upstream(directory: Path, port: int, inner_port: int, kept: Path) -> str:
    """The cache that a careful person would write: files in memory, connections to the app kept open, buffered log."""
    location: list[Directive] = [
        ("proxy_pass", f"http://127.0.0.1:{inner_port}"),
        ("proxy_http_version", "1.1"),
        ("proxy_set_header", "Connection", ""),
        ("proxy_cache", "kept"),
        ("proxy_cache_lock", "on"),
        *_FOUR_HEADERS,
    ]
    path = ("proxy_cache_path", str(kept), "levels=1:2", "keys_zone=kept:10m", "use_temp_path=off")
    return _conf(directory, [*_tuned_log(directory), path, _server(port, location)])


def _tuned_log(directory: Path) -> list[Directive]:
    return [("access_log", str(directory / "access.log"), "combined", "buffer=64k", "flush=1s")]


def _server(port: int, location: list[Directive]) -> Block:
    listen = ("listen", f"127.0.0.1:{port}")
    return Block(("server",), [listen, ("server_name", "_"), Block(("location", "/"), location)])


def _conf(directory: Path, http: list[Directive], worker_connections: int = 4096) -> str:
    temporary: list[Directive] = [(f"{name}_temp_path", str(directory / name)) for name in _TEMPORARY]
    return _render(
        [
            ("daemon", "off"),
            *_user(),
            ("worker_processes", "auto"),
            ("pid", str(directory / "nginx.pid")),
            ("error_log", "stderr"),
            Block(("events",), [("worker_connections", str(worker_connections))]),
            Block(("http",), [*temporary, ("sendfile", "on"), ("tcp_nopush", "on"), *http]),
        ]
    )


def _user() -> list[Directive]:
    """As root the workers stay root, or they could not reach the peer's private directory."""
    return [("user", getpass.getuser(), grp.getgrgid(os.getgid()).gr_name)] if os.geteuid() == 0 else []


def _render(directives: list[Directive], indent: str = "") -> str:
    return "".join(_directive(directive, indent) for directive in directives)


def _directive(directive: Directive, indent: str) -> str:
    if isinstance(directive, Block):
        inside = _render(directive.inside, indent + "    ")
        return f"{indent}{_words(directive.words)} {{\n{inside}{indent}}}\n"
    return f"{indent}{_words(directive)};\n"


def _words(words: Words) -> str:
    return " ".join(map(_word, words))


def _word(word: str) -> str:
    if _PLAIN.fullmatch(word):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
