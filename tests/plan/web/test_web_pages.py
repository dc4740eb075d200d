"""Every error page is one that the site may replace, and one that nginx is told to show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import cast, get_args

import pytest
from msgspec.structs import replace

from portico.plan.gateway.nginx.pages import PREFIX
from portico.plan.web.access import Allowed, ByPath, Taken
from portico.plan.web.allow_list import AllowList
from portico.plan.web.guards import (
    MOST_HEAD,
    FromNetworks,
    Guard,
    HeadSize,
    Known,
    Methods,
    NoScanner,
    Open,
    PlainPath,
)
from portico.plan.web.limits import Limits, Share
from portico.plan.web.pages import FAILED, pages
from portico.plan.web.refusals import GUARDS, QUEUE, STARTING, STATUSES, UPLOAD
from portico.site.access.sha512_crypt import hashed
from portico.site.error_pages import ERROR_PAGES
from portico.site.load import load
from portico.site.model import Site
from portico.site.options.crawlers import Crawlers
from portico.site.options.guard import Guard as GuardOptions
from portico.values import Duration
from tests.plan.test_golden import FACTS, case

NO_LIMITS = Limits(Share(1, ""), Share(1, ""), (), "")
METHODS = Methods(ByPath((), Taken(("GET",), "")))
KNOWN = AllowList(
    (), is_whole=True, shows_page=False, scanners=(), users=None, mixed="", cause="", scanners_cause=""
)
OF_GUARDS = {"401", "403", "405", "attack", "banned", "crawler"}
"""Shown only where a site says who may come, has the firewall, bans clients or refuses crawlers."""
GUARDED = """
[access."/"]
methods = ["GET"]
users = "users"
[guard]
waf = "block"
ban = "10m"
[crawlers]
training = "refuse"
[test.place]
nginx = "debian-waf"
[test.facts.unrouted]
rules = []
"""
DOCS = Path(__file__).parents[3] / "docs"


def test_what_portico_brings_is_what_a_site_may_replace() -> None:
    options, causes = load(None, {})
    site = Site(options, FACTS, "/srv/shop", "shop", causes)
    usual = {page.file for page in pages(site, NO_LIMITS, ()).made}
    assert usual == {*ERROR_PAGES, FAILED} - OF_GUARDS
    options = replace(
        options, guard=GuardOptions(waf="block", ban=Duration(600)), crawlers=Crawlers(training="refuse")
    )
    made = pages(replace(site, options=options), NO_LIMITS, [METHODS]).made
    assert {page.file for page in made} == {*ERROR_PAGES, FAILED}


@pytest.mark.parametrize(
    ("guards", "shown"),
    [
        ([], set()),
        ([PlainPath(), HeadSize(MOST_HEAD), Open("/run")], set()),
        ([METHODS], {401, 403, 405}),
        ([FromNetworks(ByPath((), Allowed((), is_hidden=True, cause="")))], {401, 403, 405}),
        ([Known(KNOWN)], {405}),
        ([NoScanner(KNOWN)], set()),
    ],
)
def test_a_guard_brings_the_pages_of_its_statuses(guards: Sequence[Guard], shown: set[int]) -> None:
    """So one that somebody adds needs no line there."""
    options, causes = load(None, {})
    site = Site(options, FACTS, "/srv/shop", "shop", causes)
    made = {page.status for page in pages(site, NO_LIMITS, guards).made}
    assert made & {401, 403, 405} == shown


def test_each_guard_refuses_by_names_with_a_status() -> None:
    found = {name for kind in get_args(Guard) for name in _names(kind)}
    assert found == {*STATUSES} - {UPLOAD, STARTING, QUEUE}, "these three are no guards of a chain"


def _names(kind: type[Guard]) -> Sequence[str]:
    if kind is FromNetworks:
        return FromNetworks(ByPath((), Allowed((), is_hidden=True, cause=""))).refused_by
    return cast("Sequence[str]", kind.refused_by)


def test_nginx_is_told_to_show_each_of_them(tmp_path: Path) -> None:
    (tmp_path / "users").write_text(f"anna:{hashed('a')}\n")
    text = case(GUARDED, tmp_path).file("nginx.conf").content
    shown = set(re.findall(rf"{re.escape(PREFIX)}([a-z0-9]+)\.\$", text))
    table = text.partition("$portico_unavailable {")[2].partition("}")[0]
    shown |= {line.split()[-1].strip(";") for line in table.splitlines() if line.strip()}
    assert shown == {*ERROR_PAGES, FAILED}


def test_each_guard_stands_where_people_look_for_its_name() -> None:
    for page in ("log.md", "metrics.md"):
        text = (DOCS / page).read_text()
        assert [guard for guard in GUARDS if not re.search(rf"\b{guard}\b", text)] == [], page


def test_nginx_refuses_a_head_above_the_one_limit(tmp_path: Path) -> None:
    text = case("", tmp_path).file("nginx.conf").content
    table = text.partition("$portico_is_too_long {")[2].partition("}\n")[0]
    written = re.search(r'"~(.*)" 1;', table)
    assert written, table
    too_long = re.compile(written[1].replace("\\\\", "\\"))
    assert [number for number in range(MOST_HEAD + 2) if too_long.search(str(number))] == [MOST_HEAD + 1]
    assert all(too_long.search(str(number)) for number in range(MOST_HEAD + 1, 1 << 18))
