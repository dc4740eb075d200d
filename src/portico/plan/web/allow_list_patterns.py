"""Patterns of the app's rules that a gateway may refuse by: none matches less than the app does."""

from __future__ import annotations

from portico.plan.web.wide import Pieces, exact, fixed, merged, text, wide, with_slashes, without_slash
from portico.site.facts import Rule, Unrouted
from portico.site.front.routes import pattern as loose
from portico.site.model import Site

LINE_END = r"\n?"
"""What some frameworks ignore at the end of a path: such a path has no exact pattern."""
_EVERYTHING = frozenset({".*", "/.*", "(?:/.*)?", "/[^/]{1,4}.*"})
"""Spellings of a rule that matches every path: `/<path:rest>`, `/*rest`, `.*`."""


def paths_of(site: Site, rule: Rule, unrouted: Unrouted | None = None) -> list[Pieces]:
    """The paths of a rule, below the site's prefix.

    With `unrouted` also those that the app redirects to the rule, and those with repeated slashes that it treats as
    one.
    """
    prefix = fixed(site.prefix)
    own = wide(rule.pattern or loose(rule.rule))
    if unrouted is None:
        return [prefix + own]
    found = [own]
    if unrouted.slashes:
        found += without_slash(own)
    if unrouted.slashes == "either":
        found = [with_slashes(one) for one in found]
    if unrouted.merges:
        found = [merged(one) for one in found]
    return [prefix + one for one in dict.fromkeys([own, *found]) if one]


def exact_paths(site: Site, rule: Rule) -> Pieces | None:
    """Paths that the rule certainly matches, below the site's prefix; None if there are none."""
    made = exact(rule.pattern.removesuffix(LINE_END)) if rule.pattern else None
    return None if made is None else fixed(site.prefix) + made


def takes_everything(rule: Rule) -> bool:
    """Whether the rule matches every path."""
    return text(wide(rule.pattern or loose(rule.rule))) in _EVERYTHING
