"""An ASGI app with more requests than it may run at a time: the others wait, and not for too long."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from tests.support import Served, portico, private_directory, served, write_files
from tests.support.until import until

APP = """
import asyncio, pathlib
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

here = pathlib.Path(__file__).parent
running = most = 0

async def gate(request):
    global running, most
    with (here / "taken").open("a") as taken:
        taken.write(request.url.query + "\\n")
    running += 1
    most = max(most, running)
    try:
        while not (here / "open").exists():
            await asyncio.sleep(0.01)
    finally:
        running -= 1
    return PlainTextResponse(f"gate {most}")

def in_a_thread(request):
    return PlainTextResponse("thread")

async def events(request):
    async def lines():
        while not (here / "open").exists():
            yield "data: 1\\n\\n"
            await asyncio.sleep(0.05)
    return StreamingResponse(lines(), media_type="text/event-stream")

async def home(request):
    return PlainTextResponse("home")

app = Starlette(routes=[Route("/", home), Route("/gate", gate), Route("/thread", in_a_thread),
                        Route("/events", events)])
"""
TOML = """
app = "shop:app"
request_timeout = "10m"

[workers]
count = 1
threads = 2
queue = "10ms"

[static]
"/static/" = "static"
"""
FILES = {"shop.py": APP, "portico.toml": TOML, "static/a.txt": "a file"}


@pytest.fixture(scope="module", params=["embedded", "system"])
def site(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[Served]:
    with served(FILES, "--nginx", str(request.param)) as run:
        yield run


def line(site: Served, uri: str) -> dict[str, object]:
    found: dict[str, object] = until(lambda: next((one for one in site.requests() if one["uri"] == uri), {}))
    return found


def taken(site: Served) -> list[str]:
    """The queries of those that the app was called for."""
    path = site.directory / "taken"
    return path.read_text().splitlines() if path.exists() else []


def status(site: Served) -> dict[str, int]:
    return dict(json.loads(portico("status", "--json", cwd=site.directory).stdout)["queue"])


def close(site: Served) -> None:
    (site.directory / "open").unlink(missing_ok=True)
    (site.directory / "taken").unlink(missing_ok=True)


def opened(site: Served) -> None:
    (site.directory / "open").touch()


@contextmanager
def full(site: Served, threads: ThreadPoolExecutor) -> Iterator[list[Future[httpx.Response]]]:
    """Two requests run, and as many wait as may: eight, and the kernel's one more."""
    close(site)

    def begin() -> Future[httpx.Response]:
        return threads.submit(httpx.get, f"{site.url}/gate?{len(began)}", timeout=240)

    began: list[Future[httpx.Response]] = []
    try:
        began += [begin(), begin()]
        until(lambda: len(taken(site)) == 2)
        # The bound begins when the worker had no room for a second; until then a burst may wait.
        while not any(one.done() for one in began) and len(began) < 159:
            began.append(begin())
            time.sleep(0.2)
        assert any(one.done() for one in began)
        yield began
    finally:
        opened(site)


def test_a_full_queue_refuses_at_once_and_everything_else_goes_on(site: Served) -> None:
    with ThreadPoolExecutor(160) as threads:
        with full(site, threads) as began:
            page = site.get("/?page", headers={"Accept": "text/html"})
            assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
            assert "Busy" in page.text
            program = site.get("/?program", headers={"Accept": "application/json"})
            assert (program.status_code, program.headers["Retry-After"]) == (503, "5")
            assert site.get("/static/a.txt").text == "a file"
            health = site.get("/-/health")
            assert (health.status_code, health.text) == (200, "ok")
            assert len(taken(site)) == 2
            assert status(site)["with_app"] == 2
            assert status(site)["waiting"] >= 8
        answers = [one.result() for one in began]
    assert {one.status_code for one in answers} == {200, 503}
    assert [one.status_code for one in answers[:2]] == [200, 200]
    assert {one.text for one in answers if one.status_code == 200} == {"gate 2"}
    assert {line(site, uri)["refused_by"] for uri in ("/?page", "/?program")} == {"queue"}
    until(lambda: site.get("/?again").status_code == 200)
    assert site.get("/thread").text == "thread"


def test_the_log_has_the_time_in_the_queue(site: Served) -> None:
    close(site)
    with ThreadPoolExecutor(3) as threads:
        held = [threads.submit(site.get, f"/gate?held{number}") for number in range(2)]
        until(lambda: len(taken(site)) == 2)
        waits = threads.submit(site.get, "/?waited")
        until(lambda: status(site)["waiting"] == 1)
        time.sleep(0.3)
        opened(site)
        assert [one.result().status_code for one in (*held, waits)] == [200] * 3
    queue_us, app_us = str(line(site, "/?waited")["worker"]).split()[:2]
    assert int(queue_us) > 300_000 > int(app_us)


def test_a_client_that_leaves_while_it_waits_is_not_executed(site: Served) -> None:
    close(site)
    with ThreadPoolExecutor(3) as threads:
        held = [threads.submit(site.get, f"/gate?held{number}") for number in range(2)]
        until(lambda: len(taken(site)) == 2)
        with socket.create_connection(("127.0.0.1", site.port)) as connection:
            connection.sendall(b"GET /gate?left HTTP/1.1\r\nHost: a\r\n\r\n")
            until(lambda: status(site)["waiting"] == 1)
            time.sleep(0.1)  # shorter waits are not looked at
        stays = threads.submit(site.get, "/gate?stays")
        until(lambda: status(site)["waiting"] >= 1)
        opened(site)
        assert [one.result().status_code for one in (*held, stays)] == [200] * 3
    assert sorted(taken(site)) == ["held0", "held1", "stays"]


def test_streams_do_not_take_the_places(site: Served) -> None:
    close(site)
    with ThreadPoolExecutor(4) as threads:
        streams = [threads.submit(site.get, "/events") for _ in range(4)]
        until(lambda: status(site)["with_app"] == 4)
        assert site.get("/").text == "home"
        opened(site)
        assert {one.result().status_code for one in streams} == {200}


def test_a_reload_loses_none_of_those_that_wait(site: Served) -> None:
    close(site)
    with ThreadPoolExecutor(8) as threads:
        began = [threads.submit(site.get, f"/gate?{number}") for number in range(8)]
        until(lambda: len(taken(site)) == 2 and status(site)["waiting"] == 6)
        done = threads.submit(portico, "reload", cwd=site.directory)
        time.sleep(1)
        opened(site)
        assert [one.result().status_code for one in began] == [200] * 8
        assert done.result().returncode == 0, done.result().stderr
    assert {one.result().text for one in began} == {"gate 2"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[workers]\nqueue = "1s"\n', "--limit-concurrency: threads = 100"),
        (
            'gateway = "apache"\n[workers]\nqueue = "1s"\nthreads = 100\n',
            "over HTTP, an ASGI worker takes each",
        ),
    ],
    ids=["any number", "over HTTP"],
)
@pytest.mark.usefixtures("_needs_nginx")
def test_without_a_number_no_queue_is_an_error_of_the_plan(text: str, says: str) -> None:
    with private_directory() as home:
        write_files(home, {"shop.py": APP, "portico.toml": f'app = "shop:app"\n{text}'})
        done = portico("plan", cwd=home)
        assert done.returncode == 2, done.stdout[-500:]
        assert says in done.stderr
