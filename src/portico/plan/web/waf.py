"""The web application firewall: requests are compared with rules of known attacks before the app sees them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from portico.errors import Problem
from portico.place.model import Place, RuleSet
from portico.site.model import Routed, Site
from portico.site.waf_exception import WafException, parse
from portico.values import Size

BODY_BYTES = 1 << 20
"""The bytes of a body that are inspected. The rest of a longer one is not, as in every such firewall."""
LARGEST_UPLOAD = Size(32 << 20)
"""ModSecurity reads a whole body into the gateway's memory. A route with larger uploads is not inspected."""
ARGUMENTS = 1000
"""The most query and form arguments; a request with more is refused."""
PATTERN_STEPS = 100_000
"""The most steps of a pattern match; beyond them, it counts as no match."""
LEFT_OUT = {
    "920350": "the gateway itself decides which Host it answers",
    "920420": "which kinds of bodies a path takes is the app's to say: the rule set's own list lacks text and files",
    "920430": "the gateway itself decides which versions of HTTP it speaks",
    "933000-933999": "attacks on PHP harm no Python app, and honest texts meet these rules more often than others",
}
"""Rules, by number, that are off, and why."""
METHODS = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE")
"""The app decides which methods a path accepts; the rule set's own list lacks those of a REST API."""

BODIES = (
    (200_000, r"^(?:application(?:/soap\+|/)|text/)xml", "XML"),
    (200_001, r"^application/(?:[a-z0-9.-]+\+)?json", "JSON"),
)
"""How bodies are read: the number of the rule, a pattern of the Content-Type, and ModSecurity's name."""
UNREADABLE = (200_002, "The body is not what its Content-Type says")
TOO_MANY = (200_007, "Too many values")
"""Portico's own rules that refuse: number and message."""
VERDICT = 949_110
"""The rule of the set that refuses a request whose score is too high."""
FIRST_ID = 9_100_000
"""Rule numbers that the Core Rule Set reserves for others."""
_HEAD = "phase:1,t:none,nolog,pass"
LONG = (
    ("SecRule", "REQUEST_HEADERS:Content-Length", f"@gt {BODY_BYTES}",
     f"id:{FIRST_ID + 9_001},{_HEAD},setvar:tx.body_long=1"),
    ("SecRule", "REQUEST_HEADERS:Content-Type", r"^(?:multipart/|application/(?:[a-z0-9.-]+\+)?json)",
     f"id:{FIRST_ID + 9_002},{_HEAD},t:lowercase,setvar:tx.body_whole=1"),
    ("SecAction", f"id:{FIRST_ID + 9_003},{_HEAD},setvar:tx.body_both=%{{tx.body_long}}%{{tx.body_whole}}"),
    ("SecRule", "TX:body_both", "@streq 11", f"id:{FIRST_ID + 9_004},{_HEAD},ctl:requestBodyAccess=Off"),
)  # fmt: skip
"""Rules for JSON and forms of parts that are longer than what is inspected: ModSecurity takes the first part of one for
a broken one, so they are not inspected where their length is known.
"""
REQUEST_ID = FIRST_ID + 9_999
"""The number of a rule that finds nothing: its message is the method and the path."""


class Waf(Struct, frozen=True):
    """What is inspected by which rules, and what happens to a detected attack."""

    rules: RuleSet | None
    """None if this machine has none: the site cannot be served."""
    is_blocking: bool
    """It is refused with 403; otherwise it is only reported."""
    exceptions: tuple[WafException, ...]
    """Paths for which some rules, or all, are off. The longest match applies."""
    cause: str
    exceptions_cause: str


def waf(site: Site, place: Place) -> Waf | None:
    """The firewall; None without one."""
    options = site.options.guard
    if options.waf == "off":
        return None
    return Waf(
        rules=place.rule_set,
        is_blocking=options.waf == "block",
        exceptions=tuple(parse(text) for text in options.waf_except),
        cause=site.cause("guard.waf"),
        exceptions_cause=site.cause("guard.waf_except"),
    )


def by_length(exceptions: Sequence[WafException]) -> list[tuple[int, WafException]]:
    """Each with its number, the longest path first: the first that matches applies."""
    return sorted(enumerate(exceptions), key=lambda pair: (-len(pair[1].path), pair[1].is_beginning))


def is_inspected(route: Routed) -> bool:
    """Whether requests to this route are inspected: not if it accepts large uploads."""
    return (route.edge.max_upload or 0) <= LARGEST_UPLOAD


def impossible(site: Site) -> Iterator[Problem]:
    """A site that accepts large uploads everywhere: each would be read into memory."""
    if site.options.guard.waf != "off" and site.max_upload > LARGEST_UPLOAD:
        what = f"the firewall reads every body into memory, and this site takes uploads of {site.max_upload}"
        hint = (
            f"set max_upload to {LARGEST_UPLOAD} or less, and a larger one for the routes that need it "
            '([routes."/import"] max_upload): those are not inspected'
        )
        yield Problem(site.cause("guard.waf"), what, hint)


def notes(site: Site) -> list[str]:
    """What the firewall does not inspect."""
    if site.options.guard.waf == "off":
        return []
    large = [one.pattern for one in site.routed if not is_inspected(one)]
    if not large:
        return []
    named = ", ".join(large)
    return [f"the firewall does not inspect {named}: uploads there may be larger than {LARGEST_UPLOAD}"]
