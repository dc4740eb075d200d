"""The nginx configurations of the peers: what a tutorial gives, and what a careful person would write.

Every peer behind nginx uses the same nginx binary and logs every request, so that only the set-up differs.
"""

from __future__ import annotations

from pathlib import Path

from portico.measure.tutorial import FOUR_HEADERS, Block, Directive, conf, server

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
    return conf(directory, http)


def http_upstream(directory: Path, port: int, socket: Path) -> str:
    """Tuned HTTP: unix socket, connections to the app server kept open, buffered log."""
    location: list[Directive] = [
        ("proxy_pass", "http://app"),
        ("proxy_http_version", "1.1"),
        ("proxy_set_header", "Connection", ""),
        *FOUR_HEADERS,
    ]
    upstream = Block(("upstream", "app"), [("server", f"unix:{socket}"), ("keepalive", "64")])
    return conf(directory, [*_tuned_log(directory), upstream, server(port, location)])


def uwsgi_upstream(directory: Path, port: int, socket: Path) -> str:
    """Tuned uwsgi: the uwsgi protocol over a unix socket, buffered log."""
    location: list[Directive] = [("uwsgi_pass", f"unix:{socket}"), *_UWSGI_PARAMS]
    return conf(directory, [*_tuned_log(directory), server(port, location)])


def cached_upstream(directory: Path, port: int, inner_port: int, kept: Path) -> str:
    """The cache that a careful person would write: files in memory, connections to the app kept open, buffered log."""
    location: list[Directive] = [
        ("proxy_pass", f"http://127.0.0.1:{inner_port}"),
        ("proxy_http_version", "1.1"),
        ("proxy_set_header", "Connection", ""),
        ("proxy_cache", "kept"),
        ("proxy_cache_lock", "on"),
        *FOUR_HEADERS,
    ]
    path = ("proxy_cache_path", str(kept), "levels=1:2", "keys_zone=kept:10m", "use_temp_path=off")
    return conf(directory, [*_tuned_log(directory), path, server(port, location)])


def _tuned_log(directory: Path) -> list[Directive]:
    return [("access_log", str(directory / "access.log"), "combined", "buffer=64k", "flush=1s")]
