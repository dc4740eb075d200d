"""Headers of [headers] and [cors] stand in every block of every configuration: nginx inherits none into a block that
adds one of its own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from portico.errors import PorticoError
from portico.plan.build import plan
from portico.plan.decide import decided
from portico.plan.gateway.nginx.conf import Directive
from portico.plan.gateway.nginx.main import tree
from portico.plan.web.headers import PRESETS
from tests.plan.test_golden import GOLDEN, read
from tests.support import RULE

WANTED = """
[headers]
preset = "strict"
[headers.set]
X-Added = "1"
[cors]
origins = ["https://app.example"]
credentials = true
"""
STRICT = {
    "x-request-id", "x-added", "content-security-policy", "x-frame-options", "access-control-allow-origin",
    *(name.lower() for name in PRESETS["strict"].others),
}  # fmt: skip
MANY = {"vary", "cache-control"}
"""They may have several lines."""


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.txt")), ids=lambda path: path.stem)
def test_no_block_of_any_site_loses_a_header(path: Path, tmp_path: Path) -> None:
    for where, names in _blocks_of(path, tmp_path, WANTED):
        assert not STRICT - names.keys(), where
        assert not {name for name, count in names.items() if count > 1 and name not in MANY}, where


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.txt")), ids=lambda path: path.stem)
def test_no_block_of_any_site_loses_those_of_portico_and_the_user_s_own(path: Path, tmp_path: Path) -> None:
    for where, names in _blocks_of(path, tmp_path, ""):
        assert "x-request-id" in names, where


def _blocks_of(path: Path, tmp_path: Path, wanted: str) -> Iterator[tuple[str, Counter[str]]]:
    """Each server, location and `if` of a golden case that answers for the site, and how often each header is there."""
    text = path.read_text().partition(RULE)[0]
    head, mark, tail = text.partition("[test")
    if wanted and re.search(r"^\[?(headers|cors)\b", head, re.MULTILINE):
        pytest.skip("a case of headers of its own")
    try:
        site, place = read(head + wanted + mark + tail, tmp_path)
        plan(site, place)
    except PorticoError:
        pytest.skip("a case of an error")
    http = next(one for one in tree(decided(site, place)) if one.name == "http")
    servers = [one for one in http.block or () if one.name == "server" and not _is_for_others(one)]
    assert servers
    for server in servers:
        yield from _blocks(server, Counter(), path.stem)


def _is_for_others(server: Directive) -> bool:
    """Whether it closes requests for an unknown Host, or has pages of Portico's own (the dashboard)."""
    own = [(one.name, one.args) for one in server.block or ()]
    return ("return", ("444",)) in own or ("server_name", ("_",)) in own


def _blocks(one: Directive, above: Counter[str], where: str) -> Iterator[tuple[str, Counter[str]]]:
    where = f"{where} > {one.name} {' '.join(one.args)}"
    own = Counter(name for each in one.block or () if (name := _added(each)))
    names = own or above
    yield where, names
    for each in one.block or ():
        if each.block is not None:
            yield from _blocks(each, names, where)


def _added(one: Directive) -> str:
    """The header that a directive adds; one of the app's that is passed on with a download is there instead."""
    words = one.users or (one.name, *one.args)
    is_passed_on = len(words) > 2 and words[2].startswith("$upstream_http_")
    return words[1].lower() if words[0] == "add_header" and not is_passed_on else ""
