"""Paths that several routes share, one for GET and another for POST: nginx chooses by the path alone.

The settings of one view apply to all methods of its path. Where two different rules match the same paths, those paths
get a pattern of their own, with the settings of both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from portico.errors import Problem
from portico.site.facts import AppFacts, Route
from portico.site.limit import of_methods
from portico.site.model import Routed
from portico.site.options.edge import Edge
from portico.site.overlap.segments import may_meet
from portico.site.pattern import both, fixed_path, head, is_fixed

_BY_METHOD = ("flask", "pyramid", "starlette")
"""Frameworks that try the next route if the method differs; Django stops at the first match."""
_MOST = 500
"""The limit on patterns of shared paths in one site."""


class _Step(Struct, frozen=True):
    """A rule of the app and the settings of its own view, from portico.edge or [routes]."""

    route: Route
    routed: Routed | None

    @property
    def methods(self) -> frozenset[str] | None:
        """None: all."""
        return frozenset(self.route.methods) or None


def with_shared(
    found: Sequence[Routed], merged: Mapping[str, Routed], facts: AppFacts, problems: list[Problem]
) -> tuple[Routed, ...]:
    """The routes with settings in the form that nginx needs: with the shared paths as routes of their own.

    `found` are the settings of each rule, `merged` those of each pattern. Adds a problem for each pair of views with
    conflicting settings on one path.
    """
    steps = _steps(found, merged, facts) if found else []
    made = dict(merged)
    for step in steps:
        if is_fixed(step.route.pattern):
            _settle(step, _taken(head(step.route.pattern), steps, facts.router), made, problems)
    if facts.router in _BY_METHOD:
        for number, group in enumerate(islice(_groups(steps), _MOST + 1)):
            if number == _MOST:
                problems.append(_too_many(group))
                break
            shared = _union(group, number, problems)
            made.setdefault(shared.pattern, shared)
    return tuple(sorted(made.values(), key=lambda item: (item.rank, item.rule)))


def for_methods(edge: Edge, methods: Iterable[str]) -> Edge:
    """The settings of one view of a shared path: its limits count its own methods."""
    return msgspec.structs.replace(edge, limit=of_methods(edge.limit, methods)) if edge.limit else edge


def is_from_app(cause: str) -> bool:
    """Whether the setting is from `portico.edge` beside a view, not from [routes]."""
    return ": @edge." in cause


def is_hidden(route: Route, facts: AppFacts) -> bool:
    """Whether earlier rules certainly match everything that this one matches."""
    path = fixed_path(route.pattern)
    earlier = [
        one
        for one in facts.routes
        if one.rank < route.rank
        and one.pattern
        and one.websocket == route.websocket
        and (one.pattern == route.pattern or (path is not None and re.fullmatch(one.pattern, path)))
    ]
    if facts.router not in _BY_METHOD or any(not one.methods for one in earlier):
        return bool(earlier)
    return bool(route.methods) and frozenset(route.methods) <= _all(frozenset(one.methods) for one in earlier)


def _steps(found: Sequence[Routed], merged: Mapping[str, Routed], facts: AppFacts) -> list[_Step]:
    own = {(item.pattern, item.rank): item for item in reversed(found)}  # the app's come first
    routes = [route for route in facts.routes if route.pattern and not route.websocket]
    made = []
    for route in sorted(routes, key=lambda route: route.rank):
        item, all_of = own.get((route.pattern, (route.rank,))), merged.get(route.pattern)
        made.append(_Step(route, _with_file(item, all_of) if all_of else item))
    return made


def _with_file(item: Routed | None, all_of: Routed) -> Routed | None:
    """The settings of [routes] for a pattern apply to each of its rules."""
    keys = [key for key, cause in all_of.causes.items() if not is_from_app(cause)]
    if not keys:
        return item
    edge, causes = (item.edge, item.causes) if item else (Edge(), {})
    edge = msgspec.structs.replace(edge, **{key: getattr(all_of.edge, key) for key in keys})
    return replace(all_of, edge=edge, causes={**causes, **{key: all_of.causes[key] for key in keys}})


def _settle(step: _Step, taken: list[_Step], made: dict[str, Routed], problems: list[Problem]) -> None:
    """Settles one fixed path: its exact location gets the settings of all routes that answer it."""
    pattern = step.route.pattern
    if not any(one.route.pattern == pattern for one in taken):
        if pattern in made and all(map(is_from_app, made[pattern].causes.values())):
            del made[pattern]  # an earlier route hides it
    elif any(one.routed for one in taken):
        shared = _union(taken, 0, problems)
        made[pattern] = Routed(step.route.rule, pattern, (step.route.rank,), shared.edge, shared.causes)


def _taken(path: str, steps: Sequence[_Step], router: str) -> list[_Step]:
    """The routes that answer this path, each for some methods."""
    taken, covered = list[_Step](), frozenset[str]()
    for step in steps:
        if not re.fullmatch(step.route.pattern, path):
            continue
        if step.methods is None or not step.methods <= covered:
            taken.append(step)
        if router not in _BY_METHOD or step.methods is None:
            break
        covered |= step.methods
    return taken


def _groups(steps: Sequence[_Step]) -> Iterator[list[_Step]]:
    """Groups of routes with different patterns that share paths and split them by method, the largest first."""
    for number, step in enumerate(steps):
        if step.methods is not None and not is_fixed(step.route.pattern):
            yield from _more([step], steps, number + 1)


def _more(group: list[_Step], steps: Sequence[_Step], after: int) -> Iterator[list[_Step]]:
    for number in range(after, len(steps)):
        step = steps[number]
        if not _joins(step, group, steps, number):
            continue
        larger = [*group, step]
        if step.routed is None and not any(
            later.routed and _joins(later, group, steps, at) and _may_share(larger, later)
            for at, later in enumerate(steps[number + 1 :], number + 1)
        ):
            continue  # it restricts nothing
        if step.methods is not None:
            yield from _more(larger, steps, number + 1)
        if len(_patterns(larger)) > 1:
            yield larger


def _joins(step: _Step, group: list[_Step], steps: Sequence[_Step], number: int) -> bool:
    return _may_share(group, step) and not _covers(group, steps[:number], step)


def _patterns(group: Sequence[_Step]) -> list[str]:
    return list(dict.fromkeys(step.route.pattern for step in group))


def _covers(group: Sequence[_Step], before: Sequence[_Step], step: _Step) -> bool:
    """Whether the group's rules leave no method of their paths for this one."""
    patterns = _patterns(group)
    found = [one.methods for one in before if one.route.pattern in patterns]
    if any(methods is None for methods in found):
        return True
    return step.methods is not None and step.methods <= _all(one or frozenset() for one in found)


def _all(methods: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*methods)


def _may_share(group: list[_Step], step: _Step) -> bool:
    """Whether one path may match all of them; a fixed path is an exact location and needs no pattern."""
    pattern = step.route.pattern
    return not is_fixed(pattern) and all(may_meet(one, pattern) for one in _patterns(group) if one != pattern)


def _union(group: Sequence[_Step], number: int, problems: list[Problem]) -> Routed:
    """One entry for the paths that all of them match, with the settings of each."""
    edge, causes = Edge(), dict[str, str]()
    for step, item in [(step, step.routed) for step in group if step.routed is not None]:
        for key, cause in item.causes.items():
            if key == "limit":
                edge = msgspec.structs.replace(edge, limit=_limits(edge, step, item, group))
                causes.setdefault(key, cause)
            elif key not in causes:
                edge = msgspec.structs.replace(edge, **{key: getattr(item.edge, key)})
                causes[key] = cause
            elif getattr(edge, key) != getattr(item.edge, key):
                problems.append(_differ(group, key, cause, causes[key]))
    first, *others = _patterns(group)
    pattern = first
    for other in others:
        pattern = both(pattern, other)
    rule = " and ".join(dict.fromkeys(step.route.rule for step in group))
    return Routed(rule, pattern, (group[0].route.rank - 1, 1, number), edge, causes)


def _limits(edge: Edge, step: _Step, item: Routed, group: Sequence[_Step]) -> list[str]:
    """The limits so far and those of one more view, which count its own methods."""
    is_shared = len(group) > 1 and is_from_app(item.causes["limit"])
    more = for_methods(item.edge, step.methods or ()) if is_shared else item.edge
    return list(dict.fromkeys([*edge.limit, *more.limit]))


def _too_many(group: Sequence[_Step]) -> Problem:
    causes = (cause for step in group if step.routed for cause in step.routed.causes.values())
    rules = " and ".join(dict.fromkeys(step.route.rule for step in group))
    return Problem(
        next(causes).partition(": ")[0],
        f"more than {_MOST} groups of routes share paths by method, the next one {rules}: the settings of their views "
        "cannot all hold",
        "give views with settings paths that no other view of another method has",
    )


def _differ(group: Sequence[_Step], key: str, cause: str, other: str) -> Problem:
    rules = " and ".join(dict.fromkeys(step.route.rule for step in group))
    return Problem(
        cause.partition(": ")[0],
        f"{rules} share paths by method and differ in {key} (also set at {other.partition(': ')[0]})",
        "nginx chooses by the path alone: give both the same value, or different paths",
    )
