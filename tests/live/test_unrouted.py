"""The app's routes are the allow-list: what nginx refuses never reaches the app, and everything else does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import Served, portico, rewrite, served
from tests.support.until import until

APP = """
from flask import Flask, g, redirect, request

app = Flask(__name__)


@app.before_request
def who():
    g.who = request.headers.get("X-Who")


@app.after_request
def signed(response):
    response.headers["X-App"] = "1"
    return response


@app.get("/")
def home():
    return "home"


@app.route("/item/<int:number>/", methods=["GET", "POST"])
def item(number):
    return f"item {number}"


@app.get("/tag/<name>")
def tag(name):
    return f"tag {name}"


@app.get("/files/<path:name>")
def files(name):
    return f"files {name}"


@app.get("/old.php")
def old():
    return redirect("/")


@app.post("/save")
def save():
    return "saved"
"""
TOML = """
app = "shop:app"

[guard]
routes = true
"""
ANSWERED = {
    "GET /": "200", "HEAD /": "200", "GET /item/5/": "200", "POST /item/5/": "200", "GET /item/5": "308",
    "GET //item//5/": "308", "GET /item/%D9%A3/": "200", "GET /tag/%C3%A9": "200", "GET /tag/.env": "200",
    "GET /x/../item/5/": "200", "GET /files/a%2Fb//c": "200", "GET /files/.git/config": "200", "GET /old.php": "302",
    "POST /save": "200", "OPTIONS /save": "200", "OPTIONS /nothing": "404", "GET /tag/a%20b%25": "200",
}  # fmt: skip
REFUSED = {
    "GET /nothing": "404 routes", "GET /ITEM/5/": "404 routes", "GET /item/five/": "404 routes",
    "GET /tag/a%2Fb": "404 routes", "GET /save": "405 routes", "DELETE /item/5/": "405 routes",
    "PUT /tag/tea": "405 routes", "POST /nothing": "404 routes", "GET /.env": "404 scanner",
    "GET /.git/config": "404 scanner", "GET //wp-login.php": "404 scanner", "POST /xmlrpc.php": "404 scanner",
    "GET /phpmyadmin/index.php": "404 scanner", "GET /backup.sql.gz": "404 scanner", "GET /%2e%65nv": "404 scanner",
}  # fmt: skip


@pytest.fixture(scope="module")
def site(front: tuple[str, str]) -> Iterator[Served]:
    with served({"shop.py": APP, "portico.toml": TOML}, *front) as run:
        yield run


def ask(run: Served, words: str) -> tuple[str, bytes]:
    """Status and head of what is answered to this method and path, as they stand."""
    request = f"{words} HTTP/1.1\r\nHost: {run.url.removeprefix('http://')}\r\nConnection: close\r\n\r\n"
    head = run.raw(request.encode()).partition(b"\r\n\r\n")[0]
    return head.split(b" ")[1].decode(), head


def test_what_the_app_answers_reaches_it_and_what_it_does_not_ends_in_nginx(site: Served) -> None:
    assert {words: ask(site, words)[0] for words in ANSWERED} == ANSWERED
    said = {words: ask(site, words)[0] for words in REFUSED}

    def verdicts() -> dict[str, str]:
        lines = {f"{line['method']} {line['uri']}": line for line in site.requests()}
        assert not any(lines[words]["refused_by"] for words in ANSWERED if words in lines)
        return {
            words: f"{status} {lines[words]['refused_by']}"
            for words, status in said.items()
            if words in lines and not lines[words]["upstream"]
        }

    until(lambda: verdicts() == REFUSED, what=lambda: str(verdicts()))


def test_a_method_that_no_rule_takes_is_told_which_there_are(site: Served) -> None:
    head = ask(site, "DELETE /item/5/")[1].lower()
    assert b"\r\nallow: get, head, options, post\r\n" in head + b"\r\n"
    assert b"\r\nallow:" not in ask(site, "GET /nothing")[1].lower()


def test_a_program_gets_the_refusal_as_json(site: Served) -> None:
    answer = site.get("/nothing", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["error"]["status"]) == (404, 404)


def test_the_routes_of_a_canary_are_not_refused_and_those_of_nobody_are_again_later() -> None:
    with served({"shop.py": APP, "portico.toml": TOML}) as run:
        assert ask(run, "GET /new")[0] == "404"
        flag = Path(run.runtime / "mixed")
        assert not flag.exists()
        rewrite(run.directory / "shop.py", APP + '\n\n@app.get("/new")\ndef new():\n    return "new"\n')
        done = portico("reload", "--canary", "50%", cwd=run.directory)
        assert done.returncode == 0, done.stderr
        until(lambda: ask(run, "GET /new")[0] == "200")
        assert portico("reload", "--promote", cwd=run.directory).returncode == 0
        assert {ask(run, "GET /new")[0] for _ in range(20)} == {"200"}
        until(lambda: not flag.exists())
        assert ask(run, "GET /new")[0] == "200"
        assert ask(run, "GET /nothing")[0] == "404"
        last = until(lambda: [line for line in run.requests() if line["uri"] == "/nothing"])
        assert last[-1]["refused_by"] == "routes"


def test_explain_names_the_condition_that_refuses(site: Served) -> None:
    said = portico("explain", "--why", "GET /nothing", "--json", cwd=site.directory)
    assert "return 404" in json.loads(said.stdout)["ends"][-1], said.stdout
    said = portico("explain", "--why", "GET /tag/x", "--json", cwd=site.directory)
    assert json.loads(said.stdout)["ends"] == []
