"""What the options of [guard] must be beyond their types."""

from __future__ import annotations

from portico.site import waf_exception
from portico.site.checks.rule import Broken, Rules
from portico.site.options import Options
from portico.site.pattern import pattern
from portico.values import Duration

_SHORTEST_BAN, _LONGEST_BAN = Duration(10), Duration(86400)
_LEAST_PROBES, _MOST_PROBES = 3, 1000


def _waf_except(options: Options) -> Broken:
    for text in options.guard.waf_except:
        try:
            waf_exception.parse(text)
        except ValueError as error:
            what, _, hint = str(error).partition("; ")
            yield what, hint


def _others(options: Options) -> Broken:
    for rule in options.guard.others or ():
        try:
            if not rule.startswith("/"):
                raise ValueError("it does not begin with /")
            pattern(rule)
        except ValueError as error:
            yield f'"{rule}" is not a rule: {error}', 'expected a rule such as "/old/<path:rest>"'


def _ban(options: Options) -> Broken:
    ban = options.guard.ban
    if not ban:
        return
    if not _SHORTEST_BAN <= ban <= _LONGEST_BAN:
        yield (
            f"{ban} is out of range",
            f"expected {_SHORTEST_BAN} to {_LONGEST_BAN}, or leave it out for no bans",
        )
    if not options.guard.scanners:
        yield "bans need scanners, which recognizes the paths", "leave out scanners = false"


def _ban_after(options: Options) -> Broken:
    count = options.guard.ban_after
    if not _LEAST_PROBES <= count <= _MOST_PROBES:
        yield f"{count} is out of range", f"expected {_LEAST_PROBES} to {_MOST_PROBES}"


GUARD_RULES: Rules = {
    "guard.waf_except": _waf_except,
    "guard.others": _others,
    "guard.ban": _ban,
    "guard.ban_after": _ban_after,
}
