"""The table [upstream]."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from portico.site.options.section import Section, option
from portico.values import Duration


class Upstream(Section, frozen=True):
    """The servers that share the requests; without any, the local app alone."""

    shorthand: ClassVar[str] = "servers"

    servers: Annotated[
        list[str],
        option(
            "Servers that answer: `10.0.0.2:8000`, `https://app-b`, `unix:/run/shop.sock`, "
            "`uwsgi://10.0.0.2:3031`, `fastcgi://10.0.0.2:9000`, or `app` for the local app; each may be followed "
            "by `weight=N` and `backup`. All must use one protocol. Without `app` among them, no local app is "
            "started.",
            example=["10.0.0.2:8000 weight=3", "10.0.0.3:8000", "10.0.0.4:8000 backup"],
            source="https://nginx.org/en/docs/http/ngx_http_upstream_module.html#server",
            reach="nginx's user may talk to sockets that the app's user may not",
        ),
    ] = []
    method: Annotated[
        Literal["round_robin", "least_conn", "least_time", "ip_hash", "hash", "random_two"],
        option(
            "Which server gets the next request: the next in turn, the one with the fewest requests, the fastest, "
            "one by the client's address, one by `hash_key`, or the better of two chosen at random.",
            example="least_conn",
            source="https://nginx.org/en/docs/http/ngx_http_upstream_module.html",
        ),
    ] = "round_robin"
    hash_key: Annotated[
        str,
        option(
            "With method `hash`: the nginx variables that choose the server; the hash is consistent, so a server "
            "that leaves moves only its own share.",
            example="$cookie_session",
            source="https://nginx.org/en/docs/http/ngx_http_upstream_module.html#hash",
        ),
    ] = "$request_uri"
    sticky: Annotated[
        str,
        option(
            "Name of a cookie that keeps a client on the server that answered it first; empty for none.",
            example="route",
            source="https://nginx.org/en/docs/http/ngx_http_upstream_module.html#sticky",
        ),
    ] = ""
    check: Annotated[
        Duration,
        option(
            "How often Portico checks each server: two failures in a row take it out, two successes bring it "
            "back; `0s` disables it.",
            example="1s",
        ),
    ] = Duration(2)
    check_path: Annotated[
        str,
        option("The full path of the check. Default: `mount` and `health`.", example="/-/health"),
    ] = ""
    tls_name: Annotated[
        str,
        option(
            "The name in the certificates of https servers. Default: the host, when all have the same.",
            example="app.internal",
        ),
    ] = ""
    ca: Annotated[
        str,
        option(
            "File with the certificate authorities for https servers. Default: the system's.",
            example="internal-ca.pem",
            is_read=True,
        ),
    ] = ""
    facts: Annotated[
        str,
        option(
            "File with what the app behind the servers says about itself, its static folders, limits and routes, as "
            "if it ran here. `portico export compose --apart` writes it.",
            example="compose-gateway.json",
            is_read=True,
        ),
    ] = ""
    resolver: Annotated[
        list[str],
        option(
            "Name servers that nginx asks for the addresses of the servers, again whenever an answer expires. "
            "Default: those of /etc/resolv.conf.",
            example=["10.0.0.53"],
            source="https://nginx.org/en/docs/http/ngx_http_core_module.html#resolver",
        ),
    ] = []
