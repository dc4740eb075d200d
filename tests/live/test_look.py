"""Looking at a running site: metrics, top and the dashboard's endpoints, against real nginx and a real app."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from portico.watch.endpoint import MOST_CONNECTIONS
from tests.support import Served, environment, free_port, served
from tests.support import portico as command_of_portico
from tests.support.process import PIPE, running
from tests.support.until import until

APP = """
import os, time
from flask import Flask, Response
app = Flask(__name__)

@app.get("/")
def home():
    return "home"

@app.get("/boom")
def boom():
    raise RuntimeError("boom")

@app.get("/wait")
def wait():
    while not os.path.exists("enough"):
        time.sleep(0.05)
    return "done"

@app.get("/teapot")
def teapot():
    return Response("no", 418)
"""
PASSWORD = "a word of theirs"


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    return {"metrics": free_port(), "dashboard": free_port()}


@pytest.fixture(scope="module")
def site(ports: dict[str, int]) -> Iterator[Served]:
    toml = 'request_timeout = "5m"\n'  # for the request that waits while `portico top` is asked
    toml += "".join(f'[{name}]\nlisten = "127.0.0.1:{port}"\n' for name, port in ports.items())
    with served({"app.py": APP, "portico.toml": toml, "static/a.txt": "a"}, "app:app") as run:
        url = f"http://127.0.0.1:{ports['metrics']}"
        until(
            lambda: scraped(url, key(run))["portico_release_live[]"] == 1, "what is known of it is from now"
        )
        yield run


def portico(run: Served, *words: str) -> subprocess.CompletedProcess[str]:
    return command_of_portico(*words, cwd=run.directory)


def key(run: Served) -> httpx.BasicAuth:
    """The password that Portico made."""
    return httpx.BasicAuth("anybody", (run.state / "look.password").read_text().strip())


def scraped(url: str, auth: httpx.Auth) -> dict[str, float]:
    """Every sample by name and labels."""
    answer = httpx.get(f"{url}/metrics", auth=auth, timeout=60)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(answer.text)
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in families
        for sample in family.samples
    }


def requests(samples: dict[str, float], status: str = "") -> float:
    return sum(
        value
        for name, value in samples.items()
        if name.startswith("portico_requests_total") and status in name
    )


def test_prometheus_gets_every_request() -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    toml = f'[metrics]\nlisten = "127.0.0.1:{port}"\n'
    with served({"app.py": APP, "portico.toml": toml, "static/a.txt": "a"}, "app:app") as run:
        for path in ("/", "/", "/static/a.txt", "/teapot", "/boom", "/none"):
            run.get(path)
        own = int(run.is_apache)  # Portico asks once through httpd, when the site starts
        until(lambda: requests(scraped(url, key(run))) >= 6 + own, "six requests in the metrics")
        until(
            lambda: scraped(url, key(run))["portico_release_live[]"] == 1,
            "what is known of the processes is from now",
        )
        found = scraped(url, key(run))
    assert {group: requests(found, group) for group in ("2xx", "4xx", "5xx")} == {
        "2xx": 3 + own,
        "4xx": 2,
        "5xx": 1,
    }
    assert found["portico_workers[('release', '1')]"] >= 1
    assert found["portico_release_live[]"] == 1
    assert found["portico_gateway_answers_total[]"] == 1  # the file


def test_the_metrics_door_has_nothing_else(site: Served, ports: dict[str, int]) -> None:
    for path in ("/", "/events", "/main.js", "/../control.sock", "/metrics/"):
        url = f"http://127.0.0.1:{ports['metrics']}{path}"
        assert httpx.get(url, auth=key(site), timeout=60).status_code == 404, path


def test_the_command_prints_the_same(site: Served) -> None:
    done = portico(site, "metrics")
    assert done.returncode == 0, done.stderr
    assert len(list(text_string_to_metric_families(done.stdout))) > 20
    told = json.loads(portico(site, "metrics", "--json").stdout)
    assert told["status"]["phase"] == "serving"


def test_top_once_shows_the_way_of_the_requests(site: Served) -> None:
    site.raw(b"GET /\x1b[31mred HTTP/1.0\r\n\r\n")

    def shown() -> bool:
        site.get("/boom")
        done = portico(site, "top", "--once")
        assert done.returncode == 0, done.stderr
        assert "\x1b" not in done.stdout
        gateway = "apache" if site.is_apache else "nginx"
        words = ("clients", gateway, "release 1, live", "worker", "p95", "GET /boom")
        return all(word in done.stdout for word in words)

    until(shown, "top shows all of it")


def test_top_as_json_goes_on(site: Served) -> None:
    command = [sys.executable, "-m", "portico", "top", "--json"]
    with running(command, cwd=site.directory, env=environment(site.directory), stdout=PIPE) as process:
        assert process.stdout is not None
        items = [json.loads(process.stdout.readline()) for _ in range(3)]
    assert "history" in items[0]
    assert all("history" not in item for item in items[1:])
    assert items[1]["time"] < items[2]["time"]


def test_a_command_about_nothing_says_so(site: Served) -> None:
    for words in (("top", "--once"), ("metrics",), ("dashboard",)):
        done = portico(site, *words, "--name", "another")
        assert done.returncode == 1
        assert "nothing runs here" in done.stderr


# The endpoints ---------------------------------------------------------------------------------------------


def events(url: str, count: int, **how: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    with httpx.stream("GET", f"{url}/events", timeout=60, **how) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["Content-Type"] == "text/event-stream"
        for line in answer.iter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line[6:]))
            if len(found) == count:
                break
    return found


def test_the_dashboard_comes_through_nginx(site: Served, ports: dict[str, int]) -> None:
    url = f"http://127.0.0.1:{ports['dashboard']}"
    page = httpx.get(url, auth=key(site), timeout=60)
    assert page.headers["Server"] == ("Apache" if site.is_apache else "nginx")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    first, second = events(url, 2, auth=key(site))
    assert first["status"]["live"] == 1
    assert second["time"] > first["time"]


def test_who_looks_on_is_not_counted(site: Served, ports: dict[str, int]) -> None:
    agent = {"User-Agent": "looks on"}
    for url in (f"http://127.0.0.1:{ports['dashboard']}/", f"http://127.0.0.1:{ports['metrics']}/metrics"):
        with httpx.Client(timeout=60, headers=agent, auth=key(site)) as looking:
            assert looking.get(url).status_code == 200
    for _ in range(4):  # of each worker of nginx, very likely
        site.line(httpx.get(site.url, timeout=60))
    assert "looks on" not in {line["agent"] for line in site.requests()}


def test_a_page_elsewhere_cannot_look(site: Served, ports: dict[str, int]) -> None:
    """DNS rebinding: the name is theirs, the address this machine's."""
    for port in ports.values():
        for path in ("/", "/events", "/metrics"):
            for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", ""):
                answer = httpx.get(
                    f"http://127.0.0.1:{port}{path}", headers={"Host": host}, auth=key(site), timeout=60
                )
                assert answer.status_code in (400, 421), (path, host)


def test_loopback_is_open_to_nobody_without_the_password(site: Served, ports: dict[str, int]) -> None:
    file = site.state / "look.password"
    assert file.stat().st_mode & 0o777 == 0o600
    assert str(file) in site.stderr(), "people are told where it is"
    for port in ports.values():
        for path in ("/", "/events", "/metrics", "/trace", "/lesson"):
            assert httpx.get(f"http://127.0.0.1:{port}{path}", timeout=60).status_code == 401, path
    word = {"Authorization": f"Bearer {file.read_text().strip()}"}
    url = f"http://127.0.0.1:{ports['metrics']}/metrics"
    assert httpx.get(url, headers=word, timeout=60).status_code == 200
    assert httpx.get(url, headers={"Authorization": "Bearer no"}, timeout=60).status_code == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_no_order_is_taken(site: Served, ports: dict[str, int], method: str) -> None:
    url = f"http://127.0.0.1:{ports['dashboard']}"
    assert httpx.request(method, f"{url}/stop", timeout=60).status_code == 405
    assert httpx.get(f"{url}/status", auth=key(site), timeout=60).status_code == 404


def test_the_command_serves_it_to_who_has_the_key(site: Served) -> None:
    command = [sys.executable, "-m", "portico", "dashboard", "--no-open"]
    with running(command, cwd=site.directory, env=environment(site.directory), stdout=PIPE) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        base = url.partition("/?")[0]
        assert httpx.get(base, timeout=60).status_code == 403
        assert httpx.get(f"{base}/?key=wrong", timeout=60).status_code == 403
        assert httpx.get(url, headers={"Host": "evil.example"}, timeout=60).status_code == 421
        with httpx.Client(follow_redirects=True, timeout=60) as browser:
            assert "<!doctype html>" in browser.get(url).text
            (cookie,) = browser.cookies.jar
            below = f"{base}{cookie.path}"
            assert len(cookie.path) > 20, "another port of 127.0.0.1 is not sent it"
            assert browser.get(f"{below}main.js").status_code == 200
            assert "portico_requests_total" in browser.get(f"{below}metrics").text
            cookies = {cookie.name: cookie.value or ""}
        assert httpx.get(f"{base}/events", cookies=cookies, timeout=60).status_code == 403
        assert events(below.rstrip("/"), 2, cookies=cookies)[1]["status"]["phase"] == "serving"


def test_a_stop_does_not_wait_for_who_looks_on() -> None:
    port = free_port()
    toml = f'request_timeout = "10m"\n[dashboard]\nlisten = "127.0.0.1:{port}"\n'
    with (
        served({"app.py": APP, "portico.toml": toml}, "app:app") as run,
        httpx.stream("GET", f"http://127.0.0.1:{port}/events", auth=key(run), timeout=60) as answer,
    ):
        lines = answer.iter_lines()
        next(lines)
        assert run.stop() == -15  # within a minute, where draining may take ten
        assert sum(1 for _ in lines) < 100


def test_others_need_the_password() -> None:
    port = free_port()
    toml = f'[dashboard]\nlisten = "0.0.0.0:{port}"\npassword_file = "word.txt"\n'
    with served({"app.py": APP, "portico.toml": toml, "word.txt": f"{PASSWORD}\n"}, "app:app"):
        url = f"http://127.0.0.1:{port}/"
        assert httpx.get(url, timeout=60).headers["WWW-Authenticate"].startswith("Basic")
        for wrong in ("", "another", PASSWORD[:-1]):
            assert httpx.get(url, auth=("me", wrong), timeout=60).status_code == 401
        assert httpx.get(url, auth=("me", PASSWORD), timeout=60).status_code == 200
        assert events(url.rstrip("/"), 1, auth=("me", PASSWORD))


def test_who_guesses_takes_nobodys_place() -> None:
    """Many wrong passwords at once: more than once were let wait, after which nobody was let in any more."""
    port = free_port()
    toml = f'[dashboard]\nlisten = "0.0.0.0:{port}"\npassword_file = "word.txt"\n'
    guess = b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic bWU6bm8=\r\n\r\n"
    with (
        served({"app.py": APP, "portico.toml": toml, "word.txt": f"{PASSWORD}\n"}, "app:app"),
        ExitStack() as guessers,
    ):
        for _ in range(MOST_CONNECTIONS + 20):
            guessers.enter_context(socket.create_connection(("127.0.0.1", port), 30)).sendall(guess)
        assert httpx.get(f"http://127.0.0.1:{port}/", auth=("me", PASSWORD), timeout=60).status_code == 200
        assert events(f"http://127.0.0.1:{port}", 1, auth=("me", PASSWORD))


def test_a_reload_opens_and_closes_the_door() -> None:
    port = free_port()
    with served({"app.py": APP}, "app:app") as run:
        toml = run.directory / "portico.toml"
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
        toml.write_text(f'[dashboard]\nlisten = "127.0.0.1:{port}"\n')
        assert portico(run, "reload").returncode == 0
        until(lambda: _status(port) == 401, "the dashboard answers")
        until((run.state / "look.password").exists, "a password is made")
        assert httpx.get(f"http://127.0.0.1:{port}/", auth=key(run), timeout=60).status_code == 200
        toml.write_text("")
        assert portico(run, "reload").returncode == 0
        until(lambda: _status(port) == 0, "nobody listens there any more")


def _status(port: int) -> int:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/", timeout=60).status_code
    except httpx.TransportError:
        return 0


def test_a_request_that_still_runs_is_told_of(site: Served) -> None:
    argv = [sys.executable, "-c", f"import urllib.request as u; u.urlopen('{site.url}/wait').read()"]
    with running(argv) as asking:
        until(
            lambda: "still running" in portico(site, "top", "--once").stdout, "the request that waits in top"
        )
        shown = portico(site, "top", "--once").stdout
        (site.directory / "enough").touch()
        assert asking.wait(60) == 0
    assert "still running" in shown
    assert "GET /wait  wait" in shown


def test_a_kept_trace_is_given_with_reasons(site: Served, ports: dict[str, int]) -> None:
    told = json.loads(portico(site, "trace", "/", "--json").stdout)
    url = f"http://127.0.0.1:{ports['dashboard']}/trace"
    kept = httpx.get(url, params={"id": told["id"]}, auth=key(site), timeout=60).json()
    if not site.is_apache:
        (row,) = [row for row in kept["rows"] if row["action"] == "chooses location /"]
        assert row["text"] == "location / {"
        assert row["why"]
    assert any(row["text"] and row["why"] for row in kept["rows"])
    for wrong in ("", "0" * 32, "../" + told["id"], "%2e%2e"):
        assert httpx.get(url, params={"id": wrong}, auth=key(site), timeout=60).status_code == 404, wrong
    other = f"http://127.0.0.1:{ports['metrics']}/trace?id={told['id']}"
    assert httpx.get(other, auth=key(site), timeout=60).status_code == 404
