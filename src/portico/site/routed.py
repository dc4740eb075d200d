"""The routes with settings of their own: the app's `portico.edge` settings, and [routes] over them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from portico.errors import Problem, UsageError
from portico.site.checks.edge import broken_edge
from portico.site.convert import convert
from portico.site.facts import AppFacts, Route
from portico.site.keys import route_keys
from portico.site.limit import strange_methods
from portico.site.model import Routed
from portico.site.options import Options
from portico.site.options.edge import Edge
from portico.site.overlap.methods import for_methods, is_from_app, is_hidden, with_shared
from portico.site.overlap.segments import may_meet
from portico.site.pattern import ANYTHING, fixed_path, of_starlette, pattern, rank, standard

_LATER = 1 << 20
"""A rule of [routes] that is not one of the app's is tried last: it may match many paths."""


def routed(options: Options, facts: AppFacts, causes: Mapping[str, str]) -> tuple[Routed, ...]:
    """Every route with settings, in the order in which they are tried.

    Raises UsageError with every setting that cannot be used and every view with settings that no route reaches.
    """
    problems = list(_lost(facts))
    found = [*_from_app(facts, problems), *_from_options(options, facts, causes, problems)]
    merged: dict[str, Routed] = {}
    for item in found:
        below = merged.get(item.pattern)
        merged[item.pattern] = _over(below, item) if below else item
    problems += [problem for item in merged.values() for problem in _broken(item, options)]
    made = with_shared(found, merged, facts, problems)
    if problems:
        raise UsageError(*problems)
    return made


_UNREAD = {
    "asgi": "but the routes of this app could not be read (those of FastAPI, Starlette and Django can)",
    "wsgi": "but Portico cannot read the routes of this app: it is not Flask, Django or Pyramid",
}


def _lost(facts: AppFacts) -> Iterator[Problem]:
    if facts.kind in _UNREAD and not facts.routes:
        why, hint = (
            _UNREAD[facts.kind],
            "remove it there, and set the route's options in portico.toml: [routes]",
        )
    elif facts.router == "starlette":
        why = "which no route of the app itself reaches"
        hint = "Portico does not read the routes of what is mounted: include_router, or use [routes]"
    else:
        why = "which no route of the app reaches"
        hint = "a decorator between it and the route must use functools.wraps; or use [routes]"
    for where, view in facts.lost.items():
        yield Problem(where, f"portico.edge is used on {view}, {why}", hint)


def _from_app(facts: AppFacts, problems: list[Problem]) -> Iterator[Routed]:
    noted = [route for route in facts.routes if route.edge]
    for route in noted:
        if not route.pattern:
            problems.append(_not_a_pattern(route))
        elif is_hidden(route, facts):
            continue
        elif problem := _divided(route, facts) or _beside(route, facts):
            problems.append(problem)
        elif edge := _edge(route, problems):
            causes = {key: f"{route.where}: @edge.{key}" for key in route.edge}
            if any(other.pattern == route.pattern and other is not route for other in facts.routes):
                edge = for_methods(edge, route.methods)
            yield Routed(route.rule, route.pattern, (route.rank,), edge, causes)


def _not_a_pattern(route: Route) -> Problem:
    return Problem(
        route.where,
        f"portico.edge is used on the route {route.rule}, which nginx cannot recognize by its path",
        "remove portico.edge there: the route depends on the host, or on a converter without a pattern",
    )


def _divided(route: Route, facts: AppFacts) -> Problem | None:
    """nginx chooses by the path alone: a view's settings apply to all views of the path, so two must not conflict."""
    for other in facts.routes:
        differing = [
            key
            for key in route.edge
            if key != "limit" and other.edge.get(key, route.edge[key]) != route.edge[key]
        ]
        if other.pattern == route.pattern and differing and not is_hidden(other, facts):
            first, second = sorted((route.endpoint, other.endpoint))
            what = f"the views {first} and {second} share the route {route.rule} and differ in @edge.{differing[0]}"
            if first == second:
                what = f"{first} has conflicting settings for the route {route.rule}: @edge.{differing[0]} differs"
            return Problem(
                route.where,
                what,
                "nginx chooses by the path alone: give both the same value, or different paths",
            )
    return None


def _beside(route: Route, facts: AppFacts) -> Problem | None:
    """A handshake is never answered by a view of HTTP; nginx, which cannot tell, would take the settings of either."""
    for other in facts.routes if route.websocket else ():
        if other.websocket or other.pattern in ("", route.pattern) or not _meet(other.pattern, route.pattern):
            continue
        if other.rank < route.rank or other.edge not in ({}, route.edge):
            what = (
                f"the WebSocket {route.rule} shares paths with the route {other.rule}, and has other settings"
            )
            return Problem(route.where, what, "nginx chooses by the path alone: give it paths of its own")
    return None


def _meet(one: str, other: str) -> bool:
    """Whether one path may match both."""
    for fixed, regex in ((fixed_path(one), other), (fixed_path(other), one)):
        if fixed is not None:
            return re.fullmatch(regex, fixed) is not None
    return may_meet(one, other)


def _edge(route: Route, problems: list[Problem]) -> Edge | None:
    values, keys = {}, {key.name: key for key in route_keys()}
    for name, value in route.edge.items():
        if name not in keys:
            problems.append(
                Problem(route.where, f"@edge.{name}: unknown here", "this Portico knows: " + ", ".join(keys))
            )
            continue
        try:
            values[name] = convert(keys[name], value, is_flag=False)
        except ValueError as error:
            problems.append(Problem(route.where, f"@edge.{name}: {value!r} is not valid", str(error)))
    problems += [
        Problem(route.where, f"@edge.limit: {what}", hint)
        for what, hint in strange_methods(values.get("limit", ()))
    ]
    return Edge(**values) if len(values) == len(route.edge) else None


def _from_options(
    options: Options, facts: AppFacts, causes: Mapping[str, str], problems: list[Problem]
) -> Iterator[Routed]:
    rules = {route.rule: route for route in facts.routes}
    for rule, edge in options.routes.items():
        prefix = f"routes.{rule}."
        own = {
            key.removeprefix(prefix): f"{place}: {key}"
            for key, place in causes.items()
            if key.startswith(prefix)
        }
        where = next(iter(own.values()), "routes").partition(": ")[0]
        limited = own.get("limit", where).partition(": ")[0]
        problems += [
            Problem(limited, f"{rule}: limit: {what}", hint) for what, hint in strange_methods(edge.limit)
        ]
        route = rules.get(rule)
        if route and route.pattern:
            yield Routed(rule, route.pattern, (route.rank,), edge, own)
            continue
        try:
            if not rule.startswith("/"):
                raise ValueError("it does not begin with /")
            converter = None if facts.is_known else _standard_or_any
            taken = of_starlette(rule) if facts.router == "starlette" else pattern(rule, converter)
            yield Routed(rule, taken, (_LATER, *(n for part in rank(rule) for n in part)), edge, own)
        except ValueError as error:
            hint = "expected a rule such as /import/<int:id>, or /api/<path:rest> for all below"
            problems.append(Problem(where, f'routes: "{rule}" is not a rule: {error}', hint))


def _standard_or_any(name: str, arguments: str) -> str:
    """An app that nobody has asked yet may have converters of its own, for whatever they take."""
    try:
        return standard(name, arguments)
    except ValueError:
        return ANYTHING


def _over(below: Routed, above: Routed) -> Routed:
    """Merges two entries of the same paths: portico.toml wins over the app, key by key. The limits of several views
    add up.
    """
    said = {key: getattr(above.edge, key) for key in above.causes}
    if is_from_app(above.causes.get("limit", "")):
        said["limit"] = list(dict.fromkeys([*below.edge.limit, *above.edge.limit]))
    edge = msgspec.structs.replace(below.edge, **said)
    rank = min(below.rank, above.rank)
    return Routed(below.rule, below.pattern, rank, edge, {**below.causes, **above.causes})


def _broken(item: Routed, options: Options) -> Iterator[Problem]:
    for broken in broken_edge(item.edge, options):
        where = item.causes.get(broken.key, f"routes: {item.rule}").partition(": ")[0]
        yield Problem(where, f"{item.rule}: {broken.what}", broken.hint)
