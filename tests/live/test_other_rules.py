"""A release with other access rules: no unauthorized client sees a view of one release by the rules of the other."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.support import (
    Served,
    end,
    environment,
    portico,
    private_directory,
    rewrite,
    served,
    start,
    until_ready,
    write_files,
)
from tests.support.clients import Asked, Clients, Profile
from tests.support.until import until
from tests.support.wire import status

HEAD = """
from flask import Flask, request
from portico import edge

app = Flask(__name__)

@app.get("/")
def index():
    return "{name}"
"""
PLAIN = HEAD.format(name="plain")
GUARDED = (
    HEAD.format(name="guarded")
    + """
@app.route("/report", methods=["GET", "POST"])
@edge.allow("10.0.0.0/8")
def report():
    return f"secret {len(request.get_data())}"
"""
)
OPEN = (
    HEAD.format(name="open")
    + """
@app.route("/report", methods=["GET", "POST"])
def report():
    return "for everybody"
"""
)
STRANGERS = Profile(("GET /report", "POST /report"), count=4, pause_seconds=0.005)


@pytest.fixture(scope="module", params=["embedded", "system"])
def site(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[Served]:
    with served({"app.py": PLAIN}, "--workers", "2", "--nginx", request.param) as run:
        yield run


class Upload:
    """A POST whose head nginx has let in: a byte of its body comes each second, as long as it lasts."""

    def __init__(self, port: int, host: str) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), 60)
        self._left, self._is_wanted = 70_000, threading.Event()
        head = f"POST /report HTTP/1.1\r\nHost: {host}\r\nContent-Length: {self._left}\r\nConnection: close\r\n\r\n"
        self.connection.sendall(head.encode())
        self._send(35_000)
        self._slow = threading.Thread(target=self._drip, daemon=True)
        self._slow.start()

    def _send(self, count: int) -> None:
        self.connection.sendall(b"x" * count)
        self._left -= count

    def _drip(self) -> None:
        with suppress(OSError):  # it was refused
            while not self._is_wanted.wait(1):
                self._send(1)

    def finish(self) -> int:
        """The status of its answer when all of it has come."""
        self.stop()
        self._send(self._left)
        return status(self.connection)

    def stop(self) -> None:
        self._is_wanted.set()
        self._slow.join()


@contextmanager
def slow_upload(port: int, host: str = "") -> Iterator[Upload]:
    upload = Upload(port, host or f"127.0.0.1:{port}")
    with upload.connection:
        try:
            yield upload
        finally:
            upload.stop()


def secrets(strangers: Clients) -> list[Asked]:
    return [asked for asked in strangers.asked.copy() if "secret" in asked.said]


def statuses(strangers: Clients) -> set[int]:
    """An older nginx closes kept connections at a reload, also when a request is on its way."""
    return {asked.status for asked in strangers.asked.copy() if asked.status or not asked.is_kept}


def release(run: Served, app: str, *words: str) -> tuple[int, str]:
    rewrite(run.directory / "app.py", app)
    return do(run, "reload", *words)


def do(run: Served, *words: str) -> tuple[int, str]:
    done = portico(*words, cwd=run.directory, env=environment(run.directory))
    return done.returncode, done.stdout + done.stderr


def test_a_protected_view_is_never_seen_by_strangers(site: Served) -> None:
    run = site
    assert release(run, PLAIN)[0] == 0
    until(lambda: run.get("/report").status_code == 404, "a release without the view")
    with (
        Clients(run.port, kept_each=0) as visitors,
        Clients(run.port, STRANGERS) as strangers,
        slow_upload(run.port) as upload,
    ):
        until(lambda: len(strangers.asked) > 20, "strangers")
        code, words = release(run, GUARDED, "--canary", "10%")
        assert code == 1, words
        assert "its access rules differ" in words
        assert run.get("/").text == "plain"
        code, words = do(run, "reload")
        assert code == 0, words
        until(lambda: run.get("/").text == "guarded", "the new release")
        assert run.get("/report").status_code == 403
        assert upload.finish() == 404, "it began under the old rules: for the old app"
        code, words = do(run, "rollback")
        assert code == 0, words
        until(lambda: run.get("/report").status_code == 404, "the old release")
        assert do(run, "reload")[0] == 0
        until(lambda: run.get("/report").status_code == 403, "the protected view again")
        with slow_upload(run.port) as refused:
            assert status(refused.connection) == 403
        code, words = release(run, OPEN)
        assert code == 0, words
        until(lambda: run.get("/report").text == "for everybody", "a release that opens it")
        assert do(run, "rollback")[0] == 0
        until(lambda: run.get("/report").status_code == 403, "the protected view once more")
    assert secrets(strangers) == []
    assert statuses(strangers) <= {200, 403, 404, 405}
    assert visitors.failed == []


def test_a_canary_with_the_same_rules_serves(site: Served) -> None:
    assert release(site, GUARDED)[0] == 0
    # Each of nginx's old workers leaves in its own time.
    until(lambda: {site.get("/report").status_code for _ in range(20)} == {403}, "the protected view")
    code, words = do(site, "reload", "--canary", "50%")
    assert code == 0, words
    with Clients(site.port, STRANGERS) as strangers:
        until(lambda: len(strangers.asked) > 100, "strangers")
        assert do(site, "reload", "--promote")[0] == 0
    assert statuses(strangers) == {403}


@pytest.mark.usefixtures("_needs_nginx")
def test_a_site_among_several() -> None:
    with private_directory() as home:
        for name in ("shop", "other"):
            write_files(
                home,
                {
                    f"sites/{name}/app.py": PLAIN,
                    f"sites/{name}/portico.toml": f'domains = ["{name}.example"]\n',
                },
            )
        run = start(home, "sites", "--workers", "1")
        try:
            until_ready(run, 90)
            host = {"Host": "shop.example"}
            for name in ("shop", "other"):
                until(
                    lambda name=name: run.get(headers={"Host": f"{name}.example"}).text == "plain",  # type: ignore[misc]
                    name,
                )
            with (
                Clients(run.port, host="other.example", kept_each=0) as others,
                Clients(run.port, STRANGERS, host="shop.example") as strangers,
                slow_upload(run.port, "shop.example") as upload,
            ):
                rewrite(home / "sites/shop/app.py", GUARDED)
                code, words = do(run, "reload", "--canary", "10%", "--site", "shop")
                assert code == 1, words
                assert "its access rules differ" in words
                code, words = do(run, "reload", "--site", "shop")
                assert code == 0, words
                until(lambda: run.get("/report", headers=host).status_code == 403, "the new release")
                assert upload.finish() == 404
                assert do(run, "rollback", "--site", "shop")[0] == 0
                until(lambda: run.get("/report", headers=host).status_code == 404, "the old release")
            assert secrets(strangers) == []
            assert statuses(strangers) <= {403, 404, 405}
            assert others.failed == []
        finally:
            end(run)
