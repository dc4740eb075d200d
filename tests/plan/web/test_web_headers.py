"""Which headers are decided on, and what the app's own change about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from portico.plan.web.ability import Ability
from portico.plan.web.headers import Headers, headers
from portico.site.load import load
from portico.site.model import Site
from portico.site.routed import routed
from tests.plan.test_golden import FACTS

Decided = Callable[[str], Headers]


@pytest.fixture
def decided(tmp_path: Path) -> Decided:
    def made(text: str, abilities: frozenset[Ability] = frozenset()) -> Headers:
        toml = tmp_path / "portico.toml"
        toml.write_text(text)
        options, causes = load(toml, {})
        return headers(
            Site(options, FACTS, "/srv/shop", "shop", causes, routed=routed(options, FACTS, causes)),
            abilities,
        )

    return made


def values(found: Headers) -> Mapping[str, str]:
    return {one.name: one.value for one in found.every}


def test_nothing_is_sent_unless_somebody_asks(decided: Decided) -> None:
    found = decided("")
    assert not [*found.every, *found.removed]
    assert (found.hides_server, found.lacks_ability, found.cors) == (False, False, None)


def test_frames_are_said_in_both_headers(decided: Decided) -> None:
    found = values(decided("[headers]\nframes = ['none']\n"))
    assert found == {"Content-Security-Policy": "frame-ancestors 'none'", "X-Frame-Options": "DENY"}
    found = values(decided("[headers]\npreset = 'strict'\nframes = ['self', 'https://a.example']\n"))
    assert found["Content-Security-Policy"].endswith("frame-ancestors 'self' https://a.example")
    assert "X-Frame-Options" not in found, "it knows no list"


@pytest.mark.parametrize(
    ("said", "option"), [("'none'", "DENY"), ("'self'", "SAMEORIGIN"), ("https://a.example", "")]
)
def test_what_a_policy_says_of_frames_counts(decided: Decided, said: str, option: str) -> None:
    found = values(decided(f"[headers]\npreset = 'strict'\ncsp = \"img-src *; frame-ancestors {said}\"\n"))
    assert found["Content-Security-Policy"] == f"img-src *; frame-ancestors {said}"
    assert found.get("X-Frame-Options", "") == option


def test_a_reported_policy_leaves_the_old_header_in_force(decided: Decided) -> None:
    found = values(decided("[headers]\npreset = 'strict'\ncsp_report_only = true\n"))
    assert "Content-Security-Policy" not in found
    assert "frame-ancestors 'self'" in found["Content-Security-Policy-Report-Only"]
    assert found["X-Frame-Options"] == "SAMEORIGIN"


def test_a_policy_leaves_frames_to_the_app_s_x_frame_options(decided: Decided) -> None:
    found = decided("[headers]\ncsp = \"img-src *; frame-ancestors 'self'; object-src 'none'\"\n")
    (policy,) = [one for one in found.every if one.name == "Content-Security-Policy"]
    assert policy.framed == "img-src *; object-src 'none'"
    removed = decided("[headers]\ncsp = \"frame-ancestors 'self'\"\nremove = ['X-Frame-Options']\n")
    assert removed.every[0].framed == removed.every[0].value, "the client does not get the app's"


def test_set_replaces_and_leaves_out_by_name_whatever_its_case(decided: Decided) -> None:
    text = "[headers]\npreset = 'api'\n[headers.set]\nreferrer-policy = 'origin'\nX-FRAME-OPTIONS = ''\n"
    found = values(decided(text))
    assert found["referrer-policy"] == "origin"
    assert {"Referrer-Policy", "X-Frame-Options", "X-FRAME-OPTIONS"}.isdisjoint(found)


def test_what_is_removed_of_the_app_and_set_is_never_the_app_s(decided: Decided) -> None:
    found = decided("[headers]\nremove = ['x-mine']\nset = { X-Mine = '1', X-Other = '2' }\n")
    assert {one.name: one.is_only for one in found.every} == {"X-Mine": True, "X-Other": False}
    assert found.removed == ("x-mine",)


def test_the_server_s_name_needs_an_ability(decided: Decided) -> None:
    assert decided("headers = 'strict'").lacks_ability
    assert "Server" not in decided("headers = 'strict'").removed


def test_two_routes_may_have_one_name_with_two_values(decided: Decided) -> None:
    text = "[headers.set]\nX-A = '1'\n[routes.'/a']\nheaders = { x-a = '2' }\n[routes.'/b']\nheaders = { x-a = '1' }\n"
    found = decided(text)
    assert [(one.name, one.value) for one in found.distinct] == [("X-A", "1"), ("x-a", "2")]


@pytest.mark.parametrize(
    "text",
    ["[headers]\npreset = 'strict'", "[headers]\npreset = 'api'\ncsp_report_only = true"],
    ids=["strict", "api"],
)
def test_each_header_of_portico_s_has_its_reason_and_its_page(decided: Decided, text: str) -> None:
    of_the_user = {one.name: (one.why, one.source) for one in decided("[headers.set]\nX-Shop = 'a'").every}
    assert of_the_user == {"X-Shop": ("a header of yours", "")}
    for one in decided(text).every:
        assert one.why != "a header of yours", one.name
        assert one.source.endswith(f"/{one.name}")
