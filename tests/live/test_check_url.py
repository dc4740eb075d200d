"""`portico check --url`: nothing above a hint at a site of Portico's, and each fault of sites that have them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from portico.check.model import Finding
from portico.check.outside.client import Client
from portico.check.outside.look import look_at
from portico.check.outside.probe import PROBES
from portico.check.outside.target import target_of
from tests.live.bad_site import Bad, TwoReaders, hand_written, serving
from tests.support import free_port, portico, private_directory, served

SHOP = """
from flask import Flask, redirect, request, session, url_for

app = Flask(__name__)
app.config.update(SECRET_KEY="k" * 32, SESSION_COOKIE_SECURE=True, SESSION_COOKIE_SAMESITE="Lax")

@app.route("/", methods=["GET", "POST"])
def home():
    session["seen"] = True
    request.get_data()
    cart, old = url_for("cart", _external=True), url_for("old")
    return f'<!doctype html><link href="/static/app.css"><a href="{cart}">cart</a><a href="{old}">old</a>'

@app.get("/cart")
def cart():
    return "cart"

@app.get("/old")
def old():
    return redirect(url_for("cart", _external=True))
"""


def probed(url: str, *words: str) -> list[dict[str, Any]]:
    with private_directory() as directory:
        done = portico("check", "--url", url, "--json", *words, cwd=directory, seconds=280)
    assert done.returncode in (0, 1), done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def codes(found: list[dict[str, Any]]) -> set[str]:
    return {one["code"] for one in found if one["level"] != "ok"}


@pytest.mark.parametrize("nginx", ["embedded", "system"])
def test_a_site_of_portico_has_nothing_above_a_hint(nginx: str) -> None:
    secure = free_port()
    toml = f'domains = ["localhost"]\nheaders = "strict"\n[https]\nmode = "local"\nlisten = "127.0.0.1:{secure}"\n'
    with served({"app.py": SHOP, "static/app.css": "body {}", "portico.toml": toml}, "--nginx", nginx) as run:
        found = probed(f"http://localhost:{run.port}/")
    taken = "a request with a folded header" if run.is_apache else None  # httpd writes it in one line
    harmful = [one for one in found if one["harm"] not in ("", "hint")]
    assert [one for one in harmful if not (taken and taken in one["what"])] == []
    answered = next(one["what"] for one in found if one["code"] == "url-answer")
    assert answered.startswith(f"https://localhost:{secure}/ answers 200")
    assert answered.endswith("served by Portico")


@pytest.fixture(scope="module")
def bad() -> Iterator[Bad]:
    with hand_written() as site:
        yield site


FAULTS = {
    "url-files": {"/.env", "/.git/HEAD", "/app.py", "/db.sqlite3"},
    "url-traversal": {"/static../app.py"},
    "url-traceback": {"error 500"},
    "url-open": {"/nginx_status", "/console"},
    "url-listing": {"/static/"},
    "url-spoofed-host": {"X-Forwarded-Host"},
    "url-spoofed-scheme": {"X-Forwarded-Proto"},
    "url-spoofed-path": {"X-Original-URL", "X-Script-Name"},
    "url-host": {"Host"},
    "url-cors": {"Access-Control-Allow-Origin"},
    "url-cookies": {"cookie session"},
    "url-body": {"uploads"},
    "url-slow": {"slow client"},
    "url-versions": {"headers"},
    "url-headers": {"headers"},
    "url-errors": {"errors"},
    "url-described": {"/openapi.json"},
}


def test_each_fault_of_a_hand_written_nginx_is_found(bad: Bad) -> None:
    found = probed(bad.plain)
    wrong = [one for one in found if one["level"] != "ok"]
    for code, places in FAULTS.items():
        subjects = {one["subject"] for one in wrong if one["code"] == code}
        assert places <= subjects, (code, subjects)
    assert all(one["hint"] and one["harm"] for one in wrong)
    assert not any("portico.toml" in one["hint"] for one in wrong)  # it is not Portico's
    assert codes(found) == FAULTS.keys()


def looked(url: str, *probes: str) -> list[Finding]:
    """These probes alone: the slow client takes its time."""
    look = look_at(Client(target_of(url), 60))
    return [finding for name in probes for finding in PROBES[name](look)]


def test_its_https_too(bad: Bad) -> None:
    found = looked(bad.secure, "HTTPS", "HTTP/2")
    wrong = [(one.code, one.what) for one in found if one.level != "ok"]
    assert {code for code, _ in wrong} == {"url-tls", "url-certificate", "url-http2"}
    assert any("it is for other.example, not for localhost" in what for _, what in wrong)
    assert any("it ended on" in what for _, what in wrong)


def test_two_servers_that_read_one_request_differently_are_found() -> None:
    with serving(TwoReaders) as port:
        found = looked(f"http://127.0.0.1:{port}/", "framing", "methods")
    wrong = {one.code for one in found if one.level != "ok"}
    assert wrong == {"url-smuggling", "url-framing", "url-trace", "url-proxy"}
