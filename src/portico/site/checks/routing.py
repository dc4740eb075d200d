"""Rules for [[route]] and `routed_by`, beyond their types."""

from __future__ import annotations

import re
from collections.abc import Iterator

from portico.site.checks.rule import DOMAIN, URL_PATH, Broken, BrokenRule, Rules
from portico.site.options import Options
from portico.site.options.route import Route
from portico.site.routing import ToFolder, ToServer, ToSite, answers_everything, percentage, rule, target
from portico.site.upstream_server import PARAMETERS

_DOTS = re.compile(r"//|/\.\.?(/|$)")
_METHOD = re.compile(r"[A-Z]{1,20}")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}")
_COOKIE = re.compile(r"[A-Za-z0-9_]{1,60}")
_VALUE = re.compile(r"[!#%-&(-~](?:[ !#%-&(-~]{0,198}[!#%-&(-~])?")
_SITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,40}")
_OF_THE_ENTRANCE = ("domains", "canonical")
"""Options of a site with an address of its own. Those of addresses may be flags for all sites, and count for the
others.
"""


def broken_routes(options: Options) -> Iterator[BrokenRule]:
    """What is wrong with each [[route]]."""
    seen = dict[str, int]()
    for number, said in enumerate(options.route, 1):
        broken = list(_broken(said, options))
        yield from (BrokenRule(f"route.{number}.{key}", what, hint) for key, what, hint in broken)
        path = said.path.rstrip("/") or "/"
        same = f"{path} {said.host} {said.method} {said.header} {said.cookie}"
        if not broken and not said.share and (first := seen.setdefault(same, number)) != number:
            what = f"[[route]] number {first} takes all these requests of {path} already"
            yield BrokenRule(
                f"route.{number}.path", what, "give one of the two another path or other conditions"
            )


def _broken(said: Route, options: Options) -> Iterator[tuple[str, str, str]]:
    if not URL_PATH.fullmatch(said.path) or _DOTS.search(said.path):
        yield "path", f'"{said.path}" is not a URL path', "expected a path that begins with /, like /api/"
    elif (said.path + "/").startswith("/-/"):
        yield "path", f'"{said.path}" is taken', "paths under /-/ are Portico's own; choose another one"
    elif answers_everything(said) and (options.app is not None or options.upstream.servers):
        what = "would leave nothing to this site's app"
        yield "path", what, "give the rule a path, or leave out app and [upstream]"
    yield from _of_conditions(said, options)
    try:
        percentage(said.share or "1%")
    except ValueError as error:
        yield "share", f'"{said.share}" is no share', str(error)
        return
    try:
        found = rule(0, said)
    except ValueError as error:
        what = f'"{said.to}" is no target' if said.to else "the rule says not where its requests go"
        yield "to", what, str(error)
        return
    yield from _of_target(said, found.target, options)
    if isinstance(found.target, ToFolder) and not found.is_plain:
        hint = "give the folder a path without conditions, or serve it as a site of its own"
        yield "to", "a folder is chosen by its path alone", hint


def _of_conditions(said: Route, options: Options) -> Iterator[tuple[str, str, str]]:
    names = {name.lower() for name in options.domains}
    for host in said.host:
        if (names and host.lower() not in names) or "*" in host or not DOMAIN.fullmatch(host):
            yield "host", f'"{host}" is not a name of this site', "name it in domains, too"
    for method in said.method:
        if not _METHOD.fullmatch(method):
            yield "method", f'"{method}" is not a method', "expected methods in capital letters, like POST"
    for kind, pattern, hint in (
        ("header", _HEADER, "expected letters, digits and -; a header with _ never arrives"),
        ("cookie", _COOKIE, "expected letters, digits and _"),
    ):
        for name, value in getattr(said, kind).items():
            if not pattern.fullmatch(name):
                yield kind, f'"{name}" cannot name a {kind}', hint
            elif not _VALUE.fullmatch(value):
                yield (
                    kind,
                    f'"{value}" cannot be compared',
                    'expected printable ASCII without $ and quotes, or "*"',
                )


def _of_target(said: Route, found: object, options: Options) -> Iterator[tuple[str, str, str]]:
    if isinstance(found, ToSite) and found.name == options.name:
        yield "to", f'"{said.to}" is this site itself', "leave the rule out"
    if isinstance(found, ToFolder) and not said.path.endswith("/"):
        yield "path", f'"{said.path}" leads to a folder', f'expected both slashes, like "{said.path}/"'
    if isinstance(found, ToFolder) and "$" in found.folder:
        yield "to", f'"{found.folder}" cannot be written in a configuration', "expected a path that has no $"
    if isinstance(found, ToServer) and found.server.protocol in PARAMETERS and said.strip:
        hint = "leave strip out, or name a server that speaks HTTP"
        yield "strip", "the redirects and cookies of a uwsgi or FastCGI server cannot be put right", hint
    if isinstance(found, ToSite | ToServer) and answers_everything(said):
        hint = "one that answers everything is the only one of [upstream] servers, or has the domains itself"
        yield "to", f'"{said.to}" cannot answer everything', hint
    if said.strip and not isinstance(found, ToSite | ToServer):
        yield "strip", f'"{said.to}" gets no path', "leave it out"


def _routed_by(options: Options) -> Broken:
    if not options.routed_by:
        return
    for name in options.routed_by:
        if not _SITE.fullmatch(name):
            yield (
                f'"{name}" cannot name a site',
                "expected the name of a site, as `portico status --all` shows it",
            )
        elif name == options.name:
            yield f'"{name}" is this site itself', "name the site whose [[route]] leads here"
    for name in _OF_THE_ENTRANCE:
        if getattr(options, name):
            yield f"{name} has no meaning here", "the site that routes here has the addresses and the names"


def _mirror_to(options: Options) -> Broken:
    text = options.mirror.to
    if not text:
        return
    expected = 'expected a server ("http://10.0.0.2:8000", "unix:/run/next.sock") or the name of a site'
    try:
        found = target(text)
    except ValueError:
        yield f'"{text}" is no target', expected
        return
    is_no_http = isinstance(found, ToServer) and found.server.protocol in PARAMETERS
    if any(map(answers_everything, options.route)):
        yield "no request reaches an app here", "leave it out: a [[route]] answers everything"
    elif is_no_http or not isinstance(found, ToSite | ToServer):
        yield f'"{text}" takes no copies of requests', expected
    elif isinstance(found, ToSite) and found.name == options.name:
        yield f'"{text}" is this site itself', "name another site or server"


def _mirror_share(options: Options) -> Broken:
    try:
        percentage("1%" if options.mirror.share == "100%" else options.mirror.share)
    except ValueError:
        yield f'"{options.mirror.share}" is no share', 'expected a percentage above 0, up to "100%"'


ROUTING_RULES: Rules = {"routed_by": _routed_by, "mirror.to": _mirror_to, "mirror.share": _mirror_share}
