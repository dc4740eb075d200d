"""Every option, declared once.

One declaration feeds the checking of portico.toml, the command line's flags, the reference page and the
JSON schema. `description` is the help; `extra` carries `source` (where the default comes from) and
`example` (a value worth showing). Each table of portico.toml has its file; the keys outside of tables are here.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from portico.site.options.access import Access
from portico.site.options.apache import Apache
from portico.site.options.cache import Cache
from portico.site.options.cors import Cors
from portico.site.options.crawlers import Crawlers
from portico.site.options.downloads import Downloads
from portico.site.options.edge import Edge
from portico.site.options.errors import Errors
from portico.site.options.fleet import Fleet
from portico.site.options.guard import Guard
from portico.site.options.headers import Headers
from portico.site.options.https import Https
from portico.site.options.limits import Limits
from portico.site.options.log import Log
from portico.site.options.mirror import Mirror
from portico.site.options.nginx import Nginx
from portico.site.options.node import Node
from portico.site.options.observers import Dashboard, Metrics, Trace, Tracing
from portico.site.options.release import Release
from portico.site.options.route import Route
from portico.site.options.section import option
from portico.site.options.upstream import Upstream
from portico.site.options.workers import Workers
from portico.values import Address, AppRef, Duration, Size

DEFAULT_MAX_UPLOAD = Size(16 << 20)
BELIEVED = ("scheme", "user", "certificate", "country")
"""The default of the headers that `behind` believes."""


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All options of portico.toml and the flags. Every key is optional."""

    app: Annotated[
        AppRef | None,
        option(
            "The app: `module:attribute`, `module:factory()`, `module`, or a path to a .py file. Default: Portico "
            "finds it, as the flask command does.",
            example="shop:create_app()",
        ),
    ] = None
    name: Annotated[
        str,
        option(
            "The site's name in `status`, logs and directories. Default: the directory's.", example="shop"
        ),
    ] = ""
    domains: Annotated[
        list[str],
        option(
            "Host names of the site; a request for any other Host is closed without an answer. Empty: any Host, "
            "for development.",
            example=["shop.example", "www.shop.example"],
        ),
    ] = []
    canonical: Annotated[
        str,
        option("The canonical one of `domains`: the others redirect to it.", example="shop.example"),
    ] = ""
    email: Annotated[
        str,
        option(
            "Your email address, for the certificate authority. With domains it turns HTTPS on, see [https].",
            example="me@shop.example",
        ),
    ] = ""
    listen: Annotated[
        Address | None,
        option(
            "Address that the web server listens on; `:8080` is every address of the machine. Default: `:PORT` if the "
            "environment has PORT (as platforms set it) and HTTPS is off, else 127.0.0.1:8080 without domains, "
            ":80 with them.",
            example="127.0.0.1:8080",
        ),
    ] = None
    user: Annotated[
        str,
        option(
            "The user the app runs as when Portico is started as root. Default: the owner of the app's directory; "
            "`nobody` when that is root.",
            example="shop",
            reach="who the app runs as",
        ),
    ] = ""
    python: Annotated[
        str,
        option(
            "The Python that runs the app: an interpreter, or the directory of its environment; `portico` is the one "
            "that Portico runs in. Default: `.venv` or `venv` beside the app, else Portico's. See docs/environment.md.",
            example=".venv",
        ),
    ] = ""
    mount: Annotated[str, option("URL prefix of the app; it becomes SCRIPT_NAME.", example="/shop")] = "/"
    routed_by: Annotated[
        list[str],
        option(
            "The sites of the same gateway that may send requests here, by their [[route]]. This site then has no "
            "address, no names and no certificate of its own: those sites have them.",
            example=["shop"],
        ),
    ] = []
    behind: Annotated[
        list[str],
        option(
            "Address ranges of the trusted proxies in front, or the name of a known one (cloudflare). Only these "
            "may name the client in headers.",
            example=["10.0.0.0/8"],
        ),
    ] = []
    behind_only: Annotated[
        bool,
        option(
            "Only connections of those proxies and of this machine are answered; all others are closed without an "
            "answer, so that no client can bypass a CDN.",
            example=True,
        ),
    ] = False
    behind_headers: Annotated[
        list[str] | None,
        option(
            "The headers that those proxies set or remove in every request: `scheme`, `user`, `certificate`, "
            "`country`, `host` (X-Forwarded-Host), `prefix` (X-Forwarded-Prefix). Default: the first four; none "
            'with `behind_protocol = "proxy"`.',
            example=["scheme", "user", "host"],
        ),
    ] = None
    behind_protocol: Annotated[
        Literal["http", "proxy"],
        option(
            "How those proxies name the client: `http` in headers; `proxy` by the PROXY protocol (version 1 or 2), "
            "as TCP load balancers do. Then every connection to the site's addresses must begin with it.",
            example="proxy",
            source="https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt",
        ),
    ] = "http"
    client_headers: Annotated[
        list[str],
        option(
            "Headers that Portico accepts from proxies only (see docs/trust.md) although clients of this app send "
            "them themselves: the app gets them from any client.",
            example=["X-User-Id"],
        ),
    ] = []
    request_timeout: Annotated[
        Duration,
        option(
            "How long the app may be silent during a request. All timeouts follow from it: the gateway, the worker, "
            "draining, the service manager.",
            example="60s",
            source="https://docs.gunicorn.org/en/stable/settings.html#timeout",
        ),
    ] = Duration(30)
    max_upload: Annotated[
        Size | None,
        option(
            "Largest request body. KB, MB and GB mean KiB, MiB and GiB, as in nginx: 16MB is 16777216 bytes. "
            "Default: the app's own MAX_CONTENT_LENGTH, else 16MiB.",
            example="64MiB",
            source="https://nginx.org/en/docs/http/ngx_http_core_module.html#client_max_body_size",
        ),
    ] = None
    health: Annotated[
        str,
        option(
            "Path that shows whether the app is well. Portico asks it before a release goes live, and for "
            "/-/health, which answers on any Host.",
            example="/healthz",
        ),
    ] = "/"
    start_timeout: Annotated[
        Duration,
        option(
            "How long the app may take to be imported, and then to become healthy. The second limit is longer by "
            "three times the measured import time.",
            example="2m",
            source="https://kamal-deploy.org/docs/configuration/proxy/",
        ),
    ] = Duration(60)
    env_file: Annotated[
        list[str],
        option(
            "Files with environment variables of the app, one NAME=value a line; a later file wins. Variables that "
            "Portico itself has win over them. Default: `.flaskenv` and `.env` in the app's directory, as the flask "
            "command reads them.",
            example=["/etc/shop.env"],
            is_read=True,
        ),
    ] = []
    env: Annotated[
        dict[str, str],
        option(
            "Environment variables of the app. They win over those of `env_file` and over those that Portico itself "
            "has. Nothing shows their values.",
            example={"DJANGO_SETTINGS_MODULE": "shop.settings"},
        ),
    ] = {}
    processes: Annotated[
        dict[str, str],
        option(
            "Background processes beside the app, each a name and a command: they have the app's user, directory and "
            "environment, begin when a release serves, and end when another one does. One that ends is started "
            "again. No shell reads the command. `--processes=` starts none.",
            example={"worker": "celery -A shop worker"},
        ),
    ] = {}
    workers: Workers = Workers()
    https: Https = Https()
    downloads: Downloads = Downloads()
    static: Annotated[
        dict[str, str],
        option(
            "URL prefix and the directory that the gateway serves there, beside those found in the app.",
            example={"/media/": "media"},
            is_read=True,
        ),
    ] = {}
    spa: Annotated[
        str,
        option(
            "Directory of a built single-page app, with its index.html. The gateway serves its files at the root, and "
            "index.html if a browser requests a page that no route and no file answers.",
            example="frontend/dist",
            is_read=True,
        ),
    ] = ""
    limits: Limits = Limits()
    guard: Guard = Guard()
    crawlers: Crawlers = Crawlers()
    cache: Cache = Cache()
    headers: Headers = Headers()
    cors: Cors = Cors()
    upstream: Upstream = Upstream()
    mirror: Mirror = Mirror()
    node: Node = Node()
    release: Release = Release()
    fleet: Fleet = Fleet()
    log: Log = Log()
    trace: Trace = Trace()
    errors: Errors = Errors()
    metrics: Metrics = Metrics()
    dashboard: Dashboard = Dashboard()
    tracing: Tracing = Tracing()
    gateway: Annotated[
        Literal["nginx", "apache"],
        option(
            "The web server in front of the app: `nginx`, or `apache` for the Apache httpd 2.4 that is installed here. "
            "docs/apache.md compares them.",
            example="apache",
            source="https://httpd.apache.org/docs/2.4/",
        ),
    ] = "nginx"
    nginx: Nginx = Nginx()
    apache: Apache = Apache()
    access: dict[str, Access] = {}
    """By path, which may have placeholders: `[access."/admin"]` is /admin and everything below it."""
    routes: dict[str, Edge] = {}
    """By URL rule, in Flask's spelling: `[routes."/import/<int:id>"]`."""
    route: list[Route] = []
    """In the order of the file: each `[[route]]` is a rule that sends requests elsewhere."""
