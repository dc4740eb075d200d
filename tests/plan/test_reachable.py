"""Who can reach the site, in the words of the banner and the notes."""

from __future__ import annotations

from msgspec.structs import replace

from portico.plan.build import plan
from portico.plan.notes.reachable import on_all
from portico.site.model import Site
from portico.site.options import Options
from portico.site.variants.platform import CAUSE
from portico.values import Address
from tests.plan.test_golden import FACTS, PLACE

CONTAINER = replace(PLACE, is_container=True)


def site(options: Options | None = None, **causes: str) -> Site:
    return Site(options or Options(), FACTS, "/srv/shop", "shop", causes)


def test_the_banner_says_on_which_addresses() -> None:
    assert on_all(["127.0.0.1:8080", "[::1]:8080"]) == ""
    assert on_all(["0.0.0.0:8080", "[::]:8080"]) == "on all addresses of this machine, port 8080"
    assert (
        on_all(["0.0.0.0:80", "[::]:80", "0.0.0.0:443"])
        == "on all addresses of this machine, ports 80 and 443"
    )


def test_loopback_in_a_container_is_said_with_the_flag_that_helps() -> None:
    (note,) = [one for one in plan(site(), CONTAINER).notes if "container" in one]
    assert "127.0.0.1:8080 is reached from inside it only: portico run --listen :8080" in note


def test_nothing_is_said_where_the_user_chose_or_everybody_reaches_it() -> None:
    chosen = site(Options(listen=Address("127.0.0.1", 8080)), listen="portico.toml:1")
    for notes in (plan(chosen, CONTAINER).notes, plan(site(), PLACE).notes):
        assert not [one for one in notes if "container" in one]


def test_the_port_of_a_platform_is_said() -> None:
    notes = plan(site(Options(listen=Address("*", 5000)), listen=CAUSE), CONTAINER).notes
    assert any("port 5000: PORT in the environment; --listen overrides it" in one for one in notes)
    assert not any("container" in one for one in notes)
