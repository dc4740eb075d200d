"""nginx finds the file of whoever is banned, however the address is written, and nobody else's."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from portico.plan.decide import decided
from portico.plan.gateway.nginx.bans import client_map
from portico.plan.notes.build import notes
from portico.plan.web.unwanted.bans import bans, client_of, file_name, file_names
from tests.plan.test_golden import case, read

GROUPS = st.lists(st.sampled_from([0, 0, 1, 0xDB8, 0xFFFF]), min_size=7, max_size=7)
GLOBAL = st.sampled_from([0x2001, 0x2A02, 0x3FFF])


def address(groups: list[int]) -> ipaddress.IPv6Address:
    return ipaddress.IPv6Address(sum(group << 16 * (7 - at) for at, group in enumerate(groups)))


def as_nginx(text: str) -> str:
    """What the map makes of an address."""
    for row in client_map().block or ():
        if row.name.startswith("~") and (found := re.search(row.name[1:].replace("(?<", "(?P<"), text)):
            return found[row.args[0][1:]]
    return ""


@given(GLOBAL, GROUPS, GROUPS)
@example(0x2001, [0, 0, 1, 0, 0, 0, 0], [0, 0, 1, 1, 1, 1, 1])
def test_every_address_of_a_banned_network_has_its_file(
    first: int, groups: list[int], other: list[int]
) -> None:
    one = address([first, *groups])
    names = file_names(client_of(str(one), by_network=True), by_network=True)
    assert as_nginx(str(one)) in names
    beside = address([first, *groups[:3], *other[3:]])
    assert as_nginx(str(beside)) in names
    if other[:3] != groups[:3]:
        assert as_nginx(str(address([first, *other]))) not in names


@given(st.ip_addresses(v=4))
def test_an_address_of_ipv4_is_itself_in_the_clothes_of_ipv6_too(one: ipaddress.IPv4Address) -> None:
    names = {file_name(str(one), by_network=True), as_nginx(str(one)), as_nginx(f"::ffff:{one}")}
    assert names == {str(one)} == file_names(client_of(f"::ffff:{one}", by_network=True), by_network=True)


@pytest.mark.parametrize("text", ["unix:", "", "::1", "../../etc/passwd"])
def test_what_is_no_client_has_no_file(text: str) -> None:
    assert as_nginx(text) == file_name(text, by_network=True)
    assert "/" not in as_nginx(text)


def test_a_note_says_why_nobody_is_banned(tmp_path: Path) -> None:
    site, place = read('[guard]\nban = "10m"', tmp_path)
    web = decided(site, place)
    assert web.bans is None
    assert [
        note for note in notes(web) if "no client is banned: the routes of this app are not known" in note
    ]
    assert bans(site, place, is_waiting=True), "an app that is awaited may tell"


def test_proxies_and_exempt_networks_are_never_banned(tmp_path: Path) -> None:
    toml = """
    behind = ["198.51.100.0/24"]
    [guard]
    ban = "10m"
    [limits]
    exempt = ["192.0.2.0/24"]
    [test.facts.unrouted]
    rules = []
    """
    planned = case(toml, tmp_path).guards.bans
    assert planned
    assert {"198.51.100.0/24", "192.0.2.0/24", "10.0.0.0/8", "100.64.0.0/10", "64:ff9b::/96"} <= {
        *planned.never
    }
