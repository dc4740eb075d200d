"""Each guard of a site stands in every location that answers with what is the site's, in every configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from portico.errors import PorticoError
from portico.plan.build import plan
from portico.plan.decide import decided
from portico.plan.gateway.nginx.main import tree
from portico.plan.gateway.nginx.syntax import Directive
from tests.plan.test_golden import GOLDEN, read
from tests.support import RULE

WANTED = """
[access."/"]
deny = ["192.0.2.0/24"]
users = "everybody.users"
[limits]
rate = "1000/second"
in_progress = 500
[test.users]
"everybody.users" = "bob:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"
"""

ALL = {"deny", "password", "rate", "in progress"}
EXCEPT = {
    r"@portico_(upgraded|closed|page)(_r?\d+)?|@portico_unlisted_mixed": {
        "deny"
    },  # asked where the request came from
    r"@portico_inspected(_\w+)?": ALL,  # behind the guards of the location that hands its requests on
    r"@portico_spa": {"deny", "password"},  # shown in place of a 404 of the app's
    r"\^~ /-/download/ > .*": {"deny", "password"},  # the app has answered, and names the file
    r"(=|\^~) /-/errors/.*": {"deny", "password"},  # pages of refusals
    r"= /-/copy": ALL,  # internal: nginx copies a request when every guard has let it through
    r"= /-/health/app": ALL,  # Portico asks
    r"= (/shop)?/-/challenge(/puzzle)?": ALL,  # no answer of the app's: a browser leaves the solution of a puzzle there
    r"\^~ /\.well-known/acme-challenge/": {"deny", "password"},  # certificate authorities ask
}
"""Locations that lack guards by right."""


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.txt")), ids=lambda path: path.stem)
def test_no_location_of_any_site_lacks_a_guard(path: Path, tmp_path: Path) -> None:
    answering = 0
    for where, lacks in _locations_of(path, tmp_path):
        answering += 1
        may_lack = next((words for pattern, words in EXCEPT.items() if re.fullmatch(pattern, where)), set())
        assert not lacks - may_lack, where
    assert answering


def _locations_of(path: Path, tmp_path: Path) -> Iterator[tuple[str, set[str]]]:
    text = path.read_text().partition(RULE)[0]
    head, mark, tail = text.partition("[test")
    if re.search(r"^\[?limits\b|^\[access", head, re.MULTILINE):
        pytest.skip("a case of guards of its own")
    try:
        site, place = read(head + WANTED + (mark + tail).replace("[test.users]", ""), tmp_path)
        plan(site, place)
    except PorticoError:
        pytest.skip("a case of an error")
    http = next(one for one in tree(decided(site, place)) if one.name == "http")
    for server in http.block or ():
        if server.name == "server" and not _is_for_observers(server):
            yield from _walk(server, "")


def _is_for_observers(server: Directive) -> bool:
    """The dashboard and the metrics have addresses and passwords of their own."""
    return ("server_name", ("_",)) in [(one.name, one.args) for one in server.block or ()]


def _walk(one: Directive, where: str) -> Iterator[tuple[str, set[str]]]:
    """Each location that answers with what is the site's, and the guards that it lacks."""
    if one.name == "location":
        where = f"{where} > {' '.join(one.args)}".removeprefix(" > ")
        own = {name for each in one.block or () for name in _guards(each)}
        is_app = any(each.name.endswith("_pass") for each in one.block or ())
        is_file = any(each.name in ("alias", "root") for each in one.block or ())
        if is_app or is_file:
            # Another site, which sends its own headers, counts its own requests.
            counts = is_app and not any(each.args[:2] == ("X-Request-ID", "") for each in one.block or ())
            wanted = {"deny", "password"} | ({"rate", "in progress"} if counts else set())
            yield where, wanted - own
    for each in one.block or ():
        if each.block is not None:
            yield from _walk(each, where)


def _guards(one: Directive) -> Iterator[str]:
    words = " ".join(one.args)
    if one.name == "if" and "portico_denied" in words:
        yield "deny"
    if one.name == "auth_basic":
        yield "password"
    if one.name == "limit_req" and "rate" in words:
        yield "rate"
    if one.name == "limit_conn" and "in_progress" in words:
        yield "in progress"
