"""Which rule with conditions takes a request: a chain of maps, each of which looks at one condition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portico.plan.gateway.nginx.names import header_word, location, variable
from portico.plan.gateway.nginx.syntax import Directive, block, directive, entries
from portico.plan.web.guards import Guard, NotElsewhere
from portico.plan.web.model import Web
from portico.plan.web.routing.model import Choice, Route
from portico.site.pattern import escape

_ELSEWHERE = 464
"""An otherwise unused status that nginx handles internally; no client sees it."""
_OURS = r"~^/(?!-/)"
"""Every path but Portico's own."""

Test = tuple[str, tuple[str, ...]]
"""A variable, and the patterns of which one must match it."""


def choice_maps(web: Web) -> list[Directive]:
    """At `http` level: the variables with the named location of the rule that takes a request, or nothing."""
    shares = [_share(web, one) for one in web.routing.conditional if one.rule.conditions.share]
    return [*shares, *(made for choice in web.routing.choices for made in _chain(web, choice))]


def to_rule(web: Web, choice: Choice) -> Directive:
    """In a location: sends the request to the rule that takes it."""
    chosen, cause = _head(web, choice), choice.routes[0].rule.cause
    why = "a rule with conditions takes the request"
    return block(
        "if", f"({chosen})", why=why, cause=cause,
        of=[
            directive("set", variable(web, "rule"), chosen, why="which one", cause=cause),
            directive("return", _ELSEWHERE, why="leads to the location of that rule, never to the client", cause=cause),
        ],
    )  # fmt: skip


def rule_page(web: Web, guards: Sequence[Guard]) -> list[Directive]:
    """Where such requests continue: at server level, and in locations with error pages of their own."""
    if not any(isinstance(guard, NotElsewhere) for guard in guards):
        return []
    why = "the request goes on in the location of its rule: method, body and headers stay as they are"
    to = rule_location(web, variable(web, "rule"))
    return [directive("error_page", _ELSEWHERE, "=", to, why=why, cause="route")]


def rule_location(web: Web, word: str) -> str:
    """The name of a rule's location."""
    return f"{location(web, 'rule')}{word}"


def word_of(one: Route) -> str:
    """What distinguishes the rule's named locations."""
    return f"_r{one.rule.number}"


def _chain(web: Web, choice: Choice) -> Iterator[Directive]:
    """From the last condition to the first: what a condition does not match goes on to the next rule."""
    otherwise = ""
    for one in reversed(choice.routes):
        tests, value = _tests(web, one), word_of(one)
        for at in reversed(range(len(tests))):
            source, patterns = tests[at]
            is_first = at == 0 and one is choice.routes[0]
            name = (
                _head(web, choice) if is_first else variable(web, f"to{choice.word}_{one.rule.number}_{at}")
            )
            yield entries(
                "map", source, name, table=[("default", otherwise), *((pattern, value) for pattern in patterns)],
                why="one condition of a rule: who meets the last takes the request; else the next rule is tried",
                cause=one.rule.cause,
            )  # fmt: skip
            value = name
        otherwise = value


def _head(web: Web, choice: Choice) -> str:
    return variable(web, f"to{choice.word}")


def _tests(web: Web, one: Route) -> list[Test]:
    rule = one.rule
    asked, path = rule.conditions, _OURS if rule.path == "/" else rf"~^{escape(rule.path)}(?:/|\z)"
    return [
        ("$uri", (path,)),
        *([("$host", tuple(map(_is, asked.hosts)))] if asked.hosts else []),
        *([("$request_method", tuple(map(_is, asked.methods)))] if asked.methods else []),
        *((f"$http_{header_word(name)}", (_is(value),)) for name, value in asked.headers),
        *((f"$cookie_{name}", (_is(value),)) for name, value in asked.cookies),
        *([(_share_of(web, one), ("1",))] if asked.share else []),
    ]


def _is(value: str) -> str:
    """A pattern, because nginx compares texts without their case."""
    return "~." if value == "*" else rf"~^{escape(value)}\z"


def _share(web: Web, one: Route) -> Directive:
    return entries(
        "split_clients", f"$remote_addr/{one.rule.number}", _share_of(web, one),
        table=[(f"{one.rule.conditions.share:g}%", "1"), ("*", "")],
        why="the client's address decides, so that a client stays where it is; each rule draws anew",
        cause=one.rule.cause,
    )  # fmt: skip


def _share_of(web: Web, one: Route) -> str:
    return variable(web, f"share_{one.rule.number}")
