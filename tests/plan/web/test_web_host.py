"""Where redirects lead when a client names no port, and who may say the Host."""

from __future__ import annotations

import pytest

from portico.plan.web.entry.host_header import Unnamed, host
from portico.site.model import Site
from portico.site.options import Options
from portico.site.options.https import Https
from portico.values import Address
from tests.plan.test_golden import FACTS


def site(**options: object) -> Site:
    return Site(Options(**options), FACTS, "/srv/shop", "shop")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("listen", "behind", "unnamed"),
    [
        (Address("*", 8080), [], Unnamed.ALL),
        (Address("*", 80), ["private"], Unnamed.PROXIED),
        (Address("*", 80), [], Unnamed.NONE),
    ],
)
def test_who_names_no_port_came_by_80_which_may_be_our_own(
    listen: Address, behind: list[str], unnamed: Unnamed
) -> None:
    assert host(site(listen=listen, behind=behind)).unnamed is unnamed


def test_the_usual_port_of_a_scheme_is_not_named() -> None:
    usual = host(site(listen=Address("*", 80), https=Https(mode="local")))
    assert (usual.https_port, usual.port) == (0, 0)
    moved = host(site(listen=Address("*", 8080), https=Https(mode="local")))
    assert (moved.https_port, moved.port) == (8443, 8443)
    assert host(site(listen=Address("*", 8080))).port == 8080


def test_nobody_but_a_declared_proxy_says_the_host_or_the_prefix() -> None:
    assert not host(site(behind_headers=["host", "prefix"])).from_proxy
    told = host(site(behind=["private"], behind_headers=["host"]))
    assert told.from_proxy
    assert not told.prefix_from_proxy
