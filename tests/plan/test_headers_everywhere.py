"""Headers of [headers] and [cors] stand in every block of every configuration: nginx inherits none into a block that
adds one of its own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portico.errors import PorticoError
from portico.plan.build import plan
from portico.plan.decide import decided
from portico.plan.gateway.nginx.main import tree
from portico.plan.gateway.nginx.syntax import Directive, render
from portico.plan.web.headers import PRESETS
from portico.site.checks.edge import broken_edge
from portico.site.checks.values import broken_rules
from portico.site.model import Site
from portico.site.options import Options
from portico.site.options.cors import Cors
from portico.site.options.edge import Edge
from portico.site.options.headers import Headers
from portico.site.own.nginx.syntax import Statement, statements
from portico.site.routed import routed
from tests.plan.test_golden import FACTS, GOLDEN, PLACE, read
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
_OF_A_FILE = ("=", "/-/errors/416.html")
"""Where a 416 gets its empty body: its head is that of the file, with all headers."""


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
    """Whether it closes requests for an unknown Host, has pages of Portico's own (the dashboard), or takes copies of
    requests, whose answer nobody reads.
    """
    own = [(one.name, one.args) for one in server.block or ()]
    if any(name == "limit_conn" and args[0].endswith("copies") for name, args in own):
        return True
    return ("return", ("444",)) in own or ("server_name", ("_",)) in own


def _blocks(one: Directive, above: Counter[str], where: str) -> Iterator[tuple[str, Counter[str]]]:
    where = f"{where} > {one.name} {' '.join(one.args)}"
    own = Counter(name for each in one.block or () if (name := _added(each)))
    names = own or above
    if any(each.args[:2] == ("X-Request-ID", "") for each in one.block or ()):
        return  # another site answers, with its own
    if one.args != _OF_A_FILE:
        yield where, names
    for each in one.block or ():
        if each.block is not None:
            yield from _blocks(each, names, where)


def _added(one: Directive) -> str:
    """The header that a directive adds; one of the app's that is passed on with a download is there instead."""
    words = one.users or (one.name, *one.args)
    is_passed_on = len(words) > 2 and words[2].startswith("$upstream_http_")
    return words[1].lower() if words[0] == "add_header" and not is_passed_on else ""


TEXT = st.text(st.characters(codec="utf-8"), max_size=30) | st.text(
    st.sampled_from("a;{}#\"'\\$\n\r\t\0 }x,"), max_size=12
)


@given(name=st.just("X-Added") | TEXT, value=TEXT, csp=TEXT, frame=TEXT, origin=TEXT, removed=TEXT)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_value_of_a_header_becomes_a_directive(
    name: str, value: str, csp: str, frame: str, origin: str, removed: str
) -> None:
    """What is taken is one word of the directives that Portico itself writes, and means itself."""
    options = Options(
        headers=Headers(set={name: value, "X-Other": value}, csp=csp, frames=[frame], remove=[removed]),
        cors=Cors(origins=[origin], headers=[name], expose=[name]),
        routes={"/one": Edge(headers={"X-One": value})},
    )
    # Each value alone, because most are refused.
    wanted, cors = options.headers, options.cors
    for one in (
        Options(headers=Headers(set=wanted.set)), Options(headers=Headers(csp=wanted.csp)),
        Options(headers=Headers(frames=wanted.frames)), Options(headers=Headers(remove=wanted.remove)),
        Options(cors=Cors(origins=cors.origins)), Options(cors=Cors(origins=["*"], headers=cors.headers)),
        Options(cors=Cors(origins=["*"], expose=cors.expose)), Options(routes=options.routes),
    ):  # fmt: skip
        if broken_rules(one) or any(list(broken_edge(edge, one)) for edge in one.routes.values()):
            continue
        site = Site(one, FACTS, "/srv/shop", "shop", routed=routed(one, FACTS, {"routes./one.headers": "x"}))
        made = tree(decided(site, PLACE))
        text = "\n".join(line.text for line in render(made))
        assert list(_shape(statements(text) or ())) == list(_shape_of(made))


def _shape(found: Iterable[Statement]) -> Iterator[tuple[str, ...]]:
    """Directives with their words as nginx would read them."""
    for one in found:
        yield (one.name, *one.args)
        yield from _shape(one.block or ())


def _shape_of(made: Iterable[Directive]) -> Iterator[tuple[str, ...]]:
    for one in made:
        yield (one.name, *one.args)
        yield from _shape_of(one.block or ())
