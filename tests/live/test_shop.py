"""The example shop, as `make run` serves it: what a person does with it works behind nginx."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support import Served, end, private_directory, start, until_ready
from tests.support.clients import talk

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def shop() -> Iterator[Served]:
    with private_directory() as home:
        run = start(home, str(EXAMPLES / "shop"), env={"SHOP_DATABASE": str(home / "shop.sqlite")})
        try:
            until_ready(run)
            yield run
        finally:
            end(run)


@pytest.fixture
def owner(shop: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shop.url, timeout=60) as client:
        token = _token(client.get("/login").text)
        answer = client.post("/login", data={"username": "owner", "password": "clay", "csrf": token})
        assert answer.status_code in (302, 303), answer.text
        yield client


def _token(page: str) -> str:
    found = re.search(r'name="csrf[^"]*"[^>]*value="([^"]+)"', page)
    assert found
    return found[1]


def test_the_server_is_nginx_and_nobody_else(shop: Served) -> None:
    assert shop.get("/").headers.get_list("Server") == ["Apache" if shop.is_apache else "nginx"]


def test_every_link_and_file_of_the_home_page_is_there(shop: Served) -> None:
    page = shop.get("/").text
    found = set(re.findall(r'(?:href|src)="(/[^"#]*)"', page))
    assert len(found) > 5
    for target in sorted(found - {"/fail"}):
        assert shop.get(target, follow_redirects=True).status_code == 200, target


def test_logging_in_holds_over_all_workers(owner: httpx.Client) -> None:
    assert {owner.get("/admin/").status_code for _ in range(12)} == {200}


def test_who_am_i(shop: Served) -> None:
    told = shop.get("/whoami").json()
    assert told["remote_addr"] == "127.0.0.1"
    assert shop.url in str(told)


def test_the_json_api(shop: Served) -> None:
    assert shop.get("/api/products").json()
    assert shop.get("/api/products/999999").headers["Content-Type"] == "application/json"


def test_events_arrive_one_by_one_and_not_all_at_once(shop: Served) -> None:
    with shop.client.stream("GET", shop.url + "/orders/events") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert next(answer.iter_raw())  # of a stream without an end


@pytest.mark.of_nginx  # httpd's uwsgi module carries no WebSockets
def test_a_websocket_goes_through(shop: Served) -> None:
    with talk(shop.port, "/support/ws") as socket:
        socket.send("is anybody there?")
        assert socket.recv(timeout=60)


def test_a_slow_view_holds_nobody_up(shop: Served) -> None:
    slow = threading.Thread(target=lambda: shop.get("/slow?seconds=6"))
    slow.start()
    assert shop.get("/healthz").status_code == 200
    assert slow.is_alive()
    slow.join()


def test_a_view_that_fails_is_500_with_its_traceback_on_stderr(shop: Served) -> None:
    assert shop.get("/fail").status_code == 500
    shop.until_said("Traceback (most recent call last)")


def test_an_upload_that_is_too_large_is_413(owner: httpx.Client) -> None:
    answer = owner.post("/documents", content=b"x" * (17 << 20), headers={"Accept": "application/json"})
    assert answer.status_code == 413
    assert "max_upload" in answer.json()["error"]["detail"]


@pytest.mark.parametrize(
    ("words", "path", "text"),
    [
        (["hello.py"], "/", "Hello"),
        (["plain_wsgi.py"], "/", ""),
        (["django_hello"], "/", ""),
        (["pyramid_hello"], "/", ""),
    ],
)
def test_the_other_examples_run(words: list[str], path: str, text: str) -> None:
    with private_directory() as home:
        run = start(home, *(str(EXAMPLES / word) for word in words))
        try:
            until_ready(run)
            answer = run.get(path)
            assert answer.status_code == 200
            assert text in answer.text
        finally:
            end(run)
