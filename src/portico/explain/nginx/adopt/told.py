"""What the app is told about a request: headers and parameters."""

from __future__ import annotations

from portico.explain.nginx.adopt.work import Work
from portico.explain.node import Node

_STANDARD = frozenset({
    "host", "x-real-ip", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-prefix",
    "x-forwarded-port", "x-forwarded-server", "x-forwarded-ssl", "x-forwarded-protocol", "x-scheme",
    "x-url-scheme", "forwarded", "upgrade", "connection", "x-request-id", "x-client-ip", "accept-encoding",
    "proxy", "content-length", "x-original-uri", "x-nginx-proxy", "early-data", "cf-connecting-ip",
    "true-client-ip", "x-forwarded-scheme", "x-script-name",
})  # fmt: skip
"""Headers that Portico sets itself, or that say nothing to the app."""
_CGI = frozenset({
    "query_string", "request_method", "content_type", "content_length", "request_uri", "path_info",
    "document_root", "document_uri", "server_protocol", "request_scheme", "https", "remote_addr", "remote_port",
    "server_port", "server_name", "server_addr", "script_name", "script_filename", "gateway_interface",
    "server_software", "uwsgi_scheme", "redirect_status", "path_translated", "http_host", "host",
    "http_x_forwarded_for", "http_x_forwarded_proto", "http_x_real_ip", "remote_user", "http_x_forwarded_host",
    "http_proxy", "fcgi_role", "auth_type", "scheme",
})  # fmt: skip
"""Parameters that Portico's own list has."""


def adopt_told(work: Work, node: Node, _: tuple[str, ...]) -> None:
    """A header, or a parameter, for the app."""
    name, value = node.args[0].lower() if node.args else "", node.args[-1]
    if value == "$proxy_add_x_forwarded_for":
        work.improved(
            node, "it begins with what the client wrote: the app gets the address that nginx saw, alone"
        )
    elif name == "host" and value not in ("$host", "$http_host", "$host:$server_port", "$proxy_host"):
        work.keep(node)
    elif is_standard(node):
        work.built_in(node, "the app gets host, scheme and client from nginx alone")
    else:
        work.keep(node)


def is_standard(node: Node) -> bool:
    """Whether Portico says the same to the app, or it says nothing."""
    known = _STANDARD if node.name == "proxy_set_header" else _CGI
    return bool(node.args) and node.args[0].lower() in known
