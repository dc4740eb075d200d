"""Every option, declared once.

One declaration feeds the checking of portico.toml, the command line's flags, the reference page and the
JSON schema. `description` is the help; `extra` carries `source` (where the default comes from) and
`example` (a value worth showing).
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from portico.values import Address, AppRef, Duration, Size

DEFAULT_MAX_UPLOAD = Size(16 << 20)
HTTPS_PORTS_UP = 363
"""From 80 to 443, and from 8080 to 8443."""
BELIEVED = ("scheme", "user", "certificate", "country")
"""What `behind` lets a proxy say unless the user decides."""
HTTPS_FILES = ("acme_ca", "client_ca", "dns_credentials", "eab_hmac_file")
"""The keys of [https] that name a file, beside `cert` and `key`."""


def _option(
    help: str,  # noqa: A002  the field's own word
    *,
    example: Any,
    source: str = "",
    reach: str = "",
    is_read: bool = False,
) -> Meta:
    """`reach` says what the option gives beyond the rights of the app's user; empty for nothing. As root such an
    option counts only where root alone may write, see `site.reach`. `is_read`: it names a file or a folder, which is
    used with the rights of the app's user."""
    extra = {"example": example, "reach": reach, "is_read": is_read} | ({"source": source} if source else {})
    return Meta(description=help, extra=extra)


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of portico.toml. `shorthand` names the key that a plain value stands for."""

    shorthand: ClassVar[str] = ""


class Workers(Section, frozen=True):
    """The processes and threads that run the app."""

    shorthand: ClassVar[str] = "count"

    count: Annotated[
        int | Literal["auto"],
        _option(
            "Worker processes. `auto`: one a CPU that the cgroup quota really gives, at least 2, "
            "as many as fit the memory.",
            example=4,
        ),
    ] = "auto"
    threads: Annotated[
        int | Literal["auto"],
        _option("Threads in each worker: how many requests one worker may have waiting at once.", example=8),
    ] = "auto"
    max_requests: Annotated[
        int,
        _option(
            "Requests after which a worker is replaced, with a tenth of jitter so that not all leave at once; "
            "0 is never. No request is lost: it serves on until its successor has loaded the app.",
            example=10000,
            source="https://docs.gunicorn.org/en/stable/settings.html#max-requests",
        ),
    ] = 0
    max_memory: Annotated[
        Size | None,
        _option(
            "Resident memory above which a worker is replaced, without losing a request. If a worker has more when it "
            "has just loaded the app, the limit is one and a half times that, and Portico says so. "
            "Default: its share of three quarters of the memory the cgroup or machine has.",
            example="512MiB",
        ),
    ] = None
    queue: Annotated[
        Duration | None,
        _option(
            "How long a request may wait for a worker while more come than can be answered: the queue holds what "
            "the workers answer in that time, and one request for each thread at least. The others get 503 with "
            "`Retry-After` at once. A burst is let through: the bound begins when no worker has been idle for a "
            "second, and the time shrinks, down to a tenth, while many clients leave without an answer. Default: a "
            "sixth of `request_timeout`. `0s` sets no such bound: requests wait for up to three quarters of "
            "`request_timeout`.",
            example="1s",
        ),
    ] = None
    server: Annotated[
        Literal["gunicorn", "uwsgi"],
        _option("The program that runs the app: Gunicorn with Portico's worker, or uWSGI.", example="uwsgi"),
    ] = "gunicorn"


class Errors(Section, frozen=True):
    """The pages nginx shows when the app cannot answer."""

    shorthand: ClassVar[str] = "pages"

    pages: Annotated[
        str,
        _option(
            "Directory with pages of your own, named by status: 502.html, 404.html, 502.json; or maintenance.html. "
            "For a page that is missing there, Portico has its own.",
            example="errors",
            is_read=True,
        ),
    ] = ""


class Downloads(Section, frozen=True):
    """Files that the app sends and nginx carries for it."""

    shorthand: ClassVar[str] = "roots"

    roots: Annotated[
        list[str] | None,
        _option(
            "Directories of files that the app sends (`send_file`, `X-Sendfile`) and nginx may send in "
            "its place; the worker sends any other file. Default: the app's static and instance "
            "folders, Flask's UPLOAD_FOLDER, "
            "Django's MEDIA_ROOT.",
            example=["reports", "/srv/media"],
            is_read=True,
        ),
    ] = None


class Guard(Section, frozen=True):
    """What ends in nginx before it wakes the app, because of what a request says; see docs/guard.md and docs/waf.md."""

    shorthand: ClassVar[str] = "waf"

    waf: Annotated[
        Literal["off", "detect", "block"],
        _option(
            "Web application firewall: ModSecurity compares requests to the app with the OWASP Core Rule Set. `detect` "
            "only reports what it would refuse (portico waf), `block` answers 403. Needs an nginx with ModSecurity.",
            example="detect",
            source="https://coreruleset.org/docs/",
        ),
    ] = "off"
    waf_except: Annotated[
        list[str],
        _option(
            "Paths where rules of the firewall do not count: a path, with * for all that begin so, and the numbers of "
            "rules; a path alone is not inspected. Of several that fit the longest holds.",
            example=["/editor 941100 941160", "/api/* 942000-942999", "/hooks/*"],
        ),
    ] = []
    routes: Annotated[
        bool,
        _option(
            "A path or method that no rule of the app takes ends in nginx, with 404 or 405.",
            example=True,
        ),
    ] = False
    others: Annotated[
        list[str] | None,
        _option(
            "Rules for what the app answers without a route: in hooks, middleware, an app beside it. Said at "
            "all, it is the whole list: Portico takes your word that this code answers nothing else.",
            example=["/old/<path:rest>"],
        ),
    ] = None
    scanners: Annotated[
        bool,
        _option(
            "Paths that scanners try on every site (/.env, /wp-login.php) end in nginx with 404, where no rule "
            "of the app takes them and all of its rules are known.",
            example=False,
        ),
    ] = True


class Limits(Section, frozen=True):
    """What one client may ask for and hold; see docs/limits.md. What is refused gets 429 and never reaches the app."""

    shorthand: ClassVar[str] = "rate"

    rate: Annotated[
        list[str],
        _option(
            "Requests to the app that one client may begin: `10/second`, `5/minute`, `100/hour`; several hold "
            "together. As many are let through at once, unless `burst 20` says otherwise. `per session`, `per account` "
            "or `per header:NAME` count others than clients, `of POST` counts these methods only.",
            example=["10/second burst 40", "1000/hour"],
        ),
    ] = []
    in_progress: Annotated[
        int,
        _option(
            "Requests to the app that a client may have in progress at once, each stream of HTTP/2 counted; 0 sets no "
            "limit of your own. Idle connections do not count: nginx closes them when it runs out.",
            example=50,
            source="https://nginx.org/en/docs/http/ngx_http_limit_conn_module.html",
        ),
    ] = 0
    held: Annotated[
        int,
        _option(
            "Requests of any kind that a client may have in progress: files, slow downloads, event streams, too. "
            "0: an eighth of what this nginx can hold, see docs/capacity.md.",
            example=100,
            source="https://nginx.org/en/docs/http/ngx_http_limit_conn_module.html",
        ),
    ] = 0
    bandwidth: Annotated[
        str,
        _option(
            "How fast each answer is sent, files included: `1MiB/second`. A client has that for each of its requests "
            "in progress. Empty: as fast as the client takes it.",
            example="1MiB/second",
            source="https://nginx.org/en/docs/http/ngx_http_core_module.html#limit_rate",
        ),
    ] = ""
    exempt: Annotated[
        list[str],
        _option(
            "Networks that `rate`, `in_progress` and the limits of routes do not hold for: monitoring, an office.",
            example=["192.0.2.0/24", "2001:db8::/32"],
        ),
    ] = []
    session_cookie: Annotated[
        str,
        _option(
            "The cookie that `per session` counts by. Default: the one that the app's framework sets.",
            example="sid",
        ),
    ] = ""
    account_header: Annotated[
        str,
        _option(
            "The header in which a proxy that `behind` names says who the user is, for `per account`. Default: the "
            "client certificate, where `https.client_ca` asks for one.",
            example="X-Auth-Request-User",
        ),
    ] = ""
    dry_run: Annotated[
        bool,
        _option(
            "Refuse nothing; `portico limits` and the log show what `rate`, `in_progress` and the limits of routes "
            "would have refused.",
            example=True,
        ),
    ] = False


class Nginx(Section, frozen=True):
    """Which nginx, and directives of your own."""

    shorthand: ClassVar[str] = "binary"

    binary: Annotated[
        str,
        _option(
            "`auto` (the installed nginx or the one that comes with Portico: whichever has fewer known faults that "
            "this site would use), `embedded` (comes with Portico), `system` (the first nginx on PATH or in the sbin "
            "directories), or the path of a binary.",
            example="system",
            source="https://nginx.org/en/security_advisories.html",
            reach="root runs that program",
        ),
    ] = "auto"
    http: Annotated[
        list[str],
        _option(
            "Directives for the end of the `http` block, marked as yours; "
            "an entry that ends in .conf is a file.",
            example=["proxy_headers_hash_bucket_size 128;"],
            reach="nginx's master, which is root, reads and writes the files that directives name",
        ),
    ] = []
    server: Annotated[
        list[str],
        _option(
            "Directives for the end of the site's `server` block, marked as yours; "
            "an entry that ends in .conf is a file.",
            example=["location = /ping { return 204; }"],
            reach="nginx's master, which is root, reads and writes the files that directives name",
        ),
    ] = []


class Upstream(Section, frozen=True):
    """The servers that requests are shared among; without any, the local app alone."""

    shorthand: ClassVar[str] = "servers"

    servers: Annotated[
        list[str],
        _option(
            "Servers that answer: `10.0.0.2:8000`, `https://app-b`, `unix:/run/shop.sock`, `uwsgi://10.0.0.2:3031`, "
            "`fastcgi://10.0.0.2:9000`, or `app` for the local app; each may be followed by `weight=N` and "
            "`backup`. All must speak one protocol. Without `app` among them, no local app is started.",
            example=["10.0.0.2:8000 weight=3", "10.0.0.3:8000", "10.0.0.4:8000 backup"],
            source="https://nginx.org/en/docs/http/ngx_http_upstream_module.html#server",
            reach="nginx's user may talk to sockets that the app's user may not",
        ),
    ] = []
    method: Annotated[
        Literal["round_robin", "least_conn", "least_time", "ip_hash", "hash", "random_two"],
        _option(
            "Which server gets the next request: the next in turn, the one with the fewest requests, "
            "the fastest, the one "
            "of the client's address, the one of `hash_key`, or the better of two chosen at random.",
            example="least_conn",
            source="https://nginx.org/en/docs/http/ngx_http_upstream_module.html",
        ),
    ] = "round_robin"
    hash_key: Annotated[
        str,
        _option(
            "With method `hash`: the nginx variables that choose the server; consistent, so that a server that "
            "leaves moves only its own share.",
            example="$cookie_session",
            source="https://nginx.org/en/docs/http/ngx_http_upstream_module.html#hash",
        ),
    ] = "$request_uri"
    sticky: Annotated[
        str,
        _option(
            "Name of a cookie that brings a client back to the server that answered it first; empty is none.",
            example="route",
            source="https://nginx.org/en/docs/http/ngx_http_upstream_module.html#sticky",
        ),
    ] = ""
    check: Annotated[
        Duration,
        _option(
            "How often Portico checks each server: two bad answers in a row take it out, two good ones "
            "bring it back; `0s` is never.",
            example="1s",
        ),
    ] = Duration(2)
    check_path: Annotated[
        str,
        _option("The whole path of the check. Default: `mount` and `health`.", example="/-/health"),
    ] = ""
    tls_name: Annotated[
        str,
        _option(
            "The name in the certificates of https servers. Default: the host, when all have the same.",
            example="app.internal",
        ),
    ] = ""
    ca: Annotated[
        str,
        _option(
            "File with the certificates that may sign those of https servers. Default: the system's.",
            example="internal-ca.pem",
            is_read=True,
        ),
    ] = ""
    resolver: Annotated[
        list[str],
        _option(
            "Name servers that nginx asks for the addresses of the servers, again and again, so that "
            "it follows a change. Default: those of /etc/resolv.conf.",
            example=["10.0.0.53"],
            source="https://nginx.org/en/docs/http/ngx_http_core_module.html#resolver",
        ),
    ] = []


class Https(Section, frozen=True):
    """Certificates: fetched and renewed by Portico, made for development, or your own."""

    shorthand: ClassVar[str] = "mode"

    mode: Annotated[
        Literal["auto", "local", "files", "off"] | None,
        _option(
            "Where the certificate comes from: `auto` fetches and renews one (ACME, Let's Encrypt), `local` makes one "
            "for development, `files` takes `cert` and `key`. Default: `auto` with an `email`, `files` with a `cert`, "
            "else `off`.",
            example="auto",
        ),
    ] = None
    listen: Annotated[
        Address | None,
        _option(
            "Address of HTTPS; `listen` then redirects there. Default: that of `listen`, 363 ports up: 443 for 80, "
            "8443 for 8080.",
            example=":443",
        ),
    ] = None
    cert: Annotated[
        str,
        _option(
            "Your own certificate with its chain, PEM; read again whenever it changes.",
            example="/etc/ssl/shop/fullchain.pem",
            is_read=True,
        ),
    ] = ""
    key: Annotated[
        str,
        _option(
            "The key of `cert`, PEM, without a passphrase.", example="/etc/ssl/shop/privkey.pem", is_read=True
        ),
    ] = ""
    acme_server: Annotated[
        str,
        _option(
            "The certificate authority: `letsencrypt`, `letsencrypt-staging`, or the URL of an ACME directory.",
            example="https://acme.zerossl.com/v2/DV90",
            source="https://letsencrypt.org/docs/staging-environment/",
        ),
    ] = "letsencrypt"
    acme_staging: Annotated[
        str,
        _option(
            "ACME directory for a rehearsal of the first order: a mistake there does not count against "
            "the limits of the real one. "
            "Default: Let's Encrypt's own for Let's Encrypt, none for others; `off` is none.",
            example="off",
        ),
    ] = ""
    acme_ca: Annotated[
        str,
        _option(
            "File with the authorities that may sign the certificate of the ACME server, if that is a private one.",
            example="/etc/ssl/step-ca.pem",
            is_read=True,
        ),
    ] = ""
    acme_profile: Annotated[
        str,
        _option(
            "The kind of certificate to order, by the ACME server's own name: Let's Encrypt has `classic` (90 "
            "days, later 64 and 45), `tlsserver` and `shortlived` (6 days). Default: the server's own, for an IP "
            "address in `domains` `shortlived`.",
            example="shortlived",
            source="https://letsencrypt.org/docs/profiles/",
        ),
    ] = ""
    eab_kid: Annotated[
        str,
        _option("Key identifier of an external account, where the ACME server wants one.", example="kid-1"),
    ] = ""
    eab_hmac_file: Annotated[
        str,
        _option(
            "File with the HMAC key of that account.",
            example="/etc/portico/eab.key",
            reach="root uses it to order certificates",
        ),
    ] = ""
    dns: Annotated[
        str,
        _option(
            "Prove the domains by DNS with this certbot plugin (`cloudflare` is the package certbot-dns-cloudflare), "
            "which wildcards need. Default: by HTTP.",
            example="cloudflare",
            source="https://eff-certbot.readthedocs.io/en/stable/using.html#dns-plugins",
            reach="root runs that plugin",
        ),
    ] = ""
    dns_credentials: Annotated[
        str,
        _option(
            "The plugin's file of credentials.",
            example="/etc/portico/cloudflare.ini",
            reach="root uses them to change DNS",
        ),
    ] = ""
    resolver: Annotated[
        list[str],
        _option(
            "Name servers asked, before the first order, whether the domains point here. Default: those of "
            "/etc/resolv.conf.",
            example=["1.1.1.1"],
        ),
    ] = []
    challenge_port: Annotated[
        int,
        _option(
            "Port at which the ACME server asks for the challenge. All public servers ask at 80; "
            "another port is for a server of your own.",
            example=5002,
        ),
    ] = 80
    profile: Annotated[
        Literal["intermediate", "modern"],
        _option(
            "Mozilla's TLS profile: `intermediate` is TLS 1.2 and 1.3, `modern` TLS 1.3 alone.",
            example="modern",
            source="https://wiki.mozilla.org/Security/Server_Side_TLS",
        ),
    ] = "intermediate"
    http2: Annotated[
        Literal["auto", "on", "off"],
        _option(
            "HTTP/2 for clients that speak it. `auto`: on, unless the nginx in use has a severe fault in it.",
            example="off",
            source="https://nginx.org/en/docs/http/ngx_http_v2_module.html#http2",
        ),
    ] = "auto"
    hsts: Annotated[
        str,
        _option(
            "How long browsers are to insist on HTTPS: `ramp` (5 minutes, a day, a year, as the site proves "
            "itself), a duration, `preload` (a year, with all subdomains, for browsers' own lists), or `off`.",
            example="365d",
            source="https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Strict-Transport-Security",
        ),
    ] = "ramp"
    client_ca: Annotated[
        str,
        _option(
            "File with the authorities that may sign client certificates. A client without a certificate is refused.",
            example="staff-ca.pem",
            source="https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_client_certificate",
            is_read=True,
        ),
    ] = ""
    client_verify: Annotated[
        Literal["required", "optional"],
        _option(
            "`optional` also admits clients without a certificate, and the app reads SSL_CLIENT_VERIFY.",
            example="optional",
        ),
    ] = "required"


class Node(Section, frozen=True):
    """This host is one of several behind a gateway, and talks to nobody else."""

    shorthand: ClassVar[str] = "gateways"

    gateways: Annotated[
        list[str],
        _option(
            "Addresses of the gateways that this host answers: any other connection is closed without an answer. They "
            "are trusted proxies, as in `behind`.",
            example=["10.0.0.1"],
        ),
    ] = []


class Cache(Section, frozen=True):
    """What nginx keeps of the answers that the app marks `public` or `s-maxage`; never anything else."""

    shorthand: ClassVar[str] = "size"

    size: Annotated[
        Size,
        _option(
            "Disk space for answers that the app marks `public` or `s-maxage`, or whose route has `cache`; `0B` is no "
            "cache at all.",
            example="1GiB",
            source="https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_cache_path",
        ),
    ] = Size(256 << 20)
    item: Annotated[
        Size,
        _option("The largest answer that the cache stores.", example="4MiB"),
    ] = Size(1 << 20)


class Metrics(Section, frozen=True):
    """The numbers of the running site, for Prometheus."""

    shorthand: ClassVar[str] = "listen"

    listen: Annotated[
        Address | None,
        _option(
            "Address where Prometheus finds /metrics: numbers and the names of routes. It asks for a password, on "
            "loopback too, which every user of the machine reaches. Default: none; `portico metrics` prints them.",
            example="127.0.0.1:9145",
        ),
    ] = None
    password_file: Annotated[
        str,
        _option(
            "File whose first line is the password, as Basic with any name or as Bearer; it is read at each request, "
            "by Portico alone. Default: one that Portico makes, `look.password` in the state directory.",
            example="metrics.password",
        ),
    ] = ""


class Dashboard(Section, frozen=True):
    """The live picture of the running site, in a browser."""

    shorthand: ClassVar[str] = "listen"

    listen: Annotated[
        Address | None,
        _option(
            "Address of the dashboard. It asks for a password, on loopback too, which every user of the machine "
            "reaches. Default: none; `portico dashboard` serves it on loopback as long as it runs.",
            example="127.0.0.1:9146",
        ),
    ] = None
    password_file: Annotated[
        str,
        _option(
            "File whose first line is the password that a browser is asked for, with any name; it is read at each "
            "request, by Portico alone. Default: one that Portico makes, `look.password` in the state directory.",
            example="dashboard.password",
            is_read=True,
        ),
    ] = ""


class Tracing(Section, frozen=True):
    """OpenTelemetry: every request belongs to a trace, and its spans are sent to a collector."""

    shorthand: ClassVar[str] = "endpoint"

    endpoint: Annotated[
        str,
        _option(
            "Where spans go, by OTLP over HTTP: the URL of a collector; needs "
            "`pip install opentelemetry-proto requests`. `none`: the app is given `traceparent` and the log has it, "
            "but nothing is sent. Default: no tracing.",
            example="http://127.0.0.1:4318",
            source="https://opentelemetry.io/docs/specs/otlp/#otlphttp",
        ),
    ] = ""
    sample: Annotated[
        float,
        _option(
            "The share of the traces begun here that is sent, from 0 to 1. A trace that a proxy of "
            "`behind` began is sent if the proxy says so.",
            example=0.1,
            source="https://opentelemetry.io/docs/specs/otel/trace/sdk/#traceidratiobased",
        ),
    ] = 1.0
    service: Annotated[
        str, _option("The spans' `service.name`. Default: the site's `name`.", example="shop")
    ] = ""
    headers_file: Annotated[
        str,
        _option(
            "File with headers for the collector, one `Name: value` a line, such as an API key; it is read at each "
            "sending, by Portico alone.",
            example="collector.headers",
            is_read=True,
        ),
    ] = ""


class Access(Section, frozen=True):
    """Who may come to a path and everything below it; nginx asks, the app is not disturbed.

    What an inner table does not say holds as an outer one says it. Everything that holds must be fulfilled.
    """

    allow: Annotated[
        list[str] | None,
        _option(
            "Networks that may come; everybody else is refused with 403. Each entry is an address, a network, or a "
            "file of them, one a line, which is read again at a reload.",
            example=["10.0.0.0/8", "2001:db8::/32", "office.networks"],
            source="https://nginx.org/en/docs/http/ngx_http_geo_module.html",
        ),
    ] = None
    deny: Annotated[
        list[str] | None,
        _option(
            "Networks that are refused with 403, whatever `allow` says; entries as there.",
            example=["192.0.2.0/24", "blocked.networks"],
        ),
    ] = None
    methods: Annotated[
        list[str] | None,
        _option(
            "The methods that are taken; any other is refused with 405 and an Allow header. GET includes HEAD.",
            example=["GET", "POST"],
        ),
    ] = None
    users: Annotated[
        str | None,
        _option(
            "File of users with passwords, a `name:hash` a line as `portico password` writes it: browsers ask for both "
            "(401, Basic). Each request costs nginx 1 to 2 ms of CPU. It is read again at a reload.",
            example="/etc/portico/staff.users",
            source="https://nginx.org/en/docs/http/ngx_http_auth_basic_module.html",
            is_read=True,
        ),
    ] = None
    certificate: Annotated[
        bool | None,
        _option(
            "Only clients with a certificate that an authority of `https.client_ca` signed; everybody else is refused "
            'with 403. Needs `https.client_verify = "optional"` where other paths are open.',
            example=True,
            source="https://nginx.org/en/docs/http/ngx_http_ssl_module.html#var_ssl_client_verify",
        ),
    ] = None
    auth: Annotated[
        str | None,
        _option(
            "Who decides whether a client may come: the address of a service (oauth2-proxy, Authelia), a path of the "
            "app, or the endpoint of a view. nginx asks it with the head of each request; 2xx is yes, 401 and 403 are "
            "no, a redirect counts as 401, anything else is 500.",
            example="http://127.0.0.1:4180/oauth2/auth",
            source="https://nginx.org/en/docs/http/ngx_http_auth_request_module.html",
        ),
    ] = None
    sign_in: Annotated[
        str | None,
        _option(
            "With `auth`: where browsers are sent that are not signed in; programs get 401. To one that ends with `=`, "
            "the address that was asked for is added.",
            example="/login?next=",
        ),
    ] = None
    auth_headers: Annotated[
        list[str] | None,
        _option(
            "With `auth`: headers of its answer that the app is given; what clients send under these names never "
            "arrives. Default: Remote-User, -Groups, -Name, -Email and X-Auth-Request-User, -Email, -Groups, "
            "-Preferred-Username.",
            example=["Remote-User", "Remote-Groups"],
        ),
    ] = None
    internal: Annotated[
        bool | None,
        _option(
            "Nobody comes here from outside but the networks of an `allow` in the same place: 404, as if there were "
            "nothing. Questions of nginx's own (`auth`) do.",
            example=True,
        ),
    ] = None
    anybody: Annotated[
        bool | None,
        _option("Nothing that an outer table says holds here.", example=True),
    ] = None


class Edge(Access, frozen=True):
    """What nginx does differently for one route. The same can stand beside the view: `from portico import edge`."""

    timeout: Annotated[
        Duration | None,
        _option("How long the app may be silent in a request, in place of `request_timeout`.", example="5m"),
    ] = None
    max_upload: Annotated[
        Size | None,
        _option("Largest request body, in place of the site's `max_upload`.", example="2GiB"),
    ] = None
    stream: Annotated[
        bool,
        _option(
            "What the app yields goes to the client at once, without being collected by nginx, and it may be silent "
            "for an hour. Server-sent events need no such word: they are seen by their type.",
            example=True,
        ),
    ] = False
    upload_to_file: Annotated[
        bool,
        _option(
            "The app is given the file that nginx wrote the request body to, instead of the body: open as "
            "`wsgi.input`, its path in the environ as `portico.upload`. It is removed after the request.",
            example=True,
        ),
    ] = False
    private: Annotated[
        bool,
        _option("No cache keeps the answer: not nginx's, not a browser's, none in between.", example=True),
    ] = False
    cache: Annotated[
        Duration | None,
        _option(
            "nginx keeps the answer so long, unless the app says another time, or that it must not be kept (`private`, "
            "`no-store`, a cookie that is set). When many ask at once, only one request reaches the app.",
            example="60s",
        ),
    ] = None
    vary: Annotated[
        list[str],
        _option(
            "With `cache`: what the answer depends on beside the URL: request headers, or cookies as `cookie:NAME`.",
            example=["Accept-Language", "cookie:theme"],
        ),
    ] = []
    headers: Annotated[
        dict[str, str],
        _option(
            'Headers of this route\'s answers, over those of [headers]; `""` leaves one out.',
            example={"X-Frame-Options": "DENY"},
        ),
    ] = {}
    limit: Annotated[
        list[str],
        _option(
            "What one client may ask of this route, beside the limits of the site: `5/minute`, `2 in progress`, "
            "`100/hour per session`, `5/minute of POST`; several hold together. `off`: the site's do not hold here. "
            "See docs/limits.md.",
            example=["5/minute of POST"],
        ),
    ] = []
    bandwidth: Annotated[
        str,
        _option(
            "How fast each answer of this route is sent, in place of `limits.bandwidth`.",
            example="256KiB/second",
        ),
    ] = ""


class Headers(Section, frozen=True):
    """Headers that every answer carries, unless the app says them itself."""

    shorthand: ClassVar[str] = "preset"

    preset: Annotated[
        Literal["off", "strict", "api"],
        _option(
            "The headers to begin with: `strict` for pages, `api` for an API without pages, `off` for none. "
            "docs/headers.md has them.",
            example="strict",
            source="https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers",
        ),
    ] = "off"
    csp: Annotated[
        str,
        _option(
            "Content-Security-Policy, in place of the preset's.",
            example="default-src 'self'; img-src 'self' https://img.shop.example",
            source="https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Content-Security-Policy",
        ),
    ] = ""
    csp_report_only: Annotated[
        bool,
        _option(
            "Browsers only report what the policy would block (Content-Security-Policy-Report-Only).",
            example=True,
        ),
    ] = False
    frames: Annotated[
        list[str],
        _option(
            "Who may show the site's pages in a frame: `none`, or `self` and origins. It sets X-Frame-Options and "
            "`frame-ancestors`. Default: the preset's.",
            example=["self", "https://partner.example"],
            source="https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Content-Security-Policy/frame-ancestors",
        ),
    ] = []
    set: Annotated[
        dict[str, str],
        _option(
            'More headers, and other values of those of the preset; `""` leaves one out.',
            example={"Permissions-Policy": "camera=(self)"},
        ),
    ] = {}
    remove: Annotated[
        list[str],
        _option(
            "Headers of the app that clients do not get, beside those that the preset removes. A header that is set "
            "here, too, always has the value from here.",
            example=["X-Runtime"],
        ),
    ] = []


class Cors(Section, frozen=True):
    """Which other sites may read this one's answers in a browser (CORS), where the app does not say so itself."""

    shorthand: ClassVar[str] = "origins"

    origins: Annotated[
        list[str],
        _option(
            "Origins whose pages may read the answers: `https://app.example`, `https://*.shop.example`, or `*` for "
            "all. nginx answers their preflights.",
            example=["https://app.example"],
            source="https://fetch.spec.whatwg.org/#http-cors-protocol",
        ),
    ] = []
    methods: Annotated[
        list[str],
        _option("Methods that those pages may use.", example=["GET", "POST"]),
    ] = msgspec.field(default_factory=lambda: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
    headers: Annotated[
        list[str],
        _option("Request headers that they may send; `*` is any.", example=["Authorization", "Content-Type"]),
    ] = msgspec.field(default_factory=lambda: ["*"])
    expose: Annotated[
        list[str],
        _option(
            "Response headers that they may read, beside those that every page may.",
            example=["ETag", "X-Request-ID"],
            source="https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name",
        ),
    ] = msgspec.field(default_factory=lambda: ["X-Request-ID", "Retry-After"])
    credentials: Annotated[
        bool,
        _option("Their requests may carry cookies and Authorization of this site.", example=True),
    ] = False
    max_age: Annotated[
        Duration,
        _option("How long a browser may remember the answer to a preflight.", example="10m"),
    ] = Duration(7200)


class Log(Section, frozen=True):
    """The log files, and what `portico run` shows of them."""

    shorthand: ClassVar[str] = "show"

    show: Annotated[
        Literal["auto", "text", "json", "off"],
        _option(
            "What `portico run` writes to its standard output for each request: a short line, its JSON line, or "
            "nothing. `auto`: a short line on a terminal, JSON elsewhere. The files are written in any case.",
            example="off",
        ),
    ] = "auto"
    size: Annotated[
        Size,
        _option(
            "Size at which a log file is rotated: access.log becomes access.log.1. `0B` is never, for "
            "a logrotate of your own.",
            example="256MiB",
        ),
    ] = Size(64 << 20)
    age: Annotated[
        Duration,
        _option("Age of the first line at which a log file is rotated; `0s` is never.", example="1d"),
    ] = Duration(7 * 86400)
    keep: Annotated[
        int, _option("How many rotated files of each log are kept; older ones are removed.", example=30)
    ] = 8


class Trace(Section, frozen=True):
    """What `portico trace` writes down."""

    shorthand: ClassVar[str] = "mask"

    mask: Annotated[
        list[str],
        _option(
            "Headers, environ variables and query parameters whose values a trace does not show. Cookies, "
            "authorisation and names like token, secret, password, session are masked in any case.",
            example=["X-Customer", "email"],
        ),
    ] = []


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything portico.toml and the flags can say. Every key is optional."""

    app: Annotated[
        AppRef | None,
        _option(
            "The app: `module:attribute`, `module:factory()`, `module`, or a path to a .py file. "
            "Default: Portico finds it, as the flask command does.",
            example="shop:create_app()",
        ),
    ] = None
    name: Annotated[
        str,
        _option(
            "The site's name in `status`, logs and directories. Default: the directory's.", example="shop"
        ),
    ] = ""
    domains: Annotated[
        list[str],
        _option(
            "Host names the site answers to; any other Host is closed without an answer. "
            "Empty: any Host, for development.",
            example=["shop.example", "www.shop.example"],
        ),
    ] = []
    canonical: Annotated[
        str,
        _option("The one of `domains` to which the others redirect.", example="shop.example"),
    ] = ""
    email: Annotated[
        str,
        _option(
            "Your email address, for the certificate authority. With domains it turns HTTPS on, see [https].",
            example="me@shop.example",
        ),
    ] = ""
    listen: Annotated[
        Address | None,
        _option(
            "Address nginx listens on; `:8080` is every address of the machine. Default: `:PORT` where the environment "
            "has PORT (as platforms set it) and HTTPS is off, else 127.0.0.1:8080 without domains, :80 with them.",
            example="127.0.0.1:8080",
        ),
    ] = None
    user: Annotated[
        str,
        _option(
            "The user the app runs as when Portico is started as root. Default: the owner of the app's directory; "
            "`nobody` when that is root.",
            example="shop",
            reach="who the app runs as",
        ),
    ] = ""
    mount: Annotated[
        str, _option("URL prefix the app lives under; becomes SCRIPT_NAME.", example="/shop")
    ] = "/"
    behind: Annotated[
        list[str],
        _option(
            "Address ranges of the trusted proxies in front, or the name of a known one (cloudflare). "
            "Only these may say who the client is.",
            example=["10.0.0.0/8"],
        ),
    ] = []
    behind_only: Annotated[
        bool,
        _option(
            "Only those proxies are answered, and this machine itself: any other connection is closed without an "
            "answer. So nobody goes past a CDN.",
            example=True,
        ),
    ] = False
    behind_headers: Annotated[
        list[str] | None,
        _option(
            "What those proxies say in headers that they set or remove in every request: `scheme`, `user`, "
            "`certificate`, `country`, `host` (X-Forwarded-Host), `prefix` (X-Forwarded-Prefix). Default: the first "
            'four; none with `behind_protocol = "proxy"`.',
            example=["scheme", "user", "host"],
        ),
    ] = None
    behind_protocol: Annotated[
        Literal["http", "proxy"],
        _option(
            "How those proxies name the client: `http` in headers; `proxy` by the PROXY protocol (version 1 or 2), "
            "as TCP load balancers do. Then every connection to the site's addresses must begin with it.",
            example="proxy",
            source="https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt",
        ),
    ] = "http"
    client_headers: Annotated[
        list[str],
        _option(
            "Headers that Portico takes for a proxy's (see docs/trust.md) and that clients of this app "
            "send themselves: the app gets them from any client.",
            example=["X-User-Id"],
        ),
    ] = []
    request_timeout: Annotated[
        Duration,
        _option(
            "How long the app may be silent in a request. nginx, the worker, draining and the service "
            "manager all take their times from it.",
            example="60s",
            source="https://docs.gunicorn.org/en/stable/settings.html#timeout",
        ),
    ] = Duration(30)
    max_upload: Annotated[
        Size | None,
        _option(
            "Largest request body. KB, MB and GB mean KiB, MiB and GiB, as in nginx: 16MB is 16777216 bytes. "
            "Default: the app's own MAX_CONTENT_LENGTH, else 16MiB.",
            example="64MiB",
            source="https://nginx.org/en/docs/http/ngx_http_core_module.html#client_max_body_size",
        ),
    ] = None
    health: Annotated[
        str,
        _option(
            "Path that shows the app is well. Portico asks it before a release goes live, and for "
            "/-/health, which answers on any Host.",
            example="/healthz",
        ),
    ] = "/"
    start_timeout: Annotated[
        Duration,
        _option(
            "How long the app may take to be imported, and then to become healthy. The second gets "
            "three times the import's own time on top.",
            example="2m",
            source="https://kamal-deploy.org/docs/configuration/proxy/",
        ),
    ] = Duration(60)
    workers: Workers = Workers()
    https: Https = Https()
    downloads: Downloads = Downloads()
    static: Annotated[
        dict[str, str],
        _option(
            "URL prefix and the directory nginx serves it from, beside those found in the app.",
            example={"/media/": "media"},
            is_read=True,
        ),
    ] = {}
    spa: Annotated[
        str,
        _option(
            "Directory of a single-page app that was built, with its index.html. nginx serves its files at the root, "
            "and index.html where a browser asks for a page that no route and no file answers.",
            example="frontend/dist",
            is_read=True,
        ),
    ] = ""
    limits: Limits = Limits()
    guard: Guard = Guard()
    cache: Cache = Cache()
    headers: Headers = Headers()
    cors: Cors = Cors()
    upstream: Upstream = Upstream()
    node: Node = Node()
    log: Log = Log()
    trace: Trace = Trace()
    errors: Errors = Errors()
    metrics: Metrics = Metrics()
    dashboard: Dashboard = Dashboard()
    tracing: Tracing = Tracing()
    nginx: Nginx = Nginx()
    access: dict[str, Access] = {}
    """By path, which may have placeholders: `[access."/admin"]` is /admin and everything below it."""
    routes: dict[str, Edge] = {}
    """By URL rule, in Flask's spelling: `[routes."/import/<int:id>"]`."""
