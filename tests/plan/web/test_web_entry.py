"""Where clients come in: addresses, names and HTTPS."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from portico.plan.web.ability import Ability
from portico.plan.web.entry.hosts import Hosts, hosts
from portico.plan.web.entry.listeners import Listeners, listeners
from portico.plan.web.entry.tls import Challenge, Http2, http2, tls
from portico.site.model import Site
from portico.site.options import Options
from portico.site.options.https import Https
from portico.values import Address
from tests.plan.test_golden import FACTS, PLACE

ALL = frozenset(Ability)
UNSAFE = ALL - {Ability.SAFE_HTTP2}
BESIDE = replace(PLACE, host_runtime="/run/gateway")
FILES = Https(cert="cert.pem", key="key.pem")


def site(**options: object) -> Site:
    return Site(Options(**options), FACTS, "/srv/shop", "shop")  # type: ignore[arg-type]


def listened(**options: object) -> Listeners:
    return listeners(site(**options), PLACE, ALL)


def named(*domains: str, canonical: str = "") -> Hosts:
    return hosts(site(domains=list(domains), canonical=canonical), PLACE)


def test_a_star_is_every_address_of_the_families_that_the_machine_has() -> None:
    v4, v6 = Address("0.0.0.0", 80), Address("::", 80)
    assert listened(listen=Address("*", 80)).plain == (v4, v6)
    assert listeners(site(listen=Address("*", 80)), replace(PLACE, has_ipv6=False), ALL).plain == (v4,)
    assert listened(listen=Address("127.0.0.1", 80)).plain == (Address("127.0.0.1", 80),)


def test_http3_needs_an_address_of_the_site_s_own_and_clients_that_connect_themselves() -> None:
    assert listened(https=FILES).quic == listened(https=FILES).tls
    assert not listened().quic
    assert not listened(https=FILES, behind=["10.0.0.0/8"], behind_protocol="proxy").quic
    assert not listeners(site(https=FILES), BESIDE, ALL).quic
    assert not listeners(site(https=FILES), PLACE, ALL - {Ability.HTTP3}).quic


def test_no_more_connections_wait_than_the_kernel_allows() -> None:
    assert listeners(site(), replace(PLACE, somaxconn=128), ALL).backlog == 128


def test_every_other_name_leads_to_the_canonical_one_but_what_a_wildcard_takes() -> None:
    found = named("www.shop.example", "shop.example", "*.shop.example", canonical="shop.example")
    assert found.redirected == ("www.shop.example",)
    assert found.shown == ("shop.example", "*.shop.example")
    assert found.urls == ("http://shop.example/",)
    assert named("www.shop.example", "shop.example").shown == ("www.shop.example", "shop.example")


def test_an_unknown_host_is_refused_by_the_site_that_has_names_or_by_the_gateway_of_several() -> None:
    assert named("shop.example").refuses_others
    assert not named().refuses_others
    assert not hosts(site(domains=["shop.example"]), BESIDE).refuses_others


def test_an_ipv6_address_is_written_as_a_host_header_has_it() -> None:
    found = named("2001:db8::1")
    assert found.shown == ("[2001:db8::1]",)
    assert found.has_addresses


@pytest.mark.parametrize(
    ("wanted", "abilities", "spoken"),
    [
        ("auto", ALL, Http2.ON),
        ("auto", UNSAFE, Http2.UNSAFE),
        ("on", UNSAFE, Http2.ON),
        ("off", ALL, Http2.OFF),
        ("on", ALL - {Ability.HTTP2}, Http2.UNKNOWN),
    ],
)
def test_http2_is_spoken_unless_a_published_fault_or_the_user_forbids_it(
    wanted: str, abilities: frozenset[Ability], spoken: Http2
) -> None:
    assert http2(wanted, abilities) is spoken


def test_challenges_are_answered_by_whoever_asks_for_the_certificate() -> None:
    own = tls(site(email="me@shop.example", domains=["shop.example"]), ALL)
    assert own
    assert own.challenge is Challenge.OURS
    users, proxied = tls(site(https=FILES), ALL), tls(site(https=FILES, behind=["10.0.0.0/8"]), ALL)
    assert users
    assert users.challenge is Challenge.THEIRS
    assert proxied
    assert proxied.challenge is None
    assert proxied.plain_shows_site
    by_dns = tls(site(email="me@shop.example", domains=["shop.example"], https=Https(dns="route53")), ALL)
    assert by_dns
    assert by_dns.challenge is None
