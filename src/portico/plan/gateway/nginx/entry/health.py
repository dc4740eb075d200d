"""The health path: nginx asks the app in a subrequest (`auth_request`) and uses the status only."""

from __future__ import annotations

from portico.plan.gateway.nginx.app.full_queue import if_full
from portico.plan.gateway.nginx.app.link import dialect, pass_to_app, told_to_app
from portico.plan.gateway.nginx.names import location, name_of
from portico.plan.gateway.nginx.own import let_in
from portico.plan.gateway.nginx.syntax import Directive, block, directive
from portico.plan.web.entry.health import HEALTH
from portico.plan.web.model import Web

_ASK = f"{HEALTH}/app"
_NOT_LOGGED = "a check every second would drown the log"


def health_locations(web: Web) -> list[Directive]:
    """The locations of a server that answers it."""
    if not web.health.is_answered:
        return []
    cause = web.health.cause
    return [
        block(
            "location", "=", HEALTH,
            why="health for load balancers, which ask by address: on any Host, one word",
            cause=cause,
            of=[
                directive("access_log", "off", why=_NOT_LOGGED),
                directive(
                    "limit_req", f"zone={name_of(web, 'health')}", f"burst={web.health.burst}", "nodelay",
                    why="no client can wear the app out",
                ),
                directive("limit_req_status", 429, why="429 Too Many Requests; nginx's own default is 503"),
                *let_in(web),
                *([] if web.upstream.is_nobody else _asks(web)),
                directive("try_files", "/-/", location(web, "well"), why="reached when the site is well"),
            ],
        ),
        *([] if web.upstream.is_nobody else [_question(web), _unasked(web)]),
        _word(location(web, "well"), 200, "ok", why="the site is well"),
        *([] if web.upstream.is_nobody else _judged(web)),
    ]  # fmt: skip


def _asks(web: Web) -> list[Directive]:
    cause = web.health.cause
    return [
        directive("auth_request", _ASK, why="asks the app; its answer only counts", cause=cause),
        directive("error_page", 500, "=503", location(web, "unwell"), why="an app that fails is not well"),
    ]


def _judged(web: Web) -> list[Directive]:
    return [
        _word(location(web, "unwell"), 503, "unwell", why="the app failed or is not there: send the traffic elsewhere"),
        block(
            "location", location(web, "answered"), why="any answer below 500 is one of an app that is well",
            of=[directive("return", 204, why="what auth_request takes for a yes")],
        ),
    ]  # fmt: skip


def health_zone(web: Web) -> Directive:
    """At `http` level: the shared memory that counts health requests."""
    return directive(
        "limit_req_zone", "$binary_remote_addr", f"zone={name_of(web, 'health')}:1m", f"rate={web.health.rate}r/s",
        why="counts the health checks of each address: ten a second are more than any load balancer sends",
    )  # fmt: skip


def notes(web: Web) -> list[str]:
    """Notes for the user."""
    if web.health.is_answered:
        return []
    return [f"this nginx was built without auth_request: {HEALTH} is not answered"]


def _question(web: Web) -> Directive:
    link, health = dialect(web), web.health
    return block(
        "location", "=", _ASK, why="Portico's own question to the app", cause=health.cause,
        of=[
            directive("internal", why="only the health location leads here"),
            directive(f"{link}_intercept_errors", "on", why="the status counts, not the page"),
            directive(
                "error_page", *health.well, "=204", location(web, "answered"),
                why="an app that asks for a login is well",
            ),
            directive("error_page", 502, "=", location(web, "unasked"), why="no worker took the question"),
            *told_to_app(web, path=health.path, host=health.host),
            pass_to_app(web, path=health.path),
        ],
    )  # fmt: skip


def _unasked(web: Web) -> Directive:
    return block(
        "location", location(web, "unasked"), why="an app that is busy is not an app that is down",
        of=[
            *if_full(web, directive("return", 204, why="taking a busy server out makes the others busier")),
            directive("return", 502, why="the app is not there"),
        ],
    )  # fmt: skip


def _word(name: str, status: int, text: str, *, why: str) -> Directive:
    return block(
        "location", name, why=why,
        of=[
            directive("access_log", "off", why=_NOT_LOGGED),
            directive("default_type", "text/plain", why="one word, not a page"),
            directive("return", status, text, why=why),
        ],
    )  # fmt: skip
