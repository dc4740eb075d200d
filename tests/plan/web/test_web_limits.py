"""How much one client may ask for: what follows from the machine, and whom a limit counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from portico.place.model import Place
from portico.plan.web.limits import CERTIFICATE, Concurrent, Limits, Rate, impossible, limits
from portico.site.load import load
from portico.site.model import Site
from tests.plan.test_golden import FACTS, PLACE


def site(directory: Path, text: str) -> Site:
    toml = directory / "portico.toml"
    toml.write_text(text)
    options, causes = load(toml, {})
    return Site(options, FACTS, "/srv/shop", "shop", causes)


def decided(directory: Path, text: str, place: Place = PLACE) -> Limits:
    return limits(site(directory, text), place)


@pytest.mark.parametrize(
    ("workers", "threads", "most"),
    [(8, 8, 16), (2, 13, 6), (4, 7, 7), (1, 2, 6)],
)
def test_a_fair_share_is_a_quarter_of_the_threads_and_what_a_browser_opens_at_least(
    tmp_path: Path, workers: int, threads: int, most: int
) -> None:
    fair = decided(tmp_path, f"workers = {{ count = {workers}, threads = {threads} }}").fair
    assert fair is not None
    assert fair.most == most


@pytest.mark.parametrize("workers", ['{ queue = "0s" }', '{ server = "uwsgi" }'])
def test_nobody_has_a_fair_share_where_nobody_notices_a_crowd(tmp_path: Path, workers: str) -> None:
    assert decided(tmp_path, f"workers = {workers}").fair is None


def test_clients_are_remembered_within_the_memory_there_is(tmp_path: Path) -> None:
    large, small = replace(PLACE, memory=1 << 40, file_limit=1 << 20), replace(PLACE, memory=64 << 20)
    assert decided(tmp_path, "", large).remembered == 1 << 17
    assert decided(tmp_path, "", small).remembered == 4096


def test_whoever_makes_up_sessions_gets_no_more_than_ten(tmp_path: Path) -> None:
    found = decided(
        tmp_path,
        """
        [limits]
        session_cookie = "sid"
        rate = ["5/minute of POST per session", "60/minute burst 2 per header:X-API-Key", "3/second"]
        """,
    )
    session, its, header, headers, client = found.of_site
    assert (session.whom.per, session.whom.name, session.is_ceiling) == ("session", "sid", False)
    assert (its.whom.per, its.whom.methods, its.is_ceiling) == ("client", ("POST",), True)
    assert isinstance(session, Rate) and isinstance(its, Rate)  # noqa: PT018  one kind
    assert (session.requests, session.burst, its.requests, its.burst) == (5, 4, 50, 49)
    assert isinstance(header, Rate) and isinstance(headers, Rate)  # noqa: PT018  one kind
    assert (header.burst, headers.burst) == (2, 29)
    assert (client.whom.per, client.is_ceiling) == ("client", False)
    assert len({one.zone for one in found.of_site}) == 5


def test_nginx_counts_no_more_than_65535_in_progress(tmp_path: Path) -> None:
    text = '[limits]\nsession_cookie = "sid"\nrate = "60000 in progress per session"'
    one, ceiling = decided(tmp_path, text).of_site
    assert isinstance(one, Concurrent) and isinstance(ceiling, Concurrent)  # noqa: PT018  one kind
    assert (one.most, ceiling.most) == (60000, 65535)


ACCOUNT = '\n[limits]\nrate = "5/second per account"\n'
HEADER = 'account_header = "X-Auth-Request-User"\n'


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('behind = ["10.0.0.1"]' + ACCOUNT + HEADER, "X-Auth-Request-User"),
        ('behind = ["10.0.0.1"]\nbehind_headers = ["scheme"]' + ACCOUNT + HEADER, ""),
        ('behind = ["cloudflare"]' + ACCOUNT + HEADER, ""),
        ('behind = ["cloudflare", "10.0.0.1"]' + ACCOUNT + HEADER, "X-Auth-Request-User"),
        ('https = { mode = "local", client_ca = "ca.pem" }' + ACCOUNT, CERTIFICATE),
        ('https = { mode = "local" }' + ACCOUNT, ""),
    ],
)
def test_an_account_is_what_no_stranger_can_choose(tmp_path: Path, text: str, name: str) -> None:
    made = site(tmp_path, text)
    problems = list(impossible(made, is_waiting=False))
    assert [one.where for one in problems] == ([] if name else ["portico.toml:" + str(_line(text))])
    (counted,) = limits(made, PLACE).of_site
    assert (counted.whom.per, counted.whom.name) == ("account", name)


def _line(text: str) -> int:
    return text.partition("rate")[0].count("\n") + 1
