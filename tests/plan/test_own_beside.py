"""Directives of the user's own in the plan: what they replace, what they leave open."""

from __future__ import annotations

from pathlib import Path

from tests.plan.test_golden import case

OWN = """
[nginx]
http = ["add_header X-Http yes;", "keepalive_timeout 8s;"]
server = [
  "auth_basic x; deny all;", "limit_req zone=portico_health;", "add_header X-Mine yes;",
  "add_header strict-transport-security none;", "error_page 503 /mine;", "client_max_body_size 5m;",
]
"""


def test_what_strangers_must_reach_asks_for_no_password(tmp_path: Path) -> None:
    https = 'domains = ["shop.example"]\nemail = "a@b.example"\nbehind = ["10.0.0.0/8"]\n'
    conf = case(https + OWN, tmp_path).file("nginx.conf").content
    for location, lets_all_in in (
        ("location = /-/health {", False), ("location ^~ /.well-known/acme-challenge/ {", True),
        ("location ^~ /-/errors/ {", True),
    ):  # fmt: skip
        for found in conf.split(location)[1:]:
            inside = found[: found.index("\n        }")]
            assert "auth_basic off;" in inside, location
            assert ("allow all;" in inside) is lets_all_in, location


def test_own_status_and_headers_come_once(tmp_path: Path) -> None:
    conf = case(OWN, tmp_path).file("nginx.conf").content
    server = conf[conf.rindex("\n    server {") :]
    assert server.count("limit_req_status 429;") == 2, "that of the health location, too"
    assert "limit_req_status" not in server.replace("limit_req_status 429;", "")
    assert conf.count("keepalive_timeout") == 1
    assert server.count("error_page 503 /mine;") == 1
    assert "\n        error_page 503 /-/errors" not in server
    assert server.count("add_header X-Request-ID") == server.count("add_header X-Mine yes;")
    assert server.count("add_header X-Request-ID") == server.count("add_header X-Http yes;")
    asked = case(OWN.replace("limit_req zone", "limit_req_status 444; limit_req zone"), tmp_path)
    assert asked.file("nginx.conf").content.count("limit_req_status 429;") == 1


def test_own_hsts_replaces_portico_s(tmp_path: Path) -> None:
    https = 'domains = ["shop.example"]\nemail = "a@b.example"\n'
    server = case(https + OWN, tmp_path).file("nginx.conf").content.partition("server_name shop.example;")[2]
    assert "add_header strict-transport-security none;" in server
    assert "add_header Strict-Transport-Security" not in server.rpartition("server_name shop.example;")[2]
