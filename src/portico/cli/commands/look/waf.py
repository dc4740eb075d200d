"""`portico waf`: shows what the firewall found, rule by rule."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import click

from portico.cli import output
from portico.cli.running import running_site, state_of
from portico.log.finding import Finding
from portico.values import counted
from portico.watch import filter as filters
from portico.watch.history import Log, Logs
from portico.watch.waf_report import RuleReport, WafReport, report

_MOST_PATHS = 3
_MOST_EXCEPTIONS = 8


@click.command("waf")
@running_site
@click.option("--since", metavar="TIME", help="Only what was found since then: 15m, 1h, or 2026-11-21T14:00.")
@click.option("--json", "is_json", is_flag=True, help="Everything, as JSON.")
def command(app: str | None, config: str | None, name: str, since: str | None, is_json: bool) -> None:
    """Show which rules of the firewall matched, on which paths, and what they refused or would have refused.

    [guard] waf turns the firewall on. Its findings stay when the site stops.
    """
    state = Path(state_of(app, config, name))
    log = Logs.of(state).waf
    begin = filters.since(since, time.time()) if since else 0.0
    found = report(Log(log, begin).each_since(Finding.read))
    if is_json:
        output.result(output.as_json(output.safe(found)))
    elif log.exists():
        output.results(_lines(found))
    else:
        output.say("the firewall of this site has never run: [guard] waf turns it on, docs/waf.md")


def _lines(found: WafReport) -> list[str]:
    if not found.rules:
        return [f"no attack was found{_beside(found)}"]
    return [
        f"{_judged(found)} by {counted(found.clients, 'client')}, since {found.since[:16].replace('T', ' ')}"
        + _beside(found),
        "",
        *(line for rule in found.rules for line in _rule(rule)),
        *_excepting(found.exceptions),
    ]


def _excepting(exceptions: list[str]) -> list[str]:
    if not exceptions:
        return []
    shown = [f'    "{output.safe(one)}",' for one in exceptions[:_MOST_EXCEPTIONS]]
    more = len(exceptions) - len(shown)
    return [
        "",
        "If none of them was an attack, these exceptions let them through:",
        "  [guard]",
        "  waf_except = [",
        *(f"  {line}" for line in shown),
        *([f"      # and {more} more: --json has all"] if more else []),
        "  ]",
    ]


def _judged(found: WafReport) -> str:
    parts = []
    if found.refused:
        parts.append(f"{counted(found.refused, 'request')} refused")
    if found.reported:
        parts.append(f"{counted(found.reported, 'request')} would have been refused")
    return ", ".join(parts)


def _beside(found: WafReport) -> str:
    if not found.suspicious:
        return ""
    return f"; {counted(found.suspicious, 'request')} matched a rule and went through, as their score was low"


def _rule(rule: RuleReport) -> Iterator[str]:
    yield f"{output.strong(str(rule.rule))}  {counted(rule.requests, 'request')}  {output.safe(rule.message)}"
    shown = list(rule.paths.items())[:_MOST_PATHS]
    more = len(rule.paths) - len(shown)
    for where, count in shown:
        yield f"        {count:>6}  {output.safe(where)}"
    if more:
        yield f"                {counted(more, 'more path')}"
    if rule.example:
        yield output.faint(f"                portico logs --no-follow --id {rule.example[:12]}")
