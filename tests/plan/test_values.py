"""No value from portico.toml, flags, the app or the machine adds or changes a directive, whatever is in it.

Each value is hostile in turn, and many together: the configuration must have the directives that Portico means and no
other kind than with harmless values, or the value is refused by an error. The same for a unit of systemd, for
Gunicorn's and uWSGI's files and for command lines.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, get_args, get_origin

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from portico.errors import PorticoError
from portico.export import systemd
from portico.place.gateway.nginx import find_nginx
from portico.plan.build import plan
from portico.plan.decide import decided
from portico.plan.gateway.nginx.main import tree
from portico.plan.model import Plan
from portico.site.facts import StaticFolder
from portico.site.keys import access_keys, keys, route_keys
from tests.plan.nginx_parser import Read, read
from tests.plan.other_words import modsecurity, uwsgi
from tests.plan.test_accepted import warnings
from tests.plan.test_golden import FACTS, PLACE
from tests.plan.values_of_sites import (
    FORMS,
    HOSTILE,
    SITES,
    Kind,
    Name,
    Way,
    kinds,
    leaves,
    put,
    site_of,
    variables,
    words_of,
)

Evil = tuple[str, str]
"""A form and a text."""
_NO_NUL = ("place", "call", ("facts", "directory"), ("facts", "app"))
"""No path, no variable and no word of a command can have a NUL."""
_UNKNOWN = (
    "nginx.http",
    "nginx.server",
    "nginx.binary",
    "apache.main",
    "apache.server",
    "apache.binary",
    "https.acme_staging",
    "https.hsts",
    "https.challenge_port",
    "upstream.facts",
    "node.socket",
)
"""Directives of the user's own are directives on purpose; the binary is asked before there is a plan, and of the
two ACME servers a site has one. HSTS is a number or a word, a file of facts
is read before there is a plan, and with a socket of a node nothing is written for a gateway."""


_LOOKED_UP = "user|proxy_ssl_(?:trusted_certificate|verify)"
"""Directives whose users and files nginx looks for: there are none of those names."""


@pytest.mark.parametrize("name", SITES)
def test_no_value_adds_or_changes_a_directive(name: str) -> None:
    ways = list(leaves(SITES[name]))
    harmful = some.tuples(some.sampled_from(FORMS), some.sampled_from(HOSTILE) | some.text(max_size=6))

    @settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
    @given(some.dictionaries(some.sampled_from(ways), harmful, min_size=5, max_size=15))
    def holds(chosen: dict[Way, Evil]) -> None:
        _holds(name, {way: evil for way, evil in chosen.items() if _is_taken(name, way, evil)})

    holds()


@pytest.mark.parametrize("name", SITES)
@pytest.mark.parametrize("evil", ['"; evil on; "', "\\"])
def test_no_value_of_any_option_adds_a_directive(name: str, evil: str) -> None:
    """All of them at once: these two are taken nearly everywhere. nginx reads the same in them as the test's reader."""
    chosen = dict.fromkeys(leaves(SITES[name]), ("middle", evil))
    made = _holds(name, {way: one for way, one in chosen.items() if _is_taken(name, way, one)})
    assert made
    if name != "waf":  # no nginx here has that module
        most = max(made, key=lambda one: len(one.file("nginx.conf").content))
        warnings(most, find_nginx("embedded"), _LOOKED_UP)


def test_every_option_that_takes_text_is_tried() -> None:
    tried = {
        ".".join(map(str, way[1:])) for site in SITES.values() for way in leaves(site) if way[0] == "toml"
    }
    for key in keys():
        if _is_text(key.type) and key.name not in _UNKNOWN:
            assert any(one == key.name or one.startswith(f"{key.name}.") for one in tried), key.name
    for said in ("path", "to", "host", "method", "header", "cookie", "share"):
        assert any(re.match(rf"route\.\d+\.{said}(?:\.|$)", one) for one in tried), said
    for of, inner in (("routes", route_keys()), ("access", access_keys())):
        for key in inner:
            # A route takes the keys of access, too.
            found = any(re.match(rf"(?:{of}|access)\..+\.{key.name}(?:\.|$)", one) for one in tried)
            assert found or not _is_text(key.type), f"{of}: {key.name}"


def _is_text(kind: Any) -> bool:
    parts = get_args(kind)
    return kind is str or (get_origin(kind) in (list, dict) and str in parts)


def test_a_name_of_an_argument_that_nginx_has_no_variable_for_is_left_out() -> None:
    """`url_for('static', filename=..., **{"v-1": 3})`: `$arg_v-1` is the argument v, and `-1` behind it."""
    site = {
        **SITES["local"],
        "facts": {**SITES["local"]["facts"], "static_versions": ['v"; evil', "v-1", "w"]},
    }
    conf = plan(*site_of(site)).file("nginx.conf").content
    assert "$arg_w " in conf
    assert "$arg_v" not in conf


@pytest.mark.parametrize(
    "said",
    [{"headers": (("X-Price", "$5"),)}, {"headers": (("X-$host", "1"),)}, {"cache_control": "max-age=$host"}],
)
def test_an_app_s_header_with_a_dollar_is_no_variable(said: dict[str, Any]) -> None:
    """nginx would send `$host` as the name of the host. The app sends such files itself, and a note says so."""
    import msgspec

    from portico.site.model import Site
    from portico.site.options import Options

    folder = StaticFolder("/static/", "/srv/shop/static", "the app's static folder", **said)
    made = plan(Site(Options(), msgspec.structs.replace(FACTS, static=[folder]), "/srv/shop", "shop"), PLACE)
    assert "location ^~ /static/" not in made.file("nginx.conf").content
    assert any("cannot write a header of /static/" in note for note in made.notes)


@cache
def _harmless(name: str) -> tuple[frozenset[Kind], list[str], frozenset[tuple[str, int]]]:
    made, _, unit = _made(SITES[name])
    found = read(made.file("nginx.conf").content.encode())
    return frozenset(kinds(found)), _settings(unit), _others(made, found)


def _made(wanted: Mapping[str, Any]) -> tuple[Plan, list[Any], str]:
    site, place = site_of(wanted)
    made, call = plan(site, place), wanted["call"]
    service = systemd.Call(tuple(call["words"]), call["directory"], call["user"])
    return (
        made,
        words_of(tree(decided(site, place))),
        systemd.systemd_unit(site, place, made, service).content,
    )


def _is_taken(name: str, way: Way, evil: Evil) -> bool:
    """Whether the value is not refused before anything is planned."""
    if "\0" in evil[1] and (way[0] in _NO_NUL or way[:2] in _NO_NUL):
        return False
    try:
        site_of(put(SITES[name], way, *evil))
    except PorticoError:
        return False
    except re.error:  # the app has made this pattern itself
        assert way[-1] == "pattern"
        return False
    return True


def _holds(name: str, chosen: Mapping[Way, Evil]) -> list[Plan]:
    """With all of these values, or with those that a plan takes. Returns the plans."""
    wanted: dict[str, Any] = SITES[name]
    # The names of entries last: the ways to other values go through them.
    for way in sorted(chosen, key=lambda way: (any(isinstance(step, Name) for step in way), -len(way))):
        wanted = put(wanted, way, *chosen[way])
    try:
        made, meant, unit = _made(wanted)
    except (PorticoError, re.error) as error:
        if isinstance(error, re.error) and not any(way[-1] == "pattern" for way in chosen):
            raise
        ways: Sequence[Way] = list(chosen)
        halves = (ways[: len(ways) // 2], ways[len(ways) // 2 :]) if len(ways) > 1 else ()
        return [made for half in halves for made in _holds(name, {way: chosen[way] for way in half})]
    _same(made, meant, unit, *_harmless(name))
    return [made]


def _same(
    made: Plan,
    meant: list[Any],
    unit: str,
    known: frozenset[Kind],
    settings_before: list[str],
    others: frozenset[tuple[str, int]],
) -> None:
    found = read(made.file("nginx.conf").content.encode())
    assert list(found) == meant
    assert not set(kinds(found)) - known
    assert not list(variables(found))
    assert _others(made, found) <= others
    for file in made.files:
        if file.path.endswith(".py"):
            assert all(isinstance(one, ast.Assign) for one in ast.parse(file.content).body)
    for process in (made.gateway, made.server):
        words = [*process.argv, *process.env, *process.env.values()] if process else []
        assert not any("\0" in word for word in words)
    assert _settings(unit) == settings_before


def _others(made: Plan, found: Iterable[Read]) -> frozenset[tuple[str, int]]:
    """uWSGI's options and how often each is there; ModSecurity's directives and how many words each has."""
    options = [key for file in made.files if file.path == "uwsgi.ini" for key, _ in uwsgi(file.content)]
    rules = [modsecurity(words) for words in _texts(found)]
    return frozenset({*Counter(options).items(), *((words[0].decode(), len(words)) for words in rules)})


def _texts(found: Iterable[Read]) -> Iterator[bytes]:
    for one in found:
        if one.words[0] == b"modsecurity_rules":
            yield one.words[1]
        yield from _texts(one.block or ())


def _settings(unit: str) -> list[str]:
    """The names of the settings of a unit, in their order."""
    lines = [line for line in unit.split("\n") if not line.startswith("#")]
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", unit)
    return [line.partition("=")[0] for line in lines]
