"""The locations of the site's server: who answers which path."""

from __future__ import annotations

from collections.abc import Sequence

from portico.plan import decisions
from portico.plan.gateway.nginx.cache import caches, status_headers
from portico.plan.gateway.nginx.conf import Directive, block, directive
from portico.plan.gateway.nginx.detours import detours, to_tunnel
from portico.plan.gateway.nginx.downloads import downloads
from portico.plan.gateway.nginx.inside import exact_inside, patterns_inside
from portico.plan.gateway.nginx.limits import limits
from portico.plan.gateway.nginx.link import dialect, pass_to_app, told_to_app
from portico.plan.gateway.nginx.open_files import open_files
from portico.plan.gateway.nginx.own import let_in, own_headers
from portico.plan.gateway.nginx.pages import (
    closed,
    down_location,
    failed_location,
    message_location,
    pages_location,
    too_long,
)
from portico.plan.gateway.nginx.refusals import refused_of_app, refused_slashes
from portico.plan.gateway.nginx.routes import Spot, bare, chosen_way, doubled, families, kept, settings, spots
from portico.plan.gateway.nginx.spa import spa_locations, to_spa
from portico.plan.gateway.nginx.statics import ASKED_METHOD, statics
from portico.plan.gateway.nginx.tls import secured_headers
from portico.plan.paths import Paths
from portico.plan.web.ability import Ability
from portico.plan.web.model import Web
from portico.plan.web.statics import served
from portico.site.pattern import escape, head, is_fixed
from portico.site.rules_https import host_of

HEALTH = "/-/health"
_ASK = "/-/health/app"
_WELL = (301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 429)


def locations(web: Web) -> list[Directive]:
    """Every location of the site, in the order a reader wants them."""
    paths, headers = Paths.of(web.place), own_and_common(web)
    return [
        *health_locations(web),
        *statics(web, headers, _routes_inside(web)),
        *_asked(web),
        *refused_of_app(web),
        *_app_locations(web),
        *detours(web, headers),
        *spa_locations(web, headers),
        *downloads(web, headers),
        down_location(paths),
        failed_location(),
        pages_location(web, headers),
        message_location(paths),
    ]


def common_headers(web: Web) -> list[Directive]:
    """Headers of every answer. nginx inherits them only into blocks that add none, so each such block repeats them."""
    return [
        directive(
            "add_header", "X-Request-ID", "$request_id", "always",
            why="the id of this request's log line, for whoever reports a problem", cause=decisions.LOG_LINE,
        ),
        *secured_headers(web),
    ]  # fmt: skip


def _asked(web: Web) -> list[Directive]:
    if not any(sent.is_asked for sent in web.statics.sent):
        return []
    why = "what is asked of a file beside reading it, where code of the app's own has a say: CORS preflights, POST"
    return [_app(web, ASKED_METHOD, why=why, keeps=False)]


def own_and_common(web: Web) -> list[Directive]:
    """The same for the site itself, where the user's own headers are of every answer, too."""
    return [*common_headers(web), *own_headers(web)]


def health_locations(web: Web) -> list[Directive]:
    """Says whether the app is well, on any Host: for load balancers, which ask by address.

    The app is asked in a subrequest, whose answer only counts: neither its page nor anything a client sent
    gets through, and `auth_request` throws the body away.
    """
    if Ability.HEALTH not in web.abilities:
        return []
    cause = web.site.cause("health")
    return [
        block(
            "location", "=", HEALTH,
            why="health for load balancers, which ask by address: on any Host, one word",
            cause=cause,
            of=[
                directive("access_log", "off", why="a check every second would drown the log"),
                directive("limit_req", "zone=portico_health", "burst=20", "nodelay", why="nobody wears the app out"),
                directive("limit_req_status", 429, why="429 Too Many Requests; nginx's own default is 503"),
                *let_in(web),
                directive("auth_request", _ASK, why="asks the app; its answer only counts", cause=cause),
                directive("error_page", 500, "=503", "@portico_unwell", why="an app that fails is not well"),
                directive("try_files", "/-/", "@portico_well", why="reached when the app answered"),
            ],
        ),
        _question(web),
        _word("@portico_well", 200, "ok", why="the app answered"),
        _word("@portico_unwell", 503, "unwell", why="the app failed or is not there: send the traffic elsewhere"),
        block(
            "location", "@portico_answered", why="any answer below 500 is one of an app that is well",
            of=[directive("return", 204, why="what auth_request takes for a yes")],
        ),
    ]  # fmt: skip


def _question(web: Web) -> Directive:
    link = dialect(web)
    domains = web.site.options.domains
    host = host_of(domains[0].removeprefix("*.")) if domains else str(web.site.public.near)
    return block(
        "location", "=", _ASK, why="Portico's own question to the app", cause=web.site.cause("health"),
        of=[
            directive("internal", why="only the health location leads here"),
            directive(f"{link}_intercept_errors", "on", why="the status counts, not the page"),
            directive("error_page", *_WELL, "=204", "@portico_answered", why="an app that asks for a login is well"),
            *told_to_app(web, path=web.site.options.health, host=host),
            pass_to_app(web, path=web.site.options.health),
        ],
    )  # fmt: skip


def _word(name: str, status: int, text: str, *, why: str) -> Directive:
    return block(
        "location", name, why=why,
        of=[
            directive("access_log", "off", why="a check every second would drown the log"),
            directive("default_type", "text/plain", why="one word, not a page"),
            directive("return", status, text, why=why),
        ],
    )  # fmt: skip


def _routes_inside(web: Web) -> dict[str, list[Directive]]:
    """The patterns of routes that come before the files of a folder, by its URL."""
    found = spots(web)
    return {
        web.prefix + folder.url: [_spot(web, spot) for spot in patterns_inside(web, folder, found)]
        for folder in served(web.site, web.place)
    }


def _app_locations(web: Web) -> list[Directive]:
    """Every path that the app answers: the rest of the site, routes among static files, routes with settings."""
    folders, found = served(web.site, web.place), spots(web)
    exact = {head(spot.pattern): spot for spot in found if is_fixed(spot.pattern)}
    urls = [folder.url for folder in folders]
    grouped = families([spot for spot in found if not any(spot.head.startswith(url) for url in urls)])
    made = []
    for path in exact_inside(web, folders):
        why = f"a route of the app inside a static URL: {path}"
        made.append(_app(web, "=", web.site.prefix + path, why=why, spot=exact.pop(path, None)))
        if path.endswith("/") and path != "/" and path[:-1] not in exact:
            exact[path[:-1]] = bare(path, found)
    for url in sorted(left.url for left in web.site.left if any(left.url.startswith(url) for url in urls)):
        inside = [spot for spot in found if not is_fixed(spot.pattern) and _meet(spot.head, url)]
        why = f"a folder that is left to the app inside a static URL: {url}"
        made.append(_app(web, web.site.prefix + url, why=why, inside=inside))
    made += [_spot(web, spot) for spot in exact.values()]
    rest = grouped.pop("/", [])
    made += [
        _app(web, web.site.prefix + text, why=f"routes below {text} have settings of their own", inside=inside)
        for text, inside in grouped.items()
    ]  # fmt: skip
    inside, refused = doubled(web, found), refused_slashes(web)
    if inside or refused:
        why = "Werkzeug takes several slashes at the beginning for one: what holds for its paths holds there, too"
        made.append(_app(web, f"{web.site.prefix}//", why=why, inside=inside, refused=refused, keeps=False))
    return [*made, *_mounted(web, rest)]


def _meet(first: str, second: str) -> bool:
    return first.startswith(second) or second.startswith(first)


def _spot(web: Web, spot: Spot) -> Directive:
    if is_fixed(spot.pattern):
        words = ["=", web.site.prefix + head(spot.pattern)]
    else:
        words = ["~", rf"^{escape(web.site.prefix)}{spot.pattern}\z"]
    return _app(web, *words, why=spot.why, cause=spot.cause, spot=spot, keeps=spot.keeps)


def _mounted(web: Web, inside: list[Spot]) -> list[Directive]:
    if not web.site.prefix:
        return [_app(web, "/", why="everything else is the app's", inside=inside)]
    cause = web.site.cause("mount")
    return [
        block(
            "location", "=", web.site.prefix, why="the prefix without its slash", cause=cause,
            of=[
                directive(
                    "return", 308, f"{web.site.prefix}/$is_args$args",
                    why="one address for one page; 308 keeps a POST a POST", cause=cause,
                )
            ],
        ),
        _app(web, f"{web.site.prefix}/", why="the app lives under this prefix", cause=cause, inside=inside),
        block(
            "location", "/", why="nothing lives outside the prefix", cause=cause,
            of=[directive("return", 404, why="not the app's to answer", cause=cause)],
        ),
    ]  # fmt: skip


def _app(
    web: Web,
    *args: str,
    why: str,
    cause: str = "",
    spot: Spot | None = None,
    inside: Sequence[Spot] = (),
    refused: Sequence[Directive] = (),
    keeps: bool = True,
) -> Directive:
    """A location that the app answers; `spot` has the settings of a route, `inside` are nested patterns.

    `refused` are locations inside that come first.
    """
    own = [
        *(kept(web, spot.routed if spot else None) if keeps else []),
        *(settings(web, spot.routed) if spot else []),
    ]
    adds = any(item.name == "add_header" for item in own)
    return block(
        "location", *args, why=why, cause=cause,
        of=[
            *(chosen_way(web, spot.routed) if spot else []),
            block(
                "if", "(-f", f"{Paths.of(web.place).maintenance}/on)",
                why="this file exists while portico maintenance is on; looking for it costs a request less than 1 us",
                of=[closed()],
            ),
            too_long(),
            to_tunnel(),
            *to_spa(web),
            *limits(web),
            *(open_files(web) if keeps and caches(web) and args[0] != "~" else []),  # nested have them
            *([*own_and_common(web), *status_headers(web)] if adds else []),
            *own,
            pass_to_app(web),
            *refused,
            *(_spot(web, each) for each in inside),
        ],
    )  # fmt: skip
