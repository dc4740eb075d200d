"""The firewall's findings, rule by rule: which requests it refused or would have refused, and which exception helps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct, field

from portico.log.finding import SCORE, Finding
from portico.site.waf_exception import is_exception

_MOST_PATHS = 200
"""The most paths of one rule; a scanner tries thousands."""
_MOST_REQUESTS = 100_000


class RuleReport(msgspec.Struct, frozen=True):
    """One rule: how many detected attacks it contributed to, and where."""

    rule: int
    message: str
    requests: int
    paths: dict[str, int]
    """Method and path, and how many of these requests; the most frequent first."""
    clients: int
    example: str
    """The ID of the last such request; portico logs --id shows it."""


class WafReport(msgspec.Struct, frozen=True):
    """`refused` requests were answered 403, `reported` would have been; `suspicious` matched rules and passed."""

    refused: int
    reported: int
    suspicious: int
    clients: int
    since: str
    """The time of the first finding, empty for none."""
    rules: list[RuleReport]
    exceptions: list[str]
    """For [guard] waf_except: what lets all of these requests pass; right only if none of them was an attack."""


class _Seen(Struct):
    """One request while its lines are read."""

    first: Finding
    rules: dict[int, str] = field(default_factory=dict)
    is_refused: bool = False
    is_attack: bool = False


class _Rule(Struct):
    message: str
    requests: int = 0
    paths: dict[str, int] = field(default_factory=dict)
    clients: set[str] = field(default_factory=set)
    example: str = ""


def report(findings: Iterable[Finding]) -> WafReport:
    """One pass over the findings, in the order of the log."""
    refused = reported = suspicious = 0
    since, clients, rules = "", set[str](), dict[int, _Rule]()
    for seen in _requests(findings):
        since = since or seen.first.time
        if not seen.is_attack:
            suspicious += 1
            continue
        refused += seen.is_refused
        reported += not seen.is_refused
        clients.add(seen.first.client)
        for number, message in seen.rules.items():
            _count(rules.setdefault(number, _Rule(message)), seen.first)
    return WafReport(
        refused, reported, suspicious, len(clients), since,
        rules=sorted(map(_shown, rules, rules.values()), key=lambda one: (-one.requests, one.rule)),
        exceptions=_exceptions(rules),
    )  # fmt: skip


def _requests(findings: Iterable[Finding]) -> Iterator[_Seen]:
    """The lines of one request are close together, mixed with those of others."""
    known: dict[str, _Seen] = {}
    for one in findings:
        key = one.request or f"{one.worker}*{one.connection}"
        seen = known.setdefault(key, _Seen(one))
        seen.is_attack |= one.is_verdict
        seen.is_refused |= one.is_refused
        if one.rule != SCORE:
            seen.rules.setdefault(one.rule, one.message)
        if len(known) > _MOST_REQUESTS:
            yield known.pop(next(iter(known)))
    yield from known.values()


def _count(rule: _Rule, first: Finding) -> None:
    where = f"{first.method} {first.path}".strip()
    if where in rule.paths or len(rule.paths) < _MOST_PATHS:
        rule.paths[where] = rule.paths.get(where, 0) + 1
    rule.requests += 1
    rule.clients.add(first.client)
    rule.example = first.request


def _shown(number: int, rule: _Rule) -> RuleReport:
    paths = dict(sorted(rule.paths.items(), key=lambda pair: -pair[1]))
    return RuleReport(number, rule.message, rule.requests, paths, len(rule.clients), rule.example)


def _exceptions(rules: dict[int, _Rule]) -> list[str]:
    by_path: dict[str, list[int]] = {}
    for number, rule in sorted(rules.items()):
        for where in rule.paths:
            numbers = by_path.setdefault(where.partition(" ")[2], [])
            numbers += [] if number in numbers else [number]
    found = (f"{path} {' '.join(map(str, numbers))}" for path, numbers in sorted(by_path.items()))
    return [text for text in found if is_exception(text)]
