"""The challenge: nginx verifies passes itself (`secure_link`), and shows whoever has none a page with a puzzle.

A pass is a cookie: a letter that names its key, the time at which it ends, and the signature of that time and the
client's network. nginx can verify it, and cannot make one: Portico does, for the solution of a puzzle.
"""

from __future__ import annotations

from portico.plan.files import File, Line
from portico.plan.gateway.nginx.app.challenge_page import CLIENT_HEADER, Written, written
from portico.plan.gateway.nginx.entry.trust import scheme
from portico.plan.gateway.nginx.headers import of_nginx
from portico.plan.gateway.nginx.limits.held import MAPPED
from portico.plan.gateway.nginx.log.line import file_log, page_log
from portico.plan.gateway.nginx.log.text import GUARD, refusing
from portico.plan.gateway.nginx.names import file_of, location, name_of, variable
from portico.plan.gateway.nginx.own import let_in
from portico.plan.gateway.nginx.pages import PREFIX, any_body, error_pages
from portico.plan.gateway.nginx.reference import link
from portico.plan.gateway.nginx.syntax import Directive, block, directive, entries
from portico.plan.paths import Paths
from portico.plan.subjects import PlannedChallenge, PlannedLimit
from portico.plan.web.app.challenge import RETRY_SECONDS, Challenge
from portico.plan.web.guards import Passed
from portico.plan.web.model import Web
from portico.plan.web.refusals import CHALLENGE

_REFUSED = 442
"""A status no layer uses otherwise; it never leaves nginx."""
COOKIE = "portico_pass"
_SOLVED, _ALL_SOLVED = "solved", "all_solved"
_EACH, _EACH_BURST, _ALL, _ALL_BURST = 1, 10, 300, 300
"""Solutions a second, of one network and of all."""
_CSP = "https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Content-Security-Policy"
_ROBOTS = "https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag"
_MAP = link("map")


def challenge_maps(web: Web) -> list[Directive]:
    """At `http` level: what a pass says, and who is asked for one."""
    found = web.challenge
    if found is None:
        return []
    cause, pass_ = found.cause, f"$cookie_{COOKIE}"
    return [
        entries(
            "map", pass_, variable(web, "pass_signature"), cause=cause,
            table=[("default", ""), (r"~^[a-z]\d{10}\.(?<portico_signature>[\w-]{22})$", "$portico_signature")],
            why="the signature in a pass",
        ),
        entries(
            "map", pass_, variable(web, "pass_until"), cause=cause,
            table=[("default", "1"), (r"~^[a-z](?<portico_until>\d{10})\.", "$portico_until")],
            why="the time at which it ends",
        ),
        block(
            "map", pass_, variable(web, "pass_key"), cause=cause,
            why="the key that its letter names; for any other letter what nobody knows",
            of=[
                directive("default", "$request_id", why="new each time: signs nothing", cause=cause, source=_MAP),
                directive(
                    "include", file_of(web, PlannedChallenge.FILE), cause=cause,
                    why="the keys, which Portico makes and changes now and then: 0600, in no plan",
                ),
            ],
        ),
        entries(
            "map", "$binary_remote_addr", variable(web, "pass_network"), cause=cause,
            table=[
                ("default", "$binary_remote_addr"),
                (rf"~(?s)^{MAPPED}(?<portico_pass_v4>.{{4}})$", "$portico_pass_v4"),
                (r"~(?s)^(?<portico_pass_of>.{8}).{8}$", "$portico_pass_of"),
            ],
            why="whose a pass is: an IPv4 address, or an IPv6 network of 64 bits",
        ),
        *_solved_zones(web, found),
        *_asked(web, found),
        *_tried(web, found),
        entries(
            "map", "$request_method:$http_accept", variable(web, "challenge_page"), cause=cause,
            table=[("default", "json"), ("~*^(?:GET|HEAD):.*text/html", "html"), ("~*text/html", "form")],
            why="a browser that goes to a page, or sends a form, gets the puzzle; programs and scripts are told",
        ),
    ]  # fmt: skip


def _asked(web: Web, found: Challenge) -> list[Directive]:
    """Each names only those before it; the signature is computed when nothing else decides."""
    cause, exempt, asked = found.cause, "", variable(web, "asks_pass")
    made = [
        entries(
            "map", "$secure_link", variable(web, "without_pass"), table=[("default", "1"), ("1", "")], cause=cause,
            why="1 without a pass, or with one that is not signed so or has ended",
        )
    ]  # fmt: skip
    if found.exempt:
        exempt = variable(web, "pass_exempt")
        table = [("default", ""), *((net, "1") for net in found.exempt)]
        why = "1 for networks that the limits do not count: no pass is asked of them"
        made.append(entries("geo", exempt, table=table, why=why, cause=found.exempt_cause))
    made.append(
        entries(
            "map", exempt, asked, cause=cause,
            table=[("default", variable(web, "without_pass")), *([("1", "")] if exempt else [])],
            why="who is asked for a pass: every method, since some apps answer OPTIONS with the view itself",
        )
    )  # fmt: skip
    if found.is_always:
        return made
    pressed = variable(web, "pressed")
    return [
        *made,
        entries("map", "", pressed, table=[("default", "")], why="1 under pressure: where the flag is", cause=cause),
        entries(
            "map", pressed, variable(web, "asks_pass_now"), table=[("default", ""), ("1", asked)], cause=cause,
            why="nobody is asked otherwise, and no signature is computed",
        ),
    ]  # fmt: skip


def _tried(web: Web, found: Challenge) -> list[Directive]:
    if not found.is_dry_run:
        return []
    return [
        entries(
            "map", _asks(web, found), variable(web, "tried"), cause=found.dry_run_cause,
            table=[("default", GUARD), ("1", f"{CHALLENGE}, dry run")],
            why="the guard of the log line: this one, if a pass would be asked for",
        )
    ]  # fmt: skip


def _asks(web: Web, found: Challenge) -> str:
    return variable(web, "asks_pass" if found.is_always else "asks_pass_now")


def asks_pass(web: Web, guard: Passed) -> list[Directive]:
    """In a location of the app: what sends a request without a pass away."""
    found = guard.challenge
    cause = found.cause
    asks = _asks(web, found)
    made = [
        directive(
            "secure_link", f"{variable(web, 'pass_signature')},{variable(web, 'pass_until')}",
            why="the signature that the pass has, and when it ends", cause=cause,
        ),
        directive(
            "secure_link_md5",
            f"{variable(web, 'pass_until')} {variable(web, 'pass_network')} {variable(web, 'pass_key')}",
            why="the signature that it must have", cause=cause,
        ),
    ]  # fmt: skip
    if not found.is_always and web.waf is None:
        made.append(_pressed(web, found))
    if found.is_dry_run:
        return [
            *made,
            directive(
                "set", GUARD, variable(web, "tried"), cause=found.dry_run_cause,
                why="only the log line says who would be asked",
            ),
        ]  # fmt: skip
    of = [directive("return", _REFUSED, why="leads to @portico_challenge, never to the client", cause=cause)]
    return [*made, block("if", f"({asks})", of=of, why="a costly route, and no pass", cause=cause)]


def pressure(web: Web) -> list[Directive]:
    """At server level, with a firewall: a location that hands its requests on (`try_files`) no longer does so once an
    `if` of it holds. Elsewhere the flag is looked for where it is needed alone.
    """
    found = web.challenge
    return [] if found is None or found.is_always or web.waf is None else [_pressed(web, found)]


def _pressed(web: Web, found: Challenge) -> Directive:
    return block(
        "if", "(-f", f"{found.planned.directory}/on)", cause=found.cause,
        why="this file exists while more requests come than the app answers; looking for it costs 0.4 to 1.4 us",
        of=[directive("set", variable(web, "pressed"), 1, why="costly routes ask for a pass")],
    )  # fmt: skip


def without_pass(web: Web) -> list[Directive]:
    """Where such requests are sent, at server level and where a location has error pages of its own."""
    if not _refuses(web):
        return []
    why = "a browser solves a puzzle there"
    return [directive("error_page", _REFUSED, "=", location(web, CHALLENGE), why=why, cause=_cause(web))]


def challenge_locations(web: Web) -> list[Directive]:
    """The page with the puzzle, and where its solution goes."""
    found = web.challenge
    if found is None or not _refuses(web):
        return []
    page = f"{PREFIX}{CHALLENGE}.{variable(web, 'challenge_page')}"
    return [
        block(
            "location", location(web, CHALLENGE), why="reached without a pass alone", cause=found.cause,
            of=[
                directive("error_page", 429, page, why="the page with the puzzle, or what a program is told"),
                refusing(CHALLENGE),
                directive("return", 429, why="search engines come more slowly and forget nothing", cause=found.cause),
            ],
        ),
        _page(web, found),
        _puzzle(web, found),
        _solved(web, found),
    ]  # fmt: skip


def challenge_files(web: Web) -> list[File]:
    """The page, and the file of keys, which is empty in the plan."""
    found = web.challenge
    if found is None:
        return []
    keys = Line("# Portico writes the keys here.", "no plan knows them")
    made = written(found)
    return [
        File(PlannedChallenge.FILE, (keys,), 0o600, is_secret=True),
        _file("html", made.html, found.cause),
        _file("form", made.form, found.cause),
        _file("json", made.json, found.cause),
    ]


def solved_limits(web: Web) -> tuple[PlannedLimit, ...]:
    """The limits of solutions, for whoever counts what limits refuse."""
    if not _refuses(web):
        return ()
    what, cause = "solutions of puzzles", _cause(web)
    return (
        PlannedLimit(name_of(web, _SOLVED), f"{_EACH}/second", what, "client", cause),
        PlannedLimit(name_of(web, _ALL_SOLVED), f"{_ALL}/second", what, "site", cause),
    )


def _refuses(web: Web) -> bool:
    return web.challenge is not None and not web.challenge.is_dry_run


def _cause(web: Web) -> str:
    return web.challenge.cause if web.challenge else ""


def _file(kind: str, text: str, cause: str) -> File:
    lines = (Line(line, "the page itself", "", cause) for line in text.split("\n"))
    return File(f"errors/{CHALLENGE}.{kind}", tuple(lines))


def _page(web: Web, found: Challenge) -> Directive:
    made = written(found)
    return block(
        "location", "^~", f"{PREFIX}{CHALLENGE}.", why="the page with the puzzle, and the same for programs",
        cause=found.cause,
        of=[
            directive("internal", why="only a refused request leads here"),
            any_body(),
            directive("alias", f"{Paths.of(web.place).error_pages}/{CHALLENGE}.", why="Portico's own"),
            *page_log(web),
            directive("etag", "off", why="there is no version to ask for again"),
            entries(
                "types", table=[("text/html", "html", "form"), ("application/json", "json")], why="the two formats"
            ),
            directive("charset", "utf-8", why="tells browsers so"),
            directive("open_file_cache", "max=4", "inactive=60s", why="a crowd costs little: the page stays open"),
            directive("open_file_cache_valid", "1s", why="it may be another one after a reload"),
            *let_in(web, anybody=True),
            *_headers(web, found, made),
        ],
    )  # fmt: skip


def _headers(web: Web, found: Challenge, made: Written) -> list[Directive]:
    own = {
        "Content-Security-Policy": (made.policy, "only the script and the style of this page run", _CSP),
        "Cache-Control": ("no-store", "no cache may store it", ""),
        "X-Robots-Tag": ("noindex", "search engines do not take it for the page that was asked for", _ROBOTS),
        **({} if found.is_always else {"Retry-After": (str(RETRY_SECONDS), "pressure passes", "")}),
    }
    said = [(name, value) for name, (value, _, _) in own.items()]
    said.append(("Content-Security-Policy-Report-Only", ""))
    names = {name.lower() for name, _ in said}
    return [
        *(
            one
            for one in of_nginx(web, said)
            if not (one.users and one.users[1:2] and one.users[1].lower() in names)
        ),
        *(
            directive("add_header", name, value, "always", why=why, source=source, cause=found.cause)
            for name, (value, why, source) in own.items()
        ),
    ]


def _puzzle(web: Web, found: Challenge) -> Directive:
    why = "the puzzle of the moment, and for which address it is to be solved: the page's script asks"
    return block(
        "location", "=", f"{found.path}/puzzle", why=why, cause=found.cause,
        of=[
            *file_log(web),
            directive("alias", f"{found.planned.directory}/seed", why="Portico writes a new one every half minute"),
            entries("types", table=(), why="it has no name that says what it is"),
            directive("default_type", "text/plain", why="one word, not a page"),
            directive("etag", "off", why="nobody has an older one"),
            *let_in(web, anybody=True),
            *of_nginx(web, [("Cache-Control", "")]),
            directive("add_header", "Cache-Control", "no-store", "always", why="it is another one in a moment"),
            directive("add_header", CLIENT_HEADER, "$remote_addr", why="one address, one solution"),
        ],
    )  # fmt: skip


def _solved_zones(web: Web, found: Challenge) -> list[Directive]:
    if found.is_dry_run:
        return []
    network, cause = variable(web, "pass_network"), found.cause
    return [
        directive(
            "limit_req_zone", network, f"zone={name_of(web, _SOLVED)}:1m", f"rate={_EACH}r/s", cause=cause,
            why="counts solutions by network: one is enough for half a day",
        ),
        directive(
            "limit_req_zone", "$server_name", f"zone={name_of(web, _ALL_SOLVED)}:1m", f"rate={_ALL}r/s", cause=cause,
            why="counts all of them, so that a flood of wrong ones costs Portico little",
        ),
    ]  # fmt: skip


def _solved(web: Web, found: Challenge) -> Directive:
    told = {"X-Client": "$remote_addr", "X-Scheme": scheme(web), "Connection": "close", "Content-Length": ""}
    return block(
        "location", "=", found.path, why="a browser brings the solution, and Portico answers with a pass",
        cause=found.cause,
        of=[
            *file_log(web),
            directive("client_max_body_size", "1k", why="the solution is in the address"),
            block(
                "if", "($request_method", "!=", "POST)", why="nothing is to be read here",
                of=[directive("return", 404, why="as if there were nothing")],
            ),
            directive("limit_req", f"zone={name_of(web, _SOLVED)}", f"burst={_EACH_BURST}", "nodelay",
                      why="a browser needs one; more share an address", cause=found.cause),
            directive("limit_req", f"zone={name_of(web, _ALL_SOLVED)}", f"burst={_ALL_BURST}", "nodelay",
                      why="a browser that comes too late asks again by itself", cause=found.cause),
            directive("limit_req_status", 429, why="429 Too Many Requests; nginx's own default is 503"),
            *let_in(web, anybody=True),
            *of_nginx(web, [("Cache-Control", "")]),
            directive("add_header", "Cache-Control", "no-store", "always", why="a pass is one client's"),
            *error_pages(429, 404),
            directive("error_page", 502, 504, "=503", f"{PREFIX}503.json",
                      why="Portico is not there for the moment: the page asks again"),
            directive("proxy_pass_request_headers", "off", why="nothing of the client's counts here"),
            directive("proxy_pass_request_body", "off", why="the solution is in the address"),
            *(
                directive("proxy_set_header", name, value, why="who asks; nothing that a client says of it")
                for name, value in told.items()
            ),
            directive("proxy_http_version", "1.1", why="what Portico speaks"),
            directive("proxy_connect_timeout", "2s", why="the socket is on this machine"),
            directive("proxy_read_timeout", "5s", why="it takes less than a millisecond"),
            directive("proxy_pass", f"http://unix:{found.planned.socket}", why="Portico itself", cause=found.cause),
        ],
    )  # fmt: skip
