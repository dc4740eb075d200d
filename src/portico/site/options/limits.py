"""The table [limits]."""

from __future__ import annotations

from typing import Annotated, ClassVar

from portico.site.options.section import Section, option


class Limits(Section, frozen=True):
    """Limits for each client; see docs/limits.md. A request over a limit gets 429 and never reaches the app."""

    shorthand: ClassVar[str] = "rate"

    rate: Annotated[
        list[str],
        option(
            "The rate of requests to the app for each client: `10/second`, `5/minute`, `100/hour`; all of several "
            "apply. The burst is the same number, unless `burst 20` sets another. `per session`, `per account` or "
            "`per header:NAME` count others than clients, `of POST` counts these methods only.",
            example=["10/second burst 40", "1000/hour"],
        ),
    ] = []
    in_progress: Annotated[
        int,
        option(
            "Requests to the app that a client may have in progress at once, each HTTP/2 stream counted; 0 sets "
            "no such limit. Idle connections do not count: the gateway closes them when it runs out.",
            example=50,
            source="https://nginx.org/en/docs/http/ngx_http_limit_conn_module.html",
        ),
    ] = 0
    held: Annotated[
        int,
        option(
            "Requests of any kind that a client may have in progress: also files, slow downloads, event streams. "
            "0: an eighth of what this gateway can hold, see docs/capacity.md.",
            example=100,
            source="https://nginx.org/en/docs/http/ngx_http_limit_conn_module.html",
        ),
    ] = 0
    bandwidth: Annotated[
        str,
        option(
            "Bandwidth of each answer, files included: `1MiB/second`. Each of a client's requests in progress has "
            "it. Empty: as fast as the client reads.",
            example="1MiB/second",
            source="https://nginx.org/en/docs/http/ngx_http_core_module.html#limit_rate",
        ),
    ] = ""
    exempt: Annotated[
        list[str],
        option(
            "Networks that `rate`, `in_progress` and the limits of routes do not apply to: monitoring, an office.",
            example=["192.0.2.0/24", "2001:db8::/32"],
        ),
    ] = []
    session_cookie: Annotated[
        str,
        option(
            "The cookie that `per session` counts by. Default: the one that the app's framework sets.",
            example="sid",
        ),
    ] = ""
    account_header: Annotated[
        str,
        option(
            "The header in which a proxy of `behind` names the user, for `per account`. Default: the client "
            "certificate, if `https.client_ca` asks for one.",
            example="X-Auth-Request-User",
        ),
    ] = ""
    dry_run: Annotated[
        bool,
        option(
            "Refuse no request; `portico limits` and the log show what `rate`, `in_progress` and the limits of "
            "routes would have refused.",
            example=True,
        ),
    ] = False
