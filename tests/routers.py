"""Route tables made by chance, and who answers a path: the framework's own router, and the locations of the plan.

`python -m tests.routers 10000` asks so many paths and prints what differs.
"""

# mypy: disable-error-code="import-untyped"
from __future__ import annotations

import random
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flask
from msgspec.structs import replace
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from portico import edge
from portico.errors import UsageError
from portico.explain.nginx.locations import find_location
from portico.explain.nginx.paths import normalised
from portico.explain.node import Node
from portico.link.app.statics.asgi import as_wsgi
from portico.link.app.statics.stranger import Reached, environ_of
from portico.plan.decide import decided
from portico.plan.gateway.nginx.locations import locations
from portico.plan.gateway.nginx.syntax import Directive
from portico.reading import OURS
from portico.site.access.rule import AccessRule
from portico.site.access.rules import access_rules
from portico.site.facts import AppFacts, Route
from portico.site.model import Site
from portico.site.options import Options
from portico.site.options.edge import Edge
from portico.site.pattern import pattern as rule_pattern
from portico.site.routed import routed
from tests.plan.test_golden import PLACE

METHODS = ("GET", "POST", "PUT")
MARKS: dict[str, Callable[[Any], Any]] = {
    "private": edge.private,
    "stream": edge.stream,
    "timeout": edge.timeout("77s"),
    "max_upload": edge.max_upload("5MiB"),
}
WORDS = ["a", "b", "ab", "x.y", "1", "é"]
ODD = [
    "५",
    "äöü",
    "\u212a",
    "-",
    "a",
    "1",
    "12",
    "ab",
    "x.y",
    "é",
    "٣",
    "",
    "a b",
    "%",
    "a\n",
    "\n",
    "-",
    "b.é",
    "007",
    "(",
    "+",
]
"""What stands between two slashes of a path that is asked."""


@dataclass
class Table:
    """One app: who answers, in the framework's own words."""

    facts: AppFacts
    answers: Callable[[str, str], str | None]
    """The view of a path and a method; None where no view is called."""
    marks: dict[str, frozenset[str]]
    """What each view wants."""
    methods: tuple[str, ...] = (*METHODS, "DELETE")
    options: Options = field(default_factory=Options)


def view_of(dice: random.Random, name: str) -> tuple[Any, frozenset[str]]:
    def view(*_: Any, **__: Any) -> str:
        return name

    wanted = frozenset(mark for mark in MARKS if dice.random() < 0.3) if dice.random() < 0.6 else frozenset()
    made: Any = view
    for mark in wanted:
        made = MARKS[mark](made)
    made.__name__ = name
    return made, wanted


# Tables --------------------------------------------------------------------------------------------------


def flask_table(dice: random.Random) -> Table:
    app, marks = flask.Flask(__name__, static_folder=None), dict[str, frozenset[str]]()
    if dice.random() < 0.1:
        app.url_map.merge_slashes = False
    kinds = [
        "<{}>",
        "<int:{}>",
        "<path:{}>",
        "<any(a,b):{}>",
        "<string(length=2):{}>",
        "a-<int:{}>",
        "<{}>.y",
        "<float:{}>",
        "<string(minlength=2,maxlength=3):{}>",
    ]
    for number in range(dice.randint(2, 8)):
        words = [
            dice.choice(WORDS) if dice.random() < 0.5 else dice.choice(kinds).format(f"v{at}")
            for at in range(dice.randint(0, 3))
        ]
        rule = "/" + "/".join(words) + (dice.choice(["", "/"]) if words else "")
        methods = dice.choice([None, ["GET"], ["POST"], ["GET", "POST"], ["PUT"]])
        name = f"view{number}"
        view, marks[name] = view_of(dice, name)
        more: dict[str, Any] = {"strict_slashes": False} if dice.random() < 0.3 else {}
        try:
            app.add_url_rule(rule, name, view, methods=methods or list(METHODS), **more)
        except ValueError:
            continue
    from portico.link.app.facts.flask import facts

    def answers(path: str, method: str) -> str | None:
        environ = {
            "wsgi.url_scheme": "http",
            "HTTP_HOST": "a",
            "PATH_INFO": _wsgi(path),
            "REQUEST_METHOD": method,
        }
        environ |= {"SERVER_NAME": "a", "SERVER_PORT": "80", "SCRIPT_NAME": "", "QUERY_STRING": ""}
        try:
            return str(app.url_map.bind_to_environ(environ).match(method=method)[0])
        except (HTTPException, RequestRedirect):
            return None

    return Table(_facts(facts(app)), answers, marks)


def django_table(dice: random.Random) -> Table:
    _django()
    from django.urls import path, re_path
    from django.urls.resolvers import RegexPattern, Resolver404, URLResolver

    from portico.link.app.facts.django import routes

    marks: dict[str, frozenset[str]] = {}
    exact = ["<str:{}>", "<int:{}>", "<path:{}>", "<slug:{}>", "a-<int:{}>"]
    loose = [
        r"(?P<{}>\d+)",
        r"(?P<{}>[^/]+)",
        r"(?P<{}>.*)",
        r"(?P<{}>[\w-]+)",
        r"(?P<{}>[à-ü]{{1,2}})",
        r"(?P<{}>[^/a]{{2,3}})",
        r"(?P<{}>.)",
        r"(?P<{}>\D)",
        r"(?P<{}>\S+)",
        "(?:a|b)",
        r"(?P<{}>\d{{2}})",
    ]

    def words(kinds: list[str], depth: int, fixed: Callable[[str], str]) -> str:
        made = [
            fixed(dice.choice(WORDS)) if dice.random() < 0.5 else dice.choice(kinds).format(f"v{depth}{at}")
            for at in range(dice.randint(0, 2))
        ]
        return "/".join(made) + (dice.choice(["", "/"]) if made else "")

    def entries(depth: int) -> Iterator[Any]:
        for _ in range(dice.randint(1, 5)):
            is_include = depth < 2 and dice.random() < 0.25
            if dice.random() < 0.5:
                text, make = words(exact, depth, str), path
            else:
                text, make = words(loose, depth, re.escape), re_path
                if dice.random() < 0.15:
                    text = f"{text}|{dice.choice(['', '^'])}{words(loose, depth + 5, re.escape)}"
                text = (
                    dice.choice(["^", "^", "^", ""])
                    + text
                    + ("" if is_include else dice.choice(["$", "$", "", r"\Z"]))
                )
            if is_include:
                yield make(text, (list(entries(depth + 1)), None, None))
                continue
            name = f"view{len(marks)}"
            view, marks[name] = view_of(dice, name)
            yield make(text, view, name=name)

    resolver = URLResolver(RegexPattern(r"^/"), list(entries(0)))

    def answers(asked: str, _method: str) -> str | None:
        from django.core.handlers.wsgi import get_path_info

        try:
            return str(resolver.resolve(get_path_info({"PATH_INFO": _wsgi(asked)})).url_name)
        except Resolver404:
            return None

    return Table(_facts({"kind": "django", "routes": routes(resolver)}), answers, marks, ("GET",))


def _django() -> None:
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(SECRET_KEY="x", ROOT_URLCONF=__name__, STATIC_URL="static/")
        django.setup()


def pyramid_table(dice: random.Random) -> Table:
    from pyramid.config import Configurator
    from pyramid.interfaces import IRoutesMapper
    from pyramid.request import Request

    from portico.link.app.facts.pyramid import facts

    config, marks = Configurator(), dict[str, frozenset[str]]()
    kinds = [
        "{{{}}}",
        r"{{{}:\d+}}",
        r"{{{}:.*}}",
        "{{{}:a|b}}",
        "a-{{{}}}",
        r"{{{}:\d{{2}}}}",
        r"{{{}:[^/\d]{{1,3}}}}",
        r"{{{}:.}}",
    ]
    for number in range(dice.randint(2, 8)):
        words = [
            dice.choice(WORDS) if dice.random() < 0.5 else dice.choice(kinds).format(f"v{at}")
            for at in range(dice.randint(0, 3))
        ]
        text = (
            "/" + "/".join(words) + (dice.choice(["", "/", "*rest"]) if words else dice.choice(["", "*rest"]))
        )
        name, more = f"view{number}", dict[str, Any]()
        if dice.random() < 0.4:
            more["request_method"] = dice.choice(["GET", "POST", ("PUT", "POST")])
        view, marks[name] = view_of(dice, name)
        config.add_route(name, text, **more)
        config.add_view(view, route_name=name)
    router = config.make_wsgi_app()
    mapper = router.registry.queryUtility(IRoutesMapper)

    def answers(asked: str, method: str) -> str | None:
        request = Request.blank("/", method=method)
        request.environ["PATH_INFO"] = _wsgi(asked)
        try:
            found = mapper(request)["route"]
        except UnicodeDecodeError:
            return None
        return found.name if found else None

    return Table(_facts(facts(router)), answers, marks)


def starlette_table(dice: random.Random) -> Table:
    """Routes that Portico cannot ask for: [routes] names them in Flask's spelling, the most exact first."""
    from starlette.responses import Response
    from starlette.routing import Match
    from starlette.routing import Route as StarletteRoute

    from portico.site.pattern import rank

    kinds = {"<{}>": "{{{}}}", "<int:{}>": "{{{}:int}}", "<path:{}>": "{{{}:path}}"}
    rules: dict[str, str] = {}
    for _ in range(dice.randint(2, 6)):
        rule, theirs = "", ""
        for at in range(dice.randint(1, 3)):
            kind = dice.choice(list(kinds))
            word = dice.choice(WORDS)
            is_fixed = dice.random() < 0.5
            rule += "/" + (word if is_fixed else kind.format(f"v{at}"))
            theirs += "/" + (word if is_fixed else kinds[kind].format(f"v{at}"))
        rules.setdefault(rule_pattern(rule), rule)
        if rules[rule_pattern(rule)] == rule:
            rules[rule_pattern(rule)] = f"{rule} {theirs}"
    pairs = sorted((text.split(" ") for text in rules.values()), key=lambda pair: rank(pair[0]))
    marks = {rule: frozenset(dice.sample(sorted(MARKS), dice.randint(1, 3))) for rule, _ in pairs}
    made = [StarletteRoute(theirs, lambda _: Response(), name=rule) for rule, theirs in pairs]

    def answers(asked: str, method: str) -> str | None:
        scope = {"type": "http", "path": asked, "method": method, "root_path": ""}
        found = next((route for route in made if route.matches(scope)[0] == Match.FULL), None)
        return str(found.name) if found else None

    values: dict[str, Any] = {"private": True, "stream": True, "timeout": 77.0, "max_upload": 5 << 20}
    own = {rule: Edge(**{mark: values[mark] for mark in wanted}) for rule, wanted in marks.items() if wanted}
    options = Options(routes=own)
    return Table(_starlette_facts(), answers, marks, ("GET",), options)


def asgi_table(dice: random.Random) -> Table:
    """A Starlette app, which is asked, with routers and apps mounted in it, whose views have no settings."""
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount, Router
    from starlette.routing import Route as StarletteRoute

    from portico.link.app.facts.starlette import facts

    marks: dict[str, frozenset[str]] = {}
    kinds = ["{{{}}}", "{{{}:int}}", "{{{}:path}}", "{{{}:float}}", "a-{{{}:int}}", "{{{}}}.y"]

    def words(most: int, depth: int) -> str:
        made = [
            dice.choice(WORDS) if dice.random() < 0.5 else dice.choice(kinds).format(f"v{depth}{at}")
            for at in range(dice.randint(1, most))
        ]
        return "".join(f"/{word}" for word in made)

    def entries(depth: int) -> Iterator[Any]:
        for _ in range(dice.randint(2, 5)):
            if depth < 2 and dice.random() < 0.3:
                inner = list(entries(depth + 1))
                mounted: Any = Router(inner) if dice.random() < 0.5 else Starlette(routes=inner)
                yield Mount(words(1, depth), mounted)
                continue
            name = f"view{len(marks)}"
            view, wanted = view_of(dice, name)
            marks[name] = frozenset() if depth else wanted

            async def called(_: Any, name: str = name) -> PlainTextResponse:
                return PlainTextResponse(name)

            if wanted and not depth:
                note = getattr(view, edge.NOTES)
                setattr(called, edge.NOTES, note)
            path = words(3, depth) + dice.choice(["", "", "/"])
            methods = dice.choice([list(METHODS), ["GET"], ["POST"], ["GET", "POST"], ["PUT"]])
            yield StarletteRoute(path, called, methods=methods, name=name)

    app = Starlette(routes=list(entries(0)))

    def answers(asked: str, method: str) -> str | None:
        environ = environ_of("/", "a", Reached()) | {"PATH_INFO": _wsgi(asked), "REQUEST_METHOD": method}
        status: list[str] = []
        body = b"".join(as_wsgi(app)(environ, lambda line, _: status.append(line)))
        return body.decode() if status == ["200 "] else None

    return Table(replace(_facts(facts(app) | {"kind": "asgi"}), framework="starlette"), answers, marks)


def _facts(told: dict[str, Any]) -> AppFacts:
    import msgspec

    made = [msgspec.convert({"where": "", **route}, Route) for route in told["routes"]]
    version = unicodedata.unidata_version
    return AppFacts(app="a:b", directory="/srv", kind=told["kind"], routes=made, unicode=version)


def _starlette_facts() -> AppFacts:
    return AppFacts(app="a:b", directory="/srv", kind="asgi", framework="starlette")


def _wsgi(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("latin-1")


TABLES = {
    "flask": flask_table, "django": django_table, "pyramid": pyramid_table, "starlette": starlette_table,
    "asgi": asgi_table,
}  # fmt: skip


# Answers -------------------------------------------------------------------------------------------------


def site_of(table: Table) -> Site:
    causes = {
        f"routes.{rule}.{mark}": "portico.toml:1"
        for rule in table.options.routes
        for mark in table.marks[rule]
    }
    return Site(
        table.options, table.facts, "/srv", "a", causes, routed=routed(table.options, table.facts, causes)
    )


@dataclass
class Closed:
    """An app some of whose views nobody may ask from outside."""

    rules: tuple[AccessRule, ...]
    closed: frozenset[str]
    """Those views."""


def closed_site_of(dice: random.Random, table: Table) -> Closed | None:
    """The app, with @edge.internal beside half of its views; None where two views share a path and differ."""
    read = {route.endpoint for route in table.facts.routes} | table.options.routes.keys()
    names = sorted(table.marks.keys() & read)
    closed = frozenset(name for name in names if dice.random() < 0.5)
    routes = [
        replace(route, edge={"internal": True} if route.endpoint in closed else {})
        for route in table.facts.routes
    ]
    own = {rule: Edge(internal=True) for rule in table.options.routes if rule in closed}
    if not table.facts.routes:
        closed = frozenset(own)
    options, facts = Options(routes=own), replace(table.facts, routes=routes)
    causes = {f"routes.{rule}.internal": "portico.toml:1" for rule in own}
    try:
        found = routed(options, facts, causes)
    except UsageError:
        return None
    return Closed(access_rules(options, found, facts, Path("/srv"), causes, OURS, []), closed)


def tree_of(site: Site) -> Node:
    return Node("server", children=tuple(_node(item) for item in locations(decided(site, PLACE))))


def _node(item: Directive) -> Node:
    children = None if item.block is None else tuple(map(_node, item.block))
    return Node(item.name, item.args, children=children)


def settings_of(location: Node | None) -> frozenset[str]:
    """What the location does, in the words of the marks."""
    said = {child.text for child in location.children or ()} if location else set[str]()
    signs = {
        "private": "add_header Cache-Control $portico_private always",
        "stream": "set $portico_stream 1" if "uwsgi_pass portico_app" in said else "gzip off",
        "timeout": "77s",
        "max_upload": f"client_max_body_size {5 << 20}",
    }
    return frozenset(mark for mark, sign in signs.items() if any(sign in text for text in said))


def asked_paths(dice: random.Random, table: Table, count: int) -> Iterator[str]:
    """Paths as nginx sees them: some of the shape of a route, all with what no one expects."""
    rules = [route.rule for route in table.facts.routes] or [
        rule for rule in table.marks if rule.startswith("/")
    ]
    while count:
        if dice.random() < 0.75 and rules:
            words = [_filled(dice, word) for word in dice.choice(rules).split("/")[1:]]
        else:
            words = [dice.choice(WORDS + ODD) for _ in range(dice.randint(0, 4))]
        path = "/" + "/".join(words)
        for _ in range(dice.choice([0, 0, 0, 1, 2])):
            path = _twisted(dice, path)
        try:
            yield normalised(_encoded(dice, path), merges=False)
        except ValueError:
            continue
        count -= 1


def _filled(dice: random.Random, word: str) -> str:
    if not re.search(r"[<({\[*\\^$]", word):
        return word
    fixed = re.split(r"[<({\[*\\^$]", word)[0]
    return fixed + dice.choice(["1", "12", "a", "b", "ab", "1.5", "x/y", *ODD])


def _twisted(dice: random.Random, path: str) -> str:
    at = dice.randrange(len(path))
    return dice.choice(
        [
            path + "/", path + "\n", path + "//", "/" + path, path.rstrip("/") or "/", path[:at] + "/" + path[at:],
            path[:at] + "\n" + path[at:], path + "é", path + "٣", path.replace("a", "A"), path + "/.", path + "x",
        ]
    )  # fmt: skip


def _encoded(dice: random.Random, path: str) -> str:
    """As a client may send it; half of the time with more encoded than must be."""
    more = dice.random() < 0.5
    made = "/"
    for letter in path[1:]:
        plain = letter.isascii() and (letter.isalnum() or letter in "/.-_~()+")
        if plain and not (more and dice.random() < 0.2):
            made += letter
        else:
            made += "".join(f"%{byte:02x}" for byte in letter.encode())
    return made


@dataclass(frozen=True)
class Difference:
    """A path for which nginx has other settings than the views that answer it."""

    framework: str
    seed: int
    path: str
    views: dict[str, str | None]
    wanted: frozenset[str]
    given: frozenset[str]
    routes: tuple[str, ...]


def differences(framework: str, seed: int, count: int) -> tuple[int, list[Difference]]:
    """Of `count` paths: how many a view answered, and where nginx disagrees."""
    dice = random.Random(f"{framework} {seed}")
    table = TABLES[framework](dice)
    try:
        server = tree_of(site_of(table))
    except UsageError as refused:  # said before the start
        return 0, [] if "cannot tell" in str(refused) else [_refused(framework, seed, str(refused))]
    found, answered = [], 0
    for path in asked_paths(dice, table, count):
        views = {method: table.answers(path, method) for method in table.methods}
        called = [name for name in views.values() if name is not None]
        if not called:
            continue
        answered += 1
        wanted = frozenset[str]().union(*(table.marks[name] for name in called))
        given = settings_of(find_location(server, path)[0])
        if wanted != given:
            said = tuple(
                f"{r.rank} {r.rule} {r.methods} {r.pattern} {sorted(r.edge)}"
                for r in sorted(table.facts.routes, key=lambda r: r.rank)
            )
            found.append(Difference(framework, seed, path, views, wanted, given, said))
    return answered, found


def _refused(framework: str, seed: int, text: str) -> Difference:
    return Difference(framework, seed, "", {}, frozenset(), frozenset(), (text,))


def main(paths: int, seed: int) -> int:
    each, found = 40, list[Difference]()
    for framework in TABLES:
        asked = answered = differ = 0
        for number in range(seed, seed + paths // len(TABLES) // each + 1):
            count, made = differences(framework, number, each)
            asked, answered = asked + each, answered + count
            differ, found = differ + len(made), found + made
        print(
            f"{framework}: {asked} paths of {number + 1 - seed} apps, {answered} answered by a view, {differ} differ"
        )
    seeds = {(one.framework, one.seed): one for one in found}
    for one in list(seeds.values())[:12]:
        print(
            f"\n{one.framework} {one.seed} {one.path!r} {one.views} wanted {set(one.wanted)} given {set(one.given)}"
        )
        print("\n".join(one.routes))
    return bool(found)


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]]
    sys.exit(main(words[0] if words else 10_000, words[1] if len(words) > 1 else 0))
