"""With Apache httpd, each rule that answers with what is the site's stands behind the rules of its guards."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from portico.errors import PorticoError
from portico.plan.build import plan
from portico.plan.decide import decided
from portico.plan.gateway.httpd.main import tree
from portico.plan.gateway.httpd.syntax import Directive
from tests.plan.test_golden import GOLDEN, read
from tests.support import RULE

WANTED = """
[access."/"]
deny = ["192.0.2.0/24"]
methods = ["GET"]
users = "everybody.users"
[crawlers]
refuse = ["GPTBot"]
[test.users]
"everybody.users" = "bob:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"
"""
GUARDS = {
    "PORTICO_REFUSED": "network",
    "PORTICO_WRONG_METHOD": "method",
    "PORTICO_CRAWLER": "%1",
    "PORTICO_USERS": "%1",
}
"""What a condition of each guard looks at, and what its rule says."""
OWN = r"\^/-/(errors|health)|\^/\\\.well-known/acme-challenge/|\^/-/spa/"
"""Httpd's own paths, which have no guards by right; the single-page app's are reached from a guarded 404 alone."""


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("apache*.txt")), ids=lambda path: path.stem)
def test_no_rule_that_answers_lacks_a_guard(path: Path, tmp_path: Path) -> None:
    head, mark, tail = path.read_text().partition(RULE)[0].partition("[test")
    if re.search(r"^\[access|^\[crawlers", head, re.MULTILINE):
        pytest.skip("a case of guards of its own")
    try:
        site, place = read(head + WANTED + mark + tail, tmp_path)
        plan(site, place)
    except PorticoError:
        pytest.skip("a case of an error")
    hosts = [one for one in tree(decided(site, place)) if one.name == "VirtualHost"]
    answering = sum(_is_guarded(one.block or ()) for one in hosts)
    assert answering


def _is_guarded(rules: tuple[Directive, ...]) -> int:
    """How many rules answer; each of them has every guard, for the same paths or for all."""
    answering, seen, conditions = 0, dict[str, set[str]](), list[str]()
    for one in rules:
        if one.name == "RewriteCond":
            conditions.append(one.args[0])
        if one.name != "RewriteRule":
            continue
        pattern, target, flags = one.args
        for name in GUARDS:
            is_its = any(f"{{ENV:{name}}}" in each for each in conditions) and f":{GUARDS[name]}" in flags
            if is_its:
                seen.setdefault(pattern, set()).add(name)
        is_last = re.search(r"\bL\b", flags) is not None
        if is_last and "R=" not in flags and not re.match(OWN, pattern):
            answering += 1
            start = next((key for key in (pattern, _folder(pattern)) if key in seen), pattern)
            assert not GUARDS.keys() - seen.get(start, set()), f"{pattern} {target}"
        conditions = []
    return answering


def _folder(pattern: str) -> str:
    """The pattern of a mount of files, whose own rules take what is below it."""
    return pattern.removesuffix("(.*)$").removesuffix("((?:.*/)?)$")
