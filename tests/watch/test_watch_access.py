"""Which observers may come in: the right password at once, whoever else guesses, and only under a name of our own."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from portico.cli.commands.look.dashboard import _page_that_leads_to
from portico.http import Request
from portico.protocol.feed import Item, Now
from portico.protocol.status import GatewayStatus, SiteStatus
from portico.protocol.trace import Trace
from portico.watch import access, secret
from portico.watch import endpoint as endpoint_module
from portico.watch.access import Lock, Secret, Ticket, is_own_host
from portico.watch.endpoint import MOST_OPEN, MOST_SILENT, Endpoint
from tests.support.until import PATIENCE_SECONDS

WORD = "correct horse battery"


def asked(path: str = "/", host: str = "127.0.0.1:9146", query: str = "", **headers: str) -> Request:
    return Request("GET", path, query, {"host": host, **headers})


def basic(word: str) -> str:
    return "Basic " + base64.b64encode(f"me:{word}".encode()).decode()


@pytest.fixture
def lock(tmp_path: Path) -> Lock:
    (tmp_path / "word").write_text(f"{WORD}\n")
    return Lock(lambda: Secret(str(tmp_path / "word"), ["shop.example"]))


def test_who_knows_it_never_waits_for_those_who_guess(lock: Lock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "GUESS_SECONDS", 3600.0)

    async def go() -> None:
        guesses = [asyncio.ensure_future(lock(asked(authorization=basic(str(n))))) for n in range(1000)]
        for _ in range(3):
            await asyncio.sleep(0)
        waiting = [one for one in guesses if not one.done()]
        assert len(waiting) == access.MOST_GUESSES, "the rest is refused and holds no connection"
        assert await lock(asked(authorization=basic(WORD))) is None
        assert await lock(asked(authorization=f"Bearer {WORD}")) is None
        refused = [answer for one in guesses if one.done() and (answer := one.result())]
        assert {answer.status[:3] for answer in refused} == {"401"}
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(go())


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.evil.example"])
def test_another_name_is_refused_even_with_the_password(lock: Lock, host: str) -> None:
    answer = asyncio.run(_given(lock, asked(host=host, authorization=basic(WORD))))
    assert answer == "421"


async def _given(asked: Lock | Ticket, request: Request) -> str:
    answer = await asked(request)
    return answer.status[:3] if answer else "let in"


def test_names_of_our_own() -> None:
    for host in (
        "127.0.0.1",
        "10.0.0.5",
        "[::1]",
        "[2001:db8::1]",
        "localhost",
        "LOCALHOST.",
        socket.gethostname(),
    ):
        assert is_own_host(host), host
    assert is_own_host("shop.example", ["shop.example"])
    assert not is_own_host("shop.example")


def test_a_cookie_is_good_below_a_path_that_nobody_knows() -> None:
    ticket = Ticket("the key", 9146)
    cookie = {"cookie": "portico_dashboard=the key"}
    given = asyncio.run(_answer(ticket, asked(query="key=the key")))
    assert given["Location"] == ticket.path
    assert f"Path={ticket.path}" in given["Set-Cookie"]
    assert asyncio.run(_given(ticket, asked(f"{ticket.path}events", **cookie))) == "let in"
    assert asyncio.run(_given(ticket, asked("/events", **cookie))) == "403"
    assert asyncio.run(_given(ticket, asked(f"{ticket.path}events"))) == "403"
    assert asyncio.run(_given(ticket, asked(f"{ticket.path}events", host="127.0.0.1:1", **cookie))) == "421"
    assert asyncio.run(_given(ticket, asked(query="key=\udcff"))) == "403"


async def _answer(ticket: Ticket, request: Request) -> Any:
    answer = await ticket(request)
    assert answer is not None
    return answer.headers


def test_a_browser_is_not_told_the_key_in_its_arguments() -> None:
    with _page_that_leads_to("http://127.0.0.1:9146/?key=hidden") as url:
        page = Path(unquote(urlsplit(url).path))
        assert "hidden" not in url
        assert "http://127.0.0.1:9146/?key=hidden" in page.read_text()
        assert page.stat().st_mode & 0o777 == 0o600
        assert page.parent.stat().st_mode & 0o777 == 0o700
    assert not page.exists()


def test_a_password_that_others_may_know_is_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "look.password"
    secret.make(str(file))
    first = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(first.strip()) >= 32
    secret.make(str(file))
    assert file.read_text() == first
    file.chmod(0o644)
    secret.make(str(file))
    assert file.read_text() != first
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("theirs\n")
    file.unlink()
    file.symlink_to(elsewhere)
    secret.make(str(file))
    assert not file.is_symlink()
    assert elsewhere.read_text() == "theirs\n"


class _Nothing:
    async def follow(self) -> AsyncGenerator[Item, None]:
        status = SiteStatus(name="", app="", phase="", live=1, pid=1, gateway=GatewayStatus(""))
        yield Item(time=0.0, now=Now(), status=status)

    async def exposition(self) -> str:
        return "numbers"

    async def trace(self, request_id: str) -> Trace | None:
        return None


def test_who_connects_and_says_nothing_keeps_out_nobody(lock: Lock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_module, "HEAD_SECONDS", PATIENCE_SECONDS)

    async def go() -> bytes:
        endpoint = Endpoint(_Nothing(), lock, metrics_only=True)
        server = await asyncio.start_server(endpoint.answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MOST_SILENT + 20)]
        while len(endpoint._silent) < MOST_SILENT:
            await asyncio.sleep(0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {basic(WORD)}\r\n\r\n".encode()
        )
        answer = await reader.read()
        assert len(endpoint._silent) <= MOST_SILENT
        for _, one in silent:
            one.close()
        server.close()
        return answer

    assert asyncio.run(go()).endswith(b"numbers")


@pytest.mark.parametrize("below", ["/", "/secret/"])
def test_of_those_who_look_on_there_is_a_limit_below_any_path(below: str) -> None:
    async def come_in(_: Request) -> None:
        return None

    async def go() -> bytes:
        endpoint = Endpoint(_Nothing(), come_in, below=below)
        endpoint._open = MOST_OPEN
        server = await asyncio.start_server(endpoint.answer, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        writer.write(f"GET {below}events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        answer = await reader.read()
        server.close()
        return answer

    assert b"too many observers" in asyncio.run(go())
