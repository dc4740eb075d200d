"""The challenge: where a pass is asked for, and what its page may do."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

from portico.plan.build import plan
from portico.plan.decide import decided
from portico.plan.gateway.nginx.app.challenge_page import written
from portico.plan.model import Plan
from portico.plan.subjects import PlannedChallenge
from portico.plan.web.guards import Passed
from portico.plan.web.model import Web
from portico.plan.web.mount import Mount
from tests.plan.test_golden import read

TEXT = """
mount = "/shop"
[guard]
challenge = "{}"
[routes."/search"]
costly = true
[routes."/about"]
timeout = "1m"
"""


def web_of(directory: Path, mode: str = "pressure", more: str = "") -> Web:
    return decided(*read(TEXT.format(mode) + more, directory))


def plan_of(directory: Path, text: str) -> Plan:
    return plan(*read(text, directory))


def asks(mount: Mount) -> bool:
    return any(isinstance(guard, Passed) for guard in mount.guards)


def test_a_pass_is_asked_for_on_costly_routes_alone(tmp_path: Path) -> None:
    web = web_of(tmp_path)
    assert web.chains.routes.keys() == {"/search"}
    every = [one for mount in web.mounts for one in (mount, *mount.inside)]
    assert {getattr(one.match, "path", getattr(one.match, "pattern", "")) for one in every if asks(one)} == {
        "/shop/search",
        r"^/shop//+search\z",
    }


def test_nobody_is_asked_where_it_is_off_or_nothing_is_costly(tmp_path: Path) -> None:
    assert web_of(tmp_path, "off").challenge is None
    without = plan_of(tmp_path, '[guard]\nchallenge = "always"')
    assert without.guards.challenge is None
    assert any("no route is costly" in note for note in without.notes)
    assert "secure_link" not in without.file("nginx.conf").content


def test_no_plan_knows_a_key(tmp_path: Path) -> None:
    found = plan_of(tmp_path, TEXT.format("always")).file(PlannedChallenge.FILE)
    assert found.is_secret
    assert found.mode == 0o600
    assert [line for line in found.content.splitlines() if not line.startswith("#")] == []


def test_the_policy_of_the_page_lets_its_own_script_run_and_no_other(tmp_path: Path) -> None:
    web = web_of(tmp_path)
    assert web.challenge
    made = written(web.challenge)
    for page, kind, tag in (
        (page, *what)
        for page in (made.html, made.form)
        for what in (("script-src", "script"), ("style-src", "style"))
    ):
        inside = re.search(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert inside
        digest = base64.b64encode(hashlib.sha256(inside[1].encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}';" in made.policy
    assert "unsafe" not in made.policy
    assert 'data-path="/shop/-/challenge"' in made.html
    assert json.loads(made.json)["error"]["status"] == 429


def test_the_page_on_disk_is_the_page_that_the_policy_is_for(tmp_path: Path) -> None:
    site, place = read(TEXT.format("pressure"), tmp_path)
    web = decided(site, place)
    assert web.challenge
    assert plan(site, place).file("errors/challenge.html").content == written(web.challenge).html + "\n"


def test_headers_of_the_site_do_not_loosen_the_policy_of_the_page(tmp_path: Path) -> None:
    text = TEXT.format("always") + '[headers]\npreset = "strict"\nset = { X-Own = "1" }'
    conf = plan_of(tmp_path, text).file("nginx.conf").content
    page = conf.split("location ^~ /-/errors/challenge. {")[1].split("\n        }\n")[0]
    assert page.count("add_header Content-Security-Policy ") == 1
    assert page.count("add_header Cache-Control ") == 1
    assert "add_header X-Own 1 always;" in page
