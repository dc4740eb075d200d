"""The app's own rules as an allow-list: the gateway refuses a path or a method that matches none of them.

Other code that may answer such a path (a hook, middleware, an app beside it) turns the list off, and a note names
it. In doubt the app decides.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from portico.plan.web.access import ByPath, Users
from portico.plan.web.allow_list_patterns import LINE_END, exact_paths, paths_of, takes_everything
from portico.plan.web.unwanted.scanners import Probe, probes
from portico.plan.web.wide import Pieces
from portico.site.facts import Rule, Unrouted
from portico.site.front.routes import pattern as loose
from portico.site.model import Site
from portico.site.overlap.segments import may_meet
from portico.site.pattern import head, is_fixed
from portico.site.pattern import pattern as of_rule

READ = "Flask, Django, Pyramid, Starlette and FastAPI"
"""Frameworks whose rules are read."""
_MOST_COMPARED = 200_000
"""The limit of compared pairs of patterns; beyond it the app decides about methods."""


class Allowed(Struct, frozen=True):
    """Paths that a rule matches, and the methods that the app accepts there; no methods: all, or unknown."""

    paths: Pieces
    methods: tuple[str, ...] = ()
    has_single_slashes: bool = False
    """A path with repeated slashes is left out: without one of them it may match another rule."""


class AllowList(Struct, frozen=True):
    """The allowed paths and methods.

    `is_whole`: a request outside of the list is refused with 404, or 405 for a method that the app does not accept
    there; OPTIONS never is. Otherwise the list only exempts paths from the scanners' patterns.
    """

    allowed: tuple[Allowed, ...]
    is_whole: bool
    shows_page: bool
    """The app has its own page for 404 and 405: a browser's navigation passes to the app, which shows it."""
    scanners: tuple[Probe, ...]
    """Paths of scanners, refused with 404 unless they are on the list."""
    users: ByPath[Users] | None
    """Nothing is refused where a password is required: a refusal would reveal which routes exist."""
    mixed: str
    """While this file exists, another release serves, too, with possibly other rules: nothing is refused."""
    cause: str
    scanners_cause: str


def allow_list(site: Site, mixed: str, users: ByPath[Users] | None) -> AllowList | None:
    """The list; None if it is not requested, or must stay off. `users` is the password requirement."""
    options, unrouted = site.options.guard, site.facts.unrouted
    if not (options.routes or options.scanners) or unrouted is None or list(obstacles(site)):
        return None
    return AllowList(
        allowed=tuple(_allowed(site, unrouted)),
        is_whole=options.routes,
        shows_page=bool(unrouted.page) and "404.html" not in site.pages,
        scanners=probes(site.prefix) if options.scanners else (),
        users=users,
        mixed=mixed,
        cause=site.cause("guard.routes" if options.routes else "guard.scanners"),
        scanners_cause=site.cause("guard.scanners"),
    )


def obstacles(site: Site) -> Iterator[str]:
    """Why the list must stay off, a clause each; empty if it need not."""
    unrouted, others = site.facts.unrouted, site.options.guard.others
    if not site.has_app:
        yield "the app is elsewhere, and its routes are not known here"
    elif site.servers:
        yield "the servers of [upstream] answer, too, and their routes are not known here"
    elif unrouted is None:
        yield f"the routes of this app are not known: Portico reads those of {READ}"
    else:
        yield from (
            f"the rule {rule.rule} takes every path" for rule in unrouted.rules if takes_everything(rule)
        )
        if others is None:
            yield from (f"{answer} may answer a path that no route has" for answer in unrouted.answers)


def _allowed(site: Site, unrouted: Unrouted) -> Iterator[Allowed]:
    guard = site.options.guard
    methods = {} if unrouted.answers or guard.others or not guard.routes else _methods(unrouted)
    for rule in unrouted.rules:
        if rule.pattern in methods and (exact := exact_paths(site, rule)):
            yield Allowed(exact, methods[rule.pattern], unrouted.merges and any(one.crosses for one in exact))
        yield from (Allowed(paths) for paths in paths_of(site, rule, unrouted))
    said = [Rule(text, of_rule(text)) for text in guard.others or ()]
    for rule in [*said, *(Rule(item.rule, item.pattern) for item in site.routed)]:
        yield from (Allowed(paths) for paths in paths_of(site, rule))


# Methods -------------------------------------------------------------------------------------------------


def _methods(unrouted: Unrouted) -> dict[str, tuple[str, ...]]:
    """By pattern, the methods of all of its paths, if every rule that may match one of them accepts no other.

    Code beside the rules may also change the method: then methods are not checked.
    """
    taken = _by_pattern(unrouted.rules)
    heads = sorted((head(pattern), pattern) for pattern in taken)
    loose_heads = [head(loose(rule.rule)) for rule in unrouted.rules if not rule.pattern]
    compared, made = 0, dict[str, tuple[str, ...]]()
    for pattern, methods in taken.items():
        near = _near(pattern, heads)
        compared += len(near)
        if methods is None or compared > _MOST_COMPARED or _is_near(head(pattern), loose_heads):
            continue
        found = (
            [pattern, f"{pattern}/"] if unrouted.slashes else [pattern]
        )  # it may be redirected to another rule
        others = [taken[other] for other in near if any(_meets(one, other) for one in found)]
        whole = frozenset[str]().union(*(other for other in others if other is not None))
        if None not in others and (is_fixed(pattern.removesuffix(LINE_END)) or whole <= methods):
            made[pattern] = tuple(sorted(methods | whole))
    return made


def _by_pattern(rules: Iterable[Rule]) -> dict[str, frozenset[str] | None]:
    """What the rules of each pattern accept together; None: everything."""
    made: dict[str, frozenset[str] | None] = {}
    for rule in rules:
        if rule.pattern:
            before = made.get(rule.pattern, frozenset())
            own = frozenset(rule.methods)
            made[rule.pattern] = before | own if own and before is not None else None
    return made


def _near(pattern: str, heads: Sequence[tuple[str, str]]) -> list[str]:
    """The other patterns that may match one of its paths, by the fixed prefix of each."""
    begin, found = head(pattern), list[str]()
    at = bisect_left(heads, (begin, ""))
    while at < len(heads) and heads[at][0].startswith(begin):
        found.append(heads[at][1])
        at += 1
    for size in range(len(begin)):
        at = bisect_left(heads, (begin[:size], ""))
        while at < len(heads) and heads[at][0] == begin[:size]:
            found.append(heads[at][1])
            at += 1
    return [other for other in found if other != pattern]


def _is_near(begin: str, heads: Iterable[str]) -> bool:
    return any(begin.startswith(other) or other.startswith(begin) for other in heads)


def _meets(pattern: str, other: str) -> bool:
    pattern, other = pattern.replace(LINE_END, ""), other.removesuffix(LINE_END)
    if is_fixed(pattern):
        return re.fullmatch(other, head(pattern)) is not None
    if is_fixed(other):
        return re.fullmatch(pattern, head(other)) is not None
    return may_meet(pattern, other)
