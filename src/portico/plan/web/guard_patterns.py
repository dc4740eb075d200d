"""The paths of the app's rules, as patterns that a gateway may refuse by: none takes less than the app does."""

from __future__ import annotations

from portico.plan.web.wide import Pieces, exact, fixed, merged, text, wide, with_slashes, without_slash
from portico.site.facts import Rule, Unrouted
from portico.site.front.routes import pattern as loose
from portico.site.model import Site

LINE_END = r"\n?"
"""What some frameworks leave out at the end of a path: such a path is of no exact pattern."""
_EVERYTHING = frozenset({".*", "/.*", "(?:/.*)?", "/[^/]{1,4}.*"})
"""How a rule is written that takes every path: `/<path:rest>`, `/*rest`, `.*`."""


def paths_of(site: Site, rule: Rule, unrouted: Unrouted | None = None) -> list[Pieces]:
    """The paths of a rule, below the site's prefix.

    With `unrouted` also those that the app redirects to the rule, and those with more slashes that it takes for one.
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
    """Paths that the rule takes for certain, below the site's prefix; None where there are none to be named."""
    made = exact(rule.pattern.removesuffix(LINE_END)) if rule.pattern else None
    return None if made is None else fixed(site.prefix) + made


def takes_everything(rule: Rule) -> bool:
    """Whether the rule takes every path there is."""
    return text(wide(rule.pattern or loose(rule.rule))) in _EVERYTHING
