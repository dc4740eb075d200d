"""Puzzles, passes and keys: who gets a pass, for whom it is good, and when passes are asked for."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from pathlib import Path

import pytest

from portico.plan.subjects import PlannedChallenge
from portico.run.challenge import keys as key_file
from portico.run.challenge import puzzle
from portico.run.challenge.endpoint import Endpoint
from portico.run.challenge.keys import LIFE_SECONDS, Key, Keys
from portico.run.challenge.pressure import Busy, Pressure

NOW = 1_800_000_000.0
KEYS = Keys(Key("b", "1" * 64, NOW), Key("a", "2" * 64, NOW - LIFE_SECONDS))
CLIENT = "2001:db8::7"
SEED = puzzle.seed(KEYS, NOW)
SOLUTION = puzzle.solution(SEED, CLIENT)
PLANNED = PlannedChallenge("/run/shop/challenge", "", "", "/shop/", is_always=True, says_crowd=True, cpus=2.0)


def test_a_solution_is_good_for_its_puzzle_and_its_address_alone() -> None:
    assert puzzle.is_solved(KEYS, SEED, CLIENT, SOLUTION, NOW)
    assert not puzzle.is_solved(KEYS, SEED, "2001:db8::8", SOLUTION, NOW)
    assert not puzzle.is_solved(KEYS, puzzle.seed(KEYS, NOW + 30), CLIENT, SOLUTION, NOW)


@pytest.mark.parametrize(("later", "is_good"), [(0, True), (299, True), (331, False), (-61, False)])
def test_a_puzzle_is_of_now(later: float, is_good: bool) -> None:
    assert puzzle.is_solved(KEYS, SEED, CLIENT, SOLUTION, NOW + later) == is_good


def test_nobody_makes_a_puzzle_of_tomorrow() -> None:
    when = int(NOW) + 86_400
    forged = f"{when}.{SEED.partition('.')[2]}"
    assert not puzzle.is_solved(KEYS, forged, CLIENT, puzzle.solution(forged, CLIENT), when)


def test_a_puzzle_outlives_a_change_of_keys_and_no_two() -> None:
    newer = Keys(Key("c", "3" * 64, NOW), KEYS.current)
    newest = Keys(Key("d", "4" * 64, NOW), newer.current)
    assert puzzle.is_solved(newer, SEED, CLIENT, SOLUTION, NOW)
    assert not puzzle.is_solved(newest, SEED, CLIENT, SOLUTION, NOW)


@pytest.mark.parametrize(
    "nonces",
    [
        "",
        "1",
        "1.2.3.4.5.6.7.8",
        SOLUTION + ".1",
        "x" + SOLUTION[1:],
        SOLUTION.replace(".", ","),
        SOLUTION.rpartition(".")[0] + ".0",
        "0." + SOLUTION.partition(".")[2],
    ],
)
def test_what_is_no_solution(nonces: str) -> None:
    assert not puzzle.is_solved(KEYS, SEED, CLIENT, nonces, NOW)


def test_a_pass_is_what_nginx_computes() -> None:
    pass_ = puzzle.passed(KEYS, CLIENT, NOW)
    until = pass_[1:11]
    packed = bytes.fromhex("20010db800000000")
    expected = hashlib.md5(until.encode() + b" " + packed + b" " + b"1" * 64, usedforsecurity=False).digest()
    assert pass_ == f"b{until}.{base64.urlsafe_b64encode(expected).rstrip(b'=').decode()}"
    assert int(until) == NOW + puzzle.PASS_SECONDS


def test_keys_are_kept_and_change_when_they_are_old(tmp_path: Path) -> None:
    path = tmp_path / "challenge.keys"
    first = key_file.kept(str(path), NOW)
    assert path.stat().st_mode & 0o777 == 0o600
    assert key_file.kept(str(path), NOW + 60) == first
    second = key_file.kept(str(path), NOW + LIFE_SECONDS)
    assert second.before == first.current
    assert second.current.secret != first.current.secret
    assert second.current.name != first.current.name
    assert [line.split()[0] for line in second.file().content.splitlines()] == ["~^b", "~^a"]


def test_a_key_of_the_future_is_replaced() -> None:
    """The clock was set back: it would sign passes for longer than keys live."""
    assert KEYS.is_due(NOW - 1)
    assert not KEYS.is_due(NOW)


@pytest.mark.parametrize("spoil", ["readable", "by the group", "another's", "link", "words", "long", "empty"])
def test_keys_that_others_may_know_are_not_used(tmp_path: Path, spoil: str) -> None:
    path = tmp_path / "challenge.keys"
    first = key_file.kept(str(path), NOW)
    match spoil:
        case "readable":
            path.chmod(0o644)
        case "by the group":
            path.chmod(0o640)
        case "another's":
            if os.geteuid() != 0:
                pytest.skip("only root gives files to others")
            os.chown(path, 2, -1)
        case "link":
            path.rename(tmp_path / "elsewhere")
            path.symlink_to(tmp_path / "elsewhere")
        case "words":
            path.write_text(path.read_text().replace(first.current.secret, "x; return 200" + "a" * 51))
        case "long":
            path.write_bytes(b"[" * 100_000)
        case _:
            path.write_bytes(b"")
    assert key_file.kept(str(path), NOW).current.secret != first.current.secret
    assert not path.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o600


def test_passes_are_asked_for_until_the_pressure_is_over_and_longer_each_time() -> None:
    pressure, now = Pressure(), NOW
    assert not pressure.look(now, is_pressed=False)
    for hold in (60, 120, 240, 480, 900, 900):
        assert pressure.look(now, is_pressed=True)
        assert pressure.look(now + hold - 1, is_pressed=False)
        assert not pressure.look(now + hold, is_pressed=False)
        now += hold + 30
    now += 120
    assert pressure.look(now, is_pressed=True)
    assert not pressure.look(now + 60, is_pressed=False)


def test_an_app_is_busy_whose_workers_have_all_the_processors_for_a_while() -> None:
    busy = Busy()
    used = [0.0, 1.0, 2.0, 3.0, 4.0, 4.1, 5.1]
    seen = [busy.look(NOW + second, spent, 1.0, waiting=False) for second, spent in enumerate(used)]
    assert seen == [False, False, False, False, True, False, False]
    assert [busy.look(NOW + 10 + n, 5.1, 1.0, waiting=True) for n in range(4)][-1]


def ask(request: str, client: str = CLIENT) -> str:
    """What the endpoint answers to that."""

    async def asked() -> str:
        endpoint = Endpoint(lambda: (PLANNED, KEYS), now=lambda: NOW)
        path = f"/tmp/portico-test-{os.getpid()}-{id(endpoint)}.sock"
        server = await asyncio.start_unix_server(endpoint.answer, path)
        try:
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(f"{request}\r\nX-Client: {client}\r\nX-Scheme: https\r\n\r\n".encode())
            answer = await asyncio.wait_for(reader.read(), 60)
            writer.close()
            return answer.decode()
        finally:
            server.close()
            Path(path).unlink(missing_ok=True)

    return asyncio.run(asked())


def brought(seed: str = SEED, client: str = CLIENT, nonces: str = SOLUTION) -> str:
    return f"POST /-/challenge?seed={seed}&client={client}&nonces={nonces} HTTP/1.1"


def test_a_solution_brings_a_pass_to_the_network_that_solved_it() -> None:
    answer = ask(brought(), client="2001:db8::ffff")
    assert answer.startswith("HTTP/1.1 204 ")
    cookie = next(line for line in answer.splitlines() if line.startswith("Set-Cookie"))
    assert f"portico_pass={puzzle.passed(KEYS, CLIENT, NOW)}; Path=/shop/; Max-Age=43200; HttpOnly" in cookie
    assert cookie.endswith("SameSite=Lax; Secure")


def test_an_ipv4_address_is_the_same_client_however_a_proxy_writes_it() -> None:
    assert puzzle.network("::ffff:203.0.113.4") == puzzle.network("203.0.113.4")
    assert not puzzle.is_same("::ffff:203.0.113.4", "::ffff:203.0.113.5")


@pytest.mark.parametrize(
    ("request_", "client"),
    [
        (brought(), "2001:db8:0:1::7"),
        (brought(), "192.0.2.7"),
        (brought(), ""),
        (brought(client="192.0.2.7"), CLIENT),
        (brought(nonces="1.2.3.4.5.6.7.8"), CLIENT),
        (brought(seed="1"), CLIENT),
        ("POST /-/challenge HTTP/1.1", CLIENT),
        ("POST /-/challenge?seed=%FF&nonces=%00&client=%0D%0A HTTP/1.1", CLIENT),
        ("POST /-/challenge?" + "a=1&" * 20 + " HTTP/1.1", CLIENT),
    ],
)
def test_nobody_else_gets_one(request_: str, client: str) -> None:
    answer = ask(request_, client)
    assert answer.startswith("HTTP/1.1 403 ")
    assert "Set-Cookie" not in answer


def test_what_is_no_http_gets_no_answer() -> None:
    assert ask("nonsense") == ""
    assert ask("POST /" + "a" * 100_000 + " HTTP/1.1") == ""
