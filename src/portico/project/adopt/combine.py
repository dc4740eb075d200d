"""A site's servers, and the app server that listens there: one app that Portico runs itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from portico.explain.adopted import AdoptedSite, Draft, Fate, Kept, Option, Remark, numbered
from portico.project.adopt.app_server import AppServer
from portico.values import Duration

_HEADER = re.compile(r"proxy_set_header (?P<name>\S+) (?P<value>.+);")
_ONLY_HTTP = re.compile(r"(?:proxy|fastcgi)_(?P<rest>buffering \S+;)")
_RULES = re.compile(
    r"^\s*(?:allow|deny|auth_basic|auth_request|limit_except|limit_req|if|return|internal)\b", re.MULTILINE
)
_PREFIX_SAID = re.compile(r"(?:proxy_set_header SCRIPT_NAME|uwsgi_param SCRIPT_NAME)\s", re.IGNORECASE)


def with_app(site: AdoptedSite, servers: Sequence[AppServer]) -> tuple[AdoptedSite, AppServer | None]:
    """The site with the app in place of its servers, if one app server listens on all of them."""
    server = _behind(site, servers)
    if server is None:
        return site, None
    if guarded := _guarded(site):
        what = (
            f"{server.app or server.program} listens there, and stays as it is: {guarded} says who may come"
        )
        do = "write these rules into [access], then name the app in portico.toml"
        return replace(
            site, remarks=(*site.remarks, Remark(Fate.LOST, server.where, server.program, what, do))
        ), None
    if not server.app:
        what = f"{server.program} listens there, and the file names no app"
        note = Remark(Fate.LOST, server.where, server.program, what, "name it: --app module:app")
        return replace(site, remarks=(*site.remarks, note)), None
    taken = replace(server, options=(Option(("app",), server.app, server.where, server.app), *server.options))
    return _taken(site, taken), server


def _guarded(site: AdoptedSite) -> str:
    """A location that is kept as it is, passes requests to the app, and restricts them; empty for none.

    With the app on a private socket it would go, and its rules with it.
    """
    ours = _bare(site.value("upstream", "servers"))
    kept = (one for one in site.kept if {text.partition(" ")[0] for text in one.passes} & ours)
    return next((one.text.partition(" {")[0] for one in kept if _RULES.search(one.text)), "")


def with_named_app(site: AdoptedSite, app: str, directory: str) -> tuple[AdoptedSite, AppServer]:
    """The site with an app that the command line names."""
    option = Option(("app",), app, "--app", app)
    server = AppServer("--app", "--app", app, directory, (), (option,))
    return _taken(site, server), server


def with_rule(site: AdoptedSite) -> AdoptedSite:
    """The site with a rule in place of servers that get paths without a prefix; the same if there are none."""
    prefix, servers = site.mount_stripped, site.value("upstream", "servers")
    if not prefix or site.refused or not isinstance(servers, tuple):
        return site
    found = next(one for one in site.options if one.key == ("upstream", "servers"))
    server = servers[0] if "://" in servers[0] or servers[0].startswith("unix:") else f"http://{servers[0]}"
    if len(servers) != 1 or not server.startswith(("http://", "unix:")):
        only = (
            "has one server, and these are several"
            if len(servers) != 1
            else "strips it for HTTP servers alone"
        )
        why = f"its servers get paths without {prefix}: a [[route]] {only}"
        lost = Remark(Fate.LOST, site.cause, "server", why, "name the app: --app module:app")
        return replace(site, refused=why, remarks=(*site.remarks, lost))
    draft = Draft("", "")
    draft.route(f"{prefix}/", server, found.cause, found.text, strips=True)
    others = [one for one in site.options if one.key[0] != "upstream" and one.key != ("mount",)]
    for one in (one for one in others if one.key[0] == "route" and one.key[-1] == "path"):
        to, strips = site.value("route", one.key[1], "to"), site.value("route", one.key[1], "strip")
        draft.route(str(one.value), str(to), one.cause, one.text, strips=bool(strips), differs=one.differs)
    draft.route("/", "404", site.cause, "server")
    rest = (one for one in others if one.key[0] != "route")
    return replace(site, options=(*rest, *draft.options.values()), mount_stripped="")


def _behind(site: AdoptedSite, servers: Sequence[AppServer]) -> AppServer | None:
    wanted = _bare(site.value("upstream", "servers"))
    if not wanted:
        return None
    found = [one for one in servers if one.binds and wanted <= set(one.binds)]
    unknown = [one for one in servers if not one.binds and one.app]
    if not found and len(servers) == 1 and unknown and len(wanted) == 1:
        return unknown[0]  # $PORT: the only one there
    return _best(found)


def _best(found: Sequence[AppServer]) -> AppServer | None:
    """A unit before a file that a unit may name; of two different apps at one address none."""
    named = [one for one in found if one.app] or list(found)
    apps = {(one.app, one.directory) for one in named}
    ordered = sorted(named, key=lambda one: ".service" not in one.where)
    return ordered[0] if ordered and (len(apps) == 1 or ".service" in ordered[0].where) else None


def _bare(servers: object) -> set[str]:
    return {text.partition(" ")[0] for text in servers} if isinstance(servers, tuple) else set()


def _taken(site: AdoptedSite, server: AppServer) -> AdoptedSite:
    replaced = _bare(site.value("upstream", "servers"))
    cause = next((one.cause for one in site.options if one.key == ("upstream", "servers")), "")
    has_prefix = bool(site.mount_stripped) or any(_PREFIX_SAID.match(one.text) for one in site.kept)
    options = [
        one for one in site.options if one.key[0] != "upstream" and (one.key != ("mount",) or has_prefix)
    ]
    known = {one.key for one in options}
    options += [one for one in server.options if one.key not in known]
    options, cut = _without_rules_to(options, replaced)
    shorter = [one for one in options if _is_longer(one, server)]
    options = _timed(options, server)
    kept, lost = list[Kept](), list[Remark]()
    for one in site.kept:
        made = _kept(one, replaced, server)
        if isinstance(made, Remark):
            lost.append(made)
        elif made is not None:
            kept.append(made)
    runs = Remark(
        Fate.IMPROVED, cause, ", ".join(sorted(replaced)) or server.app,
        f"Portico runs {server.app} itself, on a private socket: no other program of the machine can reach it",
    )  # fmt: skip
    return replace(
        site, options=tuple(options), kept=tuple(kept), mount_stripped="",
        remarks=(*site.remarks, runs, *(_ended(one, server) for one in shorter), *server.remarks, *cut, *lost),
    )  # fmt: skip


def _without_rules_to(options: Sequence[Option], replaced: set[str]) -> tuple[list[Option], list[Remark]]:
    """The options without rules that lead to these servers, and a remark for each such rule."""
    gone = [
        one for one in options if one.key[0] == "route" and str(one.value).removeprefix("http://") in replaced
    ]
    numbers = {one.key[1] for one in gone}
    kept = [one for one in options if one.key[0] != "route" or one.key[1] not in numbers]
    why = "it passes requests to the app, which has no address any more: the app answers there, with its whole path"
    do = "keep the app server, and leave it out of portico.toml"
    return list(numbered(kept)), [Remark(Fate.LOST, one.cause, one.text, why, do) for one in gone]


def _timed(options: Iterable[Option], server: AppServer) -> list[Option]:
    """The shorter of the gateway's time and the app server's."""
    own = server.timeout
    return [
        replace(own, cause=own.cause or server.where) if own is not None and _is_longer(one, server) else one
        for one in options
    ]


def _is_longer(one: Option, server: AppServer) -> bool:
    own = server.timeout
    return one.key == ("request_timeout",) and own is not None and _seconds(own) < _seconds(one)


def _ended(one: Option, server: AppServer) -> Remark:
    return Remark(
        Fate.BUILT_IN, one.cause, one.text, f"{server.program} ended a request sooner, and its time counts"
    )


def _seconds(one: Option) -> float:
    return float(Duration.parse(str(one.value)))


def _kept(one: Kept, replaced: set[str], server: AppServer) -> Kept | Remark | None:
    """Lines of the user's in front of an app by uwsgi, whose variables they set now."""
    if one.passes and {text.partition(" ")[0] for text in one.passes} & replaced:
        why = "it passes requests to the app, which has no address any more: the app answers there, without these lines"
        first = one.text.partition("\n")[0]
        return Remark(
            Fate.LOST, one.cause, first, why, "keep the app server, and leave it out of portico.toml"
        )
    if server.has_asgi or one.text.startswith("location"):
        return one
    if _PREFIX_SAID.match(one.text):
        return None  # mount says so
    if match := _HEADER.fullmatch(one.text):
        name = match["name"].upper().replace("-", "_")
        return (
            replace(one, text=f"uwsgi_param HTTP_{name} {match['value']};") if name != "HOST" else _host(one)
        )
    if match := _ONLY_HTTP.fullmatch(one.text):
        return replace(one, text=f"uwsgi_{match['rest']}")
    if re.match(r"(?:proxy|fastcgi)_\w+ ", one.text):
        return Remark(Fate.LOST, one.cause, one.text, "requests reach the app by the uwsgi protocol")
    return one


def _host(one: Kept) -> Remark:
    return Remark(
        Fate.LOST,
        one.cause,
        one.text,
        "the app gets the Host that the client asked for",
        "set domains and canonical",
    )


def vanished(sites: Sequence[AdoptedSite]) -> Iterator[tuple[int, Kept]]:
    """Lines above the server that several sites have: nginx takes them once, from the first."""
    seen = set[str]()
    for at, site in enumerate(sites):
        for one in site.kept:
            if one.is_above and one.text in seen:
                yield at, one
            elif one.is_above:
                seen.add(one.text)
