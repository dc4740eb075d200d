"""Access that another party decides (`auth_request`): nginx sends it the head of the request, without the body.

Maps of the path are evaluated before (`$portico_checked`), because the subrequest has another path; what the server
would empty for it is `resets`.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from portico.plan.gateway.nginx.app.link import dialect, pass_to_app, told_last, told_to_app
from portico.plan.gateway.nginx.app.users import USER_HEADER, answered, are_headers, both, headers
from portico.plan.gateway.nginx.by_path import by_path
from portico.plan.gateway.nginx.entry.host_header import host_seen, path_seen
from portico.plan.gateway.nginx.entry.trust import scheme
from portico.plan.gateway.nginx.headers import of_nginx
from portico.plan.gateway.nginx.log.text import GUARD
from portico.plan.gateway.nginx.names import header_word, location, variable
from portico.plan.gateway.nginx.pages import any_body, error_pages
from portico.plan.gateway.nginx.password import together
from portico.plan.gateway.nginx.syntax import Directive, block, directive, entries, literal
from portico.plan.web.access import Check
from portico.plan.web.model import Web
from portico.plan.web.refusals import AUTH

ASK = "/-/access"
"""The prefix of the subrequests; each check has a location below it."""
_CONDITIONS = ("If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range", "Range")
_REDIRECTS = (301, 302, 303, 307, 308)
_SECONDS = 10
_NOBODY = "nobody"
_ASKED_FOR = "https://nginx.org/en/docs/http/ngx_http_auth_request_module.html#auth_request"
_BODY = "the question is about the head of a request"
_SAYS = "the status counts: a redirect to a page for signing in is a no"


def check_maps(web: Web) -> list[Directive]:
    """At `http` level."""
    checks = web.access.checks
    if checks is None:
        return []
    numbers = _numbers(web)
    return [
        by_path(web, "check", checks, numbers, "who decides about the path, by number"),
        _verdict(web, numbers),
        *_sign_in_map(web, numbers),
        *_came_map(web),
    ]  # fmt: skip


def _numbers(web: Web) -> dict[Check, str]:
    """The value of the check's variable; `nobody` if no client has access."""
    checks = web.access.checks.values if web.access.checks else ()
    numbers = {check: str(number) for number, check in enumerate(filter(_is_asked, checks), 1)}
    return {check: numbers.get(check, _NOBODY) for check in checks}


def _is_asked(check: Check) -> bool:
    return bool(check.path or check.url)


def _verdict(web: Web, numbers: dict[Check, str]) -> Directive:
    source, table = "$upstream_status", [("default", AUTH), ("", ""), (r"~2\d\d$", "")]
    if _NOBODY in numbers.values():
        source = f"{variable(web, 'checked')}:$upstream_status"
        table = [("default", AUTH), (f"{_NOBODY}:", AUTH), ("~:$", ""), (r"~2\d\d$", "")]
    why = "the guard that refused, unless the check granted access or was not needed"
    return entries("map", source, variable(web, "verdict"), table=table, why=why)


def asked(web: Web, *, is_alone: bool) -> list[Directive]:
    """In a location."""
    checked, check = variable(web, "checked"), variable(web, "check")
    return [
        *([together()] if is_alone else []),
        directive("set", checked, check, why="by the path of the request: the question has one of its own"),
        directive("auth_request", ASK, why="a view or a service decides about access", cause=_cause(web)),
        directive("auth_request_set", GUARD, variable(web, "verdict"), why="the log line says who refused"),
        *(
            directive("auth_request_set", answered(web, name), f"$upstream_http_{header_word(name)}", why="for the app")
            for name in headers(web)
        ),
    ]  # fmt: skip


def check_pages(web: Web) -> list[Directive]:
    """The error pages of refused requests, at server level and in locations with error pages of their own."""
    if web.access.checks is None:
        return []
    made = error_pages(403)
    if not _signs_in(web):
        return [*made, *error_pages(401)]
    why = "a browser is redirected to the sign-in page, a program gets 401"
    return [*made, directive("error_page", 401, "=", location(web, "signed_out"), why=why, cause=_cause(web))]


def check_locations(web: Web) -> list[Directive]:
    """The targets of the subrequests and of browsers that are not signed in."""
    if web.access.checks is None:
        return []
    return [
        _choice(web),
        *(
            _question(web, number, check)
            for check, number in _numbers(web).items()
            if _is_asked(check)
        ),
        block(
            "location", location(web, "not_signed_in"), why="a redirect is what views say that ask people to sign in",
            of=[directive("return", 401, why="what auth_request takes for a no")],
        ),
        *_signed_out(web),
    ]  # fmt: skip


def _choice(web: Web) -> Directive:
    checked, numbers = variable(web, "checked"), _numbers(web)
    return block(
        "location", "=", ASK, why="asks who decides about the path", cause=_cause(web),
        of=[
            directive("internal", why="only nginx itself asks"),
            block(
                "if", "(", checked, "=", '', ")", why="no check is needed",
                of=[directive("return", 204, why="what auth_request takes for a yes")],
            ),
            *(
                block(
                    "if", f"({checked}", "=", f"{number})", why=check.url or check.path, cause=check.cause,
                    of=[directive("rewrite", "^", f"{ASK}/{number}", "last", why="asks there")],
                )
                for check, number in numbers.items()
                if _is_asked(check)
            ),
            *(_nobody(checked) if _NOBODY in numbers.values() else []),
            directive("return", 500, why="nobody else is known"),
        ],
    )  # fmt: skip


def _nobody(checked: str) -> Iterator[Directive]:
    yield block(
        "if", f"({checked}", "=", f"{_NOBODY})",
        why="another spelling of a path whose rules name two who decide: an app may take it for either",
        of=[directive("return", 403, why="what auth_request takes for a no")],
    )  # fmt: skip


def _question(web: Web, number: str, check: Check) -> Directive:
    return block(
        "location", "=", f"{ASK}/{number}", why="the question, with the head of the request", cause=check.cause,
        source=_ASKED_FOR,
        of=[
            directive("internal", why="only nginx itself asks"),
            any_body(),
            *(_of_app(web, check) if check.path else _elsewhere(web, check)),
        ],
    )  # fmt: skip


def _of_app(web: Web, check: Check) -> list[Directive]:
    link = dialect(web)
    return [
        directive(f"{link}_intercept_errors", "on", why=_SAYS),
        directive("error_page", *_REDIRECTS, "=401", location(web, "not_signed_in"), why=_SAYS),
        directive(f"{link}_pass_request_body", "off", why=_BODY),
        *(_asked_by_http(web) if link == "proxy" else _asked_by_uwsgi(web, check)),
        *([directive("proxy_method", "GET", why="a question, whatever the request does")] if link == "proxy" else []),
        pass_to_app(web, path=check.path.removeprefix(web.prefix) if link == "proxy" else ""),
    ]  # fmt: skip


def _asked_by_uwsgi(web: Web, check: Check) -> list[Directive]:
    """The app's parameters about the request, with the path of the view that decides."""
    path, _, query = check.path.partition("?")
    own = {
        "REQUEST_METHOD": "GET", "QUERY_STRING": query, "CONTENT_TYPE": "", "CONTENT_LENGTH": "",
        "REQUEST_URI": check.path, "PATH_INFO": path_seen(web).replace("$document_uri", path),
    }  # fmt: skip
    about = {_variable(name): value for name, value in _about(web).items()}
    left = {_variable(name) for name in (*_CONDITIONS, "Upgrade", "Connection")} | {
        _variable(name) for name in headers(web)
    }
    left |= {"PORTICO_UPLOAD", "REMOTE_USER"} | set(about)
    made = list[Directive]()
    for one in told_to_app(web):
        name = one.args[0] if one.name.endswith("_param") else ""
        if name in own:
            made.append(replace(one, args=(name, own[name])))
        elif name == "HTTP_AUTHORIZATION":
            made.append(replace(one, args=(name, "$http_authorization", "if_not_empty")))
        elif name not in left:
            made.append(one)
    param = f"{dialect(web)}_param"
    blank = sorted(left - set(about) - {"PORTICO_UPLOAD", "REMOTE_USER"})
    return [
        *made,
        *(directive(param, name, "", "if_not_empty", why="no part of the question") for name in blank),
        *(directive(param, name, value, why="which request it is about") for name, value in about.items()),
        *told_last(web),
    ]  # fmt: skip


def _asked_by_http(web: Web) -> list[Directive]:
    own = {"Upgrade": "", "Connection": "close"}
    about = _about(web)
    left = {"Remote-User", "Authorization", *own, *_CONDITIONS, *headers(web), *about}
    told = [
        one
        for one in told_to_app(web)
        if not (one.name in ("proxy_set_header", "proxy_pass_request_body") and one.args[0] in left)
    ]
    blank = dict.fromkeys([*_CONDITIONS, *headers(web), "Content-Length"], "")
    told_of = {**blank, **own, **about}
    why = "which request it is about"
    return [
        *told,
        *(directive("proxy_set_header", name, value, why=why) for name, value in told_of.items()),
        *told_last(web),
    ]  # fmt: skip


def _elsewhere(web: Web, check: Check) -> Iterator[Directive]:
    yield directive("proxy_intercept_errors", "on", why=_SAYS)
    yield directive("error_page", *_REDIRECTS, "=401", location(web, "not_signed_in"), why=_SAYS)
    yield directive("proxy_pass_request_body", "off", why=_BODY)
    yield directive("proxy_method", "GET", why="a question, whatever the request does")
    yield directive("proxy_http_version", "1.1", why="every service speaks it")
    said = {
        **dict.fromkeys(web.trust.removed, ""), **dict.fromkeys(_CONDITIONS, ""), **dict.fromkeys(headers(web), ""),
        "Content-Length": "", "Upgrade": "", "Connection": "close", "X-Request-ID": "$request_id",
        "X-Real-IP": "$remote_addr", "X-Forwarded-For": "$remote_addr", "X-Forwarded-Proto": scheme(web),
        "X-Forwarded-Host": host_seen(web), **_about(web),
    }  # fmt: skip
    for name, value in said.items():
        yield directive(
            "proxy_set_header", name, value, why="who asks for what; nothing that a client says of it"
        )
    for what in ("connect", "read", "send"):
        yield directive(
            f"proxy_{what}_timeout", f"{_SECONDS}s", why="who does not answer by then has failed: 500"
        )
    if check.url.startswith("https:"):
        yield directive("proxy_ssl_verify", "on", why="a service that cannot prove its name decides nothing")
        yield directive(
            "proxy_ssl_trusted_certificate", literal(check.authorities, check.cause), why="who may sign"
        )
        yield directive("proxy_ssl_verify_depth", 3, why="room for certificates between its own and the root")
        yield directive("proxy_ssl_server_name", "on", why="says the name in the handshake")
    yield directive("proxy_pass", check.url, why="the service that decides", cause=check.cause)


def _about(web: Web) -> dict[str, str]:
    """Which request it is, under the names that oauth2-proxy, Authelia and others read."""
    return {
        "X-Original-URL": f"{scheme(web)}://{host_seen(web)}$request_uri", "X-Original-URI": "$request_uri",
        "X-Original-Method": "$request_method", "X-Forwarded-Method": "$request_method",
        "X-Forwarded-Uri": "$request_uri",
    }  # fmt: skip


def _signed_out(web: Web) -> Iterator[Directive]:
    if not _signs_in(web):
        return
    at = variable(web, "sign_in")
    yield block(
        "location", location(web, "signed_out"), why="reached at 401", cause=_cause(web),
        of=[
            *error_pages(401),
            *of_nginx(web),
            directive("add_header", "Cache-Control", "no-store", "always", why="no cache may store it"),
            block(
                "if", f"({at})", why="a browser that goes to a page",
                of=[directive("return", 302, at, why="the page for signing in")],
            ),
            directive("return", 401, why="a program, or a password"),
        ],
    )  # fmt: skip


def _sign_in_map(web: Web, numbers: dict[Check, str]) -> Iterator[Directive]:
    if not _signs_in(web):
        return
    asked = {True: "$request_uri", False: f"{scheme(web)}://{host_seen(web)}$request_uri"}
    rows = [
        (f"~*^{AUTH}:{number}:(?:GET|HEAD):.*text/html",
         check.sign_in + (asked[check.sign_in.startswith("/")] if check.sign_in.endswith("=") else ""))
        for check, number in numbers.items()
        if check.sign_in
    ]  # fmt: skip
    yield entries(
        "map", f"{GUARD}:{variable(web, 'check')}:$request_method:$http_accept", variable(web, "sign_in"),
        table=[("default", ""), *rows], why="where a browser is sent that is not signed in", cause=_cause(web),
    )  # fmt: skip


def _came_map(web: Web) -> Iterator[Directive]:
    if (came := both(web)) and are_headers(web):
        name = answered(web, USER_HEADER)
        yield entries(
            "map", name, came, table=[("default", name), ("", variable(web, "user"))], cause=_cause(web),
            why="the user: a name in the check's answer wins over the password's",
        )  # fmt: skip


def _signs_in(web: Web) -> bool:
    return any(check.sign_in for check in web.access.checks.values) if web.access.checks else False


def _cause(web: Web) -> str:
    checks = web.access.checks.values if web.access.checks else ()
    return "; ".join(dict.fromkeys(check.cause for check in checks if check.cause))


def _variable(name: str) -> str:
    return "HTTP_" + name.upper().replace("-", "_")
