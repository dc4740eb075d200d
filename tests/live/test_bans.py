"""A client that tries many paths of scanners is refused everything; others are not, and it may be lifted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import pytest

from tests.support import Served, portico, served
from tests.support.until import until

APP = """
from flask import Flask

app = Flask(__name__)


@app.get("/")
def home():
    return "home"
"""
TOML = """
app = "shop:app"
behind = ["127.0.0.1"]

[guard]
ban = "10m"
ban_after = 5

[limits]
exempt = ["192.0.2.0/24"]
"""


@pytest.fixture(scope="module")
def site(front: tuple[str, str]) -> Iterator[Served]:
    files = {"shop.py": APP, "portico.toml": TOML, "static/a.txt": "a"}
    with served(files, *front) as run:
        yield run


def ask(run: Served, client: str, path: str = "/", **headers: str) -> int:
    return run.get(path, headers={"X-Forwarded-For": client, **headers}).status_code


def scan(run: Served, client: str, **headers: str) -> None:
    for number in range(8):
        assert ask(run, client, f"/.env{number}", **headers) in (403, 404)


def limits(run: Served, *words: str) -> dict[str, object]:
    done = portico("limits", "--json", *words, cwd=run.directory)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def until_banned(run: Served, client: str) -> None:
    """Not by asking: who gets many other answers is spared, and nginx's workers write their lines one after another."""

    def is_banned() -> bool:
        bans = limits(run)["bans"]
        assert isinstance(bans, list)
        return any(ip_address(client) in ip_network(one["client"]) for one in bans)

    until(is_banned)


@pytest.mark.parametrize(("client", "near", "other"), [
    ("203.0.113.7", "203.0.113.7", "203.0.113.8"),
    ("2001:db8:0:7::1", "2001:db8:0:7:1:2:3:4", "2001:db8:0:8::1"),
])  # fmt: skip
def test_who_scans_is_refused_everything_until_it_is_lifted(
    site: Served, client: str, near: str, other: str
) -> None:
    assert ask(site, near) == 200
    scan(site, client)
    until_banned(site, client)
    until(lambda: ask(site, near) == 403)
    until(lambda: ask(site, near, "/static/a.txt") == 403)
    headers = {"X-Forwarded-For": near, "Accept": "application/json"}
    # Each of nginx's workers remembers for a second whether the file is there.
    answer = site.get("/", headers=headers)
    while answer.status_code != 403:
        answer = site.get("/", headers=headers)
    assert answer.json()["error"]["title"] == "Refused for a while"
    line = site.line(answer)
    assert (line["refused_by"], line["upstream"], line["status"]) == ("ban", "", 403)
    assert (ask(site, other), ask(site, other, "/static/a.txt"), ask(site, near, "/-/health")) == (
        200,
        200,
        200,
    )
    assert len(until(lambda: limits(site)["bans"])) == 1  # type: ignore[arg-type]
    assert limits(site, "--lift", near)["clients"]
    until(lambda: ask(site, near) == 200)
    until(lambda: ask(site, near, "/static/a.txt") == 200)


def test_who_is_exempt_private_or_sent_by_a_page_is_not_banned(site: Served) -> None:
    scan(site, "192.0.2.9")
    scan(site, "10.1.2.3")
    by_a_page = {"Sec-Fetch-Site": "cross-site"}
    scan(site, "203.0.113.20", **by_a_page, **{"X-Forwarded-Proto": "https"})
    scan(site, "203.0.113.21", **by_a_page)  # no browser sends it over plain HTTP
    scan(site, "203.0.113.22", **{"Sec-Fetch-Site": 'none"', "X-Forwarded-Proto": "https"})
    until_banned(site, "203.0.113.22")  # the last of them: the others have been read
    until(lambda: ask(site, "203.0.113.22") == 403)
    until(lambda: ask(site, "203.0.113.21") == 403)
    assert {ask(site, client) for client in ("192.0.2.9", "10.1.2.3", "203.0.113.20")} == {200}
    assert sorted(limits(site, "--lift", "all")["clients"]) == ["203.0.113.21", "203.0.113.22"]  # type: ignore[call-overload]


def test_explain_names_the_condition(site: Served) -> None:
    done = portico("explain", "--why", "GET /", cwd=site.directory)
    assert "no client that is banned for a while (403)" in done.stdout, done.stderr


def test_a_dry_run_bans_nobody_and_says_whom() -> None:
    toml = TOML.replace("ban_after = 5", "ban_after = 5\nban_dry_run = true")
    with served({"shop.py": APP, "portico.toml": toml, "static/a.txt": "a"}) as run:
        scan(run, "203.0.113.7")
        until(lambda: limits(run)["bans"])
        headers = {"X-Forwarded-For": "203.0.113.7"}

        def refused_by(path: str, status: int) -> str:
            answer = run.get(path, headers=headers)
            assert answer.status_code == status
            return str(run.line(answer)["refused_by"])

        for path, status in (("/", 200), ("/nothing", 404)):
            # Each of nginx's workers remembers for a second that the file is not there.
            until(lambda path=path, status=status: refused_by(path, status) == "ban, dry run")  # type: ignore[misc]
        scanned = run.get("/.env", headers=headers)
        assert run.line(scanned)["refused_by"] == "scanner"
        assert run.get("/static/a.txt", headers=headers).text == "a"
