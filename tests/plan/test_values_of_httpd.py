"""With Apache httpd, no value adds or changes a directive either: Portico's reader of httpd's language reads what is
meant, or the value is refused by an error.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from portico.errors import PorticoError
from portico.explain.httpd.read import read_partly
from portico.explain.node import Node
from portico.plan.build import plan
from portico.plan.decide import decided
from portico.plan.gateway.httpd.main import tree
from portico.plan.gateway.httpd.names import DOLLAR
from portico.plan.gateway.httpd.syntax import Directive
from portico.plan.model import Plan
from tests.plan.values_of_sites import FORMS, HOSTILE, LOCAL, SITES, Name, Way, leaves, put, site_of

Evil = tuple[str, str]
Read = tuple[int, str, tuple[str, ...], bool]
"""How deep it stands, its name, its words, and whether it has a block."""


def _of_httpd(base: dict[str, Any]) -> dict[str, Any]:
    """The same without what httpd has not."""
    made = copy.deepcopy(base)
    toml, facts = made["toml"], made["facts"]
    toml["gateway"], made["place"]["nginx"] = "apache", "apache"
    for path in ("/asked", "/outside"):
        toml.get("access", {}).pop(path, None)
    for entry in (
        *toml.get("routes", {}).values(),
        *(one.get("edge", {}) for one in facts.get("routes", ())),
    ):
        for key in ("cache", "vary", "limit"):
            entry.pop(key, None)
    if "crawlers" in toml:
        toml["crawlers"] |= {"search": "refuse", "assistants": "refuse"}
    toml["limits"] = {"bandwidth": "1MiB/second", "exempt": ["10.1.0.0/16"], "session_cookie": "sid"}
    toml.pop("downloads", None)
    toml["upstream"] = {"ca": "ca.pem"} if "route" in toml else {}
    made["place"]["resolvers"] = ["127.0.0.53"]
    toml.pop("routed_by", None)
    toml.pop("mirror", None)
    if "route" in toml:
        toml["route"] = [one for one in toml["route"] if not re.match("api|uwsgi:", one["to"])]
    return made


OF_HTTPD = {name: _of_httpd(SITES[name]) for name in ("local", "asgi", "waf", "routing")}
EXPRESSIONS = {"If": 0, "ElseIf": 0, "SetEnvIfExpr": 0}
"""Directives with an expression, and which word that is."""


@pytest.mark.parametrize("name", OF_HTTPD)
def test_no_value_adds_or_changes_a_directive(name: str, tmp_path: Path) -> None:
    ways = list(leaves(OF_HTTPD[name]))
    harmful = some.tuples(
        some.sampled_from(FORMS), some.sampled_from((*HOSTILE, *OF_EXPRESSIONS)) | some.text(max_size=6)
    )

    @settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
    @given(some.dictionaries(some.sampled_from(ways), harmful, min_size=5, max_size=15))
    def holds(chosen: dict[Way, Evil]) -> None:
        _holds(name, {way: evil for way, evil in chosen.items() if _is_taken(name, way, evil)}, tmp_path)

    holds()


OF_EXPRESSIONS = (
    "' || evil || '",
    "%{evil}",
    "%{evil}e",
    "%1",
    "$1",
    "#evil",
    "m#evil",
    "[evil]",
    "\nevil on\n",
    "<evil>",
    "</VirtualHost>",
)
"""What else has a meaning in httpd's language."""


@pytest.mark.parametrize("name", OF_HTTPD)
@pytest.mark.parametrize("evil", ["' || evil || '", '" evil "', "%{evil}"])
def test_no_value_of_any_option_adds_a_directive(name: str, evil: str, tmp_path: Path) -> None:
    chosen = dict.fromkeys(leaves(OF_HTTPD[name]), ("middle", evil))
    assert _holds(name, {way: one for way, one in chosen.items() if _is_taken(name, way, one)}, tmp_path)


def _is_taken(name: str, way: Way, evil: Evil) -> bool:
    try:
        site_of(put(OF_HTTPD[name], way, *evil))
    except (PorticoError, re.error, ValueError):
        return False
    return True


def _holds(name: str, chosen: Mapping[Way, Evil], home: Path) -> list[Plan]:
    """With all of these values, or with those that a plan takes. Returns the plans."""
    wanted: dict[str, Any] = OF_HTTPD[name]
    for way in sorted(chosen, key=lambda way: (any(isinstance(step, Name) for step in way), -len(way))):
        wanted = put(wanted, way, *chosen[way])
    try:
        site, place = site_of(wanted)
        made = plan(site, place)
    except (PorticoError, re.error):
        ways: Sequence[Way] = list(chosen)
        halves = (ways[: len(ways) // 2], ways[len(ways) // 2 :]) if len(ways) > 1 else ()
        return [made for half in halves for made in _holds(name, {way: chosen[way] for way in half}, home)]
    file = home / "httpd.conf"
    file.write_bytes(made.file("httpd.conf").content.encode("utf-8", "surrogateescape"))
    root, _ = read_partly(file)  # the rules of a firewall need not be on this machine
    found, meant = list(_read(root.children or (), 0)), list(_meant(tree(decided(site, place)), 0))
    # Both lists are long: pytest would compare them for minutes.
    different = next((pair for pair in zip_longest(found, meant) if pair[0] != pair[1]), None)
    assert different is None
    for expression in _expressions(root.children or ()):
        assert "evil" not in _outside_of_quotes(expression), expression
    assert not list(_variables(root.children or ()))
    return [made]


def _variables(nodes: Iterable[Node]) -> Iterator[Node]:
    """Directives with a variable that no part of Portico's has, where httpd would look for it."""
    for one in nodes:
        name, skipped = one.name.lower(), _LITERAL.get(one.name.lower(), 0)
        words = one.args[skipped + (one.args[:1] == ("always",)) :]
        words = words[:1] if name == "rewritecond" else words
        if name in _OF_VARIABLES and any(_EVIL.search(_without_literals(name, word)) for word in words):
            yield one
        yield from _variables(one.children or ())


def _without_literals(name: str, word: str) -> str:
    """Without what stands for itself, which is written in one way or the other."""
    return re.sub(r"\\.", "", word) if name.startswith("rewrite") else word.replace("%%", "")


_OF_VARIABLES = (
    "rewriterule",
    "rewritecond",
    "header",
    "requestheader",
    "errordocument",
    "logformat",
    "secrule",
)
_LITERAL = {"rewriterule": 1, "header": 2, "requestheader": 2}
"""How many words before those are literal: a pattern, what is done with a header, and its name."""
_EVIL = re.compile(r"%\{evil")


def _read(nodes: Iterable[Node], depth: int) -> Iterator[Read]:
    for one in nodes:
        if one.name != "Include":
            yield depth, one.name.lower(), one.args, one.children is not None
            yield from _read(one.children or (), depth + 1)


def _meant(made: Iterable[Directive], depth: int) -> Iterator[Read]:
    for one in made:
        if one.name != "Include":
            # httpd replaces this name alone, while it reads.
            args = tuple(word.replace(f"${{{DOLLAR}}}", "$") for word in one.args)
            yield depth, one.name.lower(), args, one.block is not None
            yield from _meant(one.block or (), depth + 1)


def _expressions(nodes: Iterable[Node]) -> Iterator[str]:
    for one in nodes:
        if one.name in EXPRESSIONS:
            yield one.args[EXPRESSIONS[one.name]]
        if one.name == "RewriteCond" and one.args[0] == "expr":
            yield one.args[1]
        yield from (word for word in one.args if word.startswith("expr="))
        yield from _expressions(one.children or ())


def _outside_of_quotes(expression: str) -> str:
    """An expression without its strings and patterns."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|m#[^#]*#|m/[^/]*/|=~ /[^/]*/", "''", expression)


def test_every_option_of_a_guard_is_tried() -> None:
    tried = {way[1:] for site in OF_HTTPD.values() for way in leaves(site) if way[0] == "toml"}
    assert {
        ("guard", "waf_except", 0),
        ("limits", "bandwidth"),
        ("crawlers", "refuse", 0),
        ("route", 0, "path"),
    } <= tried
    assert LOCAL["toml"]["guard"]["routes"]
