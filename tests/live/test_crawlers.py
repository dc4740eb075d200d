"""Crawlers are refused, limited and verified by what [crawlers] says; people and robots.txt are not."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from portico.site.crawlers import CRAWLERS
from tests.support import GATEWAY, Served, served
from tests.support.name_server import name_server
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

[crawlers]
training = "refuse"
others = "2/minute"
refuse = ["BadBot"]
allow = ["CCBot"]
networks = ["Googlebot googlebot.json", "bingbot bing.networks"]
"""
RATE = 'others = "2/minute"'
FILES = {
    "shop.py": APP,
    "portico.toml": TOML,
    "static/a.txt": "a",
    "googlebot.json": '{"creationTime": "2026-11-29", "prefixes": [{"ipv4Prefix": "203.0.113.0/27"}, '
    '{"ipv6Prefix": "2001:db8:1::/48"}]}',
    "bing.networks": "198.51.100.0/24  # one\n",
}
GOOGLE = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
BROWSER = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)

WHO = [
    (BROWSER, "192.0.2.1", ""),
    ("", "192.0.2.1", ""),
    ("Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)", "192.0.2.1", "crawler"),
    ("badbot", "192.0.2.1", "crawler"),
    ("CCBot/2.0 (https://commoncrawl.org/faq/)", "192.0.2.1", ""),
    (GOOGLE, "203.0.113.9", ""),
    (GOOGLE, "2001:db8:1:2::3", ""),
    (GOOGLE, "203.0.113.99", "forged"),
    ("googlebot-image/1.0", "2001:db8:2::1", "forged"),
    ("Mozilla/5.0 (compatible; bingbot/2.0)", "198.51.100.7", ""),
    ("Mozilla/5.0 (compatible; bingbot/2.0)", "203.0.113.9", "forged"),
]


def files(toml: str) -> dict[str, str]:
    """Apache httpd counts no requests."""
    return FILES | {"portico.toml": toml.replace(RATE, "") if os.environ.get(GATEWAY) else toml}


@pytest.fixture(scope="module", params=["embedded", "system"])
def site(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[Served]:
    with served(files(TOML), "--nginx", str(request.param)) as run:
        yield run


def test_apache_refuses_the_same_and_shows_them_robots_txt() -> None:
    without_rate = FILES | {"portico.toml": TOML.replace(RATE, "")}
    with served(without_rate, "--gateway", "apache") as run:
        for agent, client, verdict in WHO:
            test_who_is_refused(run, agent, client, verdict)
        lines = run.get("/robots.txt", headers=headers("GPTBot", "192.0.2.1")).text.splitlines()
        assert "User-agent: GPTBot" in lines
        assert lines[-2:] == ["User-agent: *", "Disallow:"]


def headers(agent: str, client: str) -> dict[str, str]:
    return {"User-Agent": agent, "X-Forwarded-For": client}


@pytest.mark.parametrize(("agent", "client", "verdict"), WHO)
def test_who_is_refused(site: Served, agent: str, client: str, verdict: str) -> None:
    for path in ("/", "/static/a.txt", "/nothing"):
        answer = site.get(path, headers=headers(agent, client))
        assert (answer.status_code == 403) == bool(verdict), path
        if verdict:
            line = site.line(answer)
            assert (line["refused_by"], line["upstream"]) == (verdict, "")
            assert "Not for this crawler" in answer.text
    robots = site.get("/robots.txt", headers=headers(agent, client))
    assert robots.status_code == 200
    assert robots.headers["Content-Type"].startswith("text/plain")


@pytest.mark.of_nginx  # with the pause that the rate asks for; of httpd above
def test_robots_txt_says_the_same(site: Served) -> None:
    lines = site.get("/robots.txt").text.splitlines()
    assert lines[: lines.index("Disallow: /")][0] == "User-agent: BadBot"
    assert {"User-agent: GPTBot", "User-agent: Google-Extended"} <= {*lines}
    assert "User-agent: CCBot" not in lines
    assert lines[-2:] == ["User-agent: *", "Disallow:"]
    assert lines[lines.index("User-agent: AhrefsBot") :][6:8] == ["Crawl-delay: 30", "Disallow:"]


@pytest.mark.of_nginx  # httpd counts no requests
def test_a_rate_counts_the_network_of_a_crawler_and_nobody_else(site: Served) -> None:
    ahrefs = "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)"
    found = [site.get("/", headers=headers(ahrefs, f"192.0.2.{n}")).status_code for n in range(10, 20)]
    assert found[:2] == [200, 200]
    assert found.count(429) > 5
    assert site.get("/", headers=headers(ahrefs, "198.51.100.1")).status_code == 200
    assert {site.get("/", headers=headers(BROWSER, "192.0.2.11")).status_code for _ in range(10)} == {200}


def test_a_dry_run_refuses_nobody_and_an_app_with_a_robots_txt_keeps_it() -> None:
    own = APP + '\n\n@app.get("/robots.txt")\ndef robots():\n    return "mine"\n'
    toml = TOML.replace("[crawlers]", "[crawlers]\ndry_run = true")
    with served(files(toml) | {"shop.py": own}) as run:
        assert run.get("/robots.txt").text == "mine"
        for agent, verdict in (("GPTBot", "crawler, dry run"), (GOOGLE, "forged, dry run"), (BROWSER, "")):
            answer = run.get("/", headers=headers(agent, "192.0.2.1"))
            assert answer.text == "home"
            assert run.line(answer)["refused_by"] == verdict
        answer = run.get("/.env", headers=headers("GPTBot", "192.0.2.1"))
        assert run.line(answer)["refused_by"] == "scanner"
        until(lambda: run.requests())


@pytest.mark.usefixtures("_needs_nginx")
@pytest.mark.parametrize("nginx", ["embedded", "system"])
def test_dns_says_who_is_no_crawler(nginx: str) -> None:
    records = {
        ("9.113.0.203.in-addr.arpa", "PTR"): "crawl-9.googlebot.com.",
        ("crawl-9.googlebot.com", "A"): "203.0.113.9",
    }
    with name_server(records) as (server, asked):
        toml = f'app = "shop:app"\nbehind = ["127.0.0.1"]\n[crawlers]\ndns = "{server}"\nrobots = true\n'
        with served(FILES | {"portico.toml": toml}, "--nginx", nginx) as run:

            def ask(client: str, agent: str = GOOGLE, path: str = "/") -> int:
                return run.get(path, headers=headers(agent, client)).status_code

            assert ask("203.0.113.9") == 200
            until(lambda: ask("2001:db8:0:7::1") == 403)
            until(lambda: "crawl-9.googlebot.com" in asked)
            assert ask("203.0.113.9") == 200
            until(lambda: ask("2001:db8:0:7::2") == 403)  # each of nginx's workers sees it within a second
            until(lambda: ask("2001:db8:0:7::1", path="/static/a.txt") == 403)
            assert ask("2001:db8:0:7::1", BROWSER) == 200, "people behind the same address are not refused"
            assert ask("2001:db8:0:7::1", path="/robots.txt") == 200
            until(lambda: [line for line in run.requests() if line.get("refused_by") == "forged"])


def test_each_name_has_a_kind_of_its_own() -> None:
    assert len({one.name.lower() for one in CRAWLERS}) == len(CRAWLERS)
