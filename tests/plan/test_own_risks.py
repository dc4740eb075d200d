"""Blocks of the user's own that lose headers or believe a client are named, with their line."""

from __future__ import annotations

from pathlib import Path

import pytest

from portico.plan.decide import decided
from portico.plan.gateway.nginx.own_risks import own_risks
from tests.plan.test_golden import read

SAID = "proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Real-IP $remote_addr; "
SAID += "proxy_set_header X-Forwarded-Proto http; proxy_set_header X-Forwarded-Host $host;"


def risks(tmp_path: Path, own: str, more: str = "") -> list[str]:
    """What is said of directives in `server`, on Debian's nginx unless `more` has another place."""
    toml = f"headers = 'strict'\n{more}\n[nginx]\nserver = ['''{own}''']\n[test.place]\nnginx = 'debian'\n"
    return [f"{one.what}\n{one.hint}" for one in own_risks(decided(*read(toml, tmp_path)))]


def test_a_location_that_adds_a_header_is_told_which_it_loses(tmp_path: Path) -> None:
    (said,) = risks(
        tmp_path, "location /x { add_header X-Mine 1; add_header X-Frame-Options DENY; return 200; }"
    )
    assert said.startswith(
        "location /x adds a header, and nginx then leaves out those of every answer: X-Request-ID, "
    )
    assert "Content-Security-Policy" in said
    assert "X-Frame-Options" not in said
    assert "\nadd_header X-Request-ID $request_id always;\n" in said


def test_a_header_in_an_if_of_a_location_is_one_too(tmp_path: Path) -> None:
    (said,) = risks(tmp_path, "location /x { if ($arg_a) { add_header X-Mine 1; return 200; } }")
    assert said.startswith("if ($arg_a) adds a header")


def test_those_that_lose_nothing_are_not_named(tmp_path: Path) -> None:
    assert not risks(tmp_path, "location /x { return 204; }")
    assert not risks(tmp_path, "add_header X-Mine 1 always;")
    assert not risks(tmp_path, "add_header_inherit merge; location /x { add_header X-Mine 1; }")
    assert not risks(tmp_path, "location /x { add_header_inherit merge; add_header X-Mine 1; }")


@pytest.mark.parametrize(
    "own",
    [
        "location /x { proxy_pass http://127.0.0.1:9; }",
        "location /x { proxy_set_header Host a; proxy_pass http://127.0.0.1:9; }",
        "location /x { " + SAID.replace("X-Forwarded-For $remote_addr", "X-Forwarded-For $proxy_add_x_forwarded_for")
        + " proxy_pass http://127.0.0.1:9; }",
        "location /x { fastcgi_pass 127.0.0.1:9; }",
        "location /x { uwsgi_param HTTP_HOST a; uwsgi_pass 127.0.0.1:9; }",
        "location /x { if ($arg_a) { proxy_pass http://127.0.0.1:9; } }",
    ],
)  # fmt: skip
def test_a_pass_that_believes_the_client_is_named(tmp_path: Path, own: str) -> None:
    (said,) = risks(tmp_path, own)
    assert "hands on what a client itself says in X-Forwarded-For" in said
    key = "HTTP_X_FORWARDED_FOR" if "wsgi" in own or "fastcgi" in own else "X-Forwarded-For"
    assert f" {key} $remote_addr;" in said


@pytest.mark.parametrize(
    "own",
    [
        "location /x { uwsgi_pass portico_app; }",
        f"location /x {{ {SAID} proxy_pass http://127.0.0.1:9; }}",
        f"location /x {{ {SAID} if ($arg_a) {{ proxy_pass http://127.0.0.1:9; }} }}",
        f"{SAID} location /x {{ proxy_pass http://127.0.0.1:9; }}",
        "location /x { proxy_pass_request_headers off; proxy_pass http://127.0.0.1:9; }",
        "location /x { content_by_lua_block { ngx.say('}') } }",
    ],
)
def test_a_pass_that_says_who_asks_is_not_named(tmp_path: Path, own: str) -> None:
    assert not risks(tmp_path, own)


def test_what_is_said_to_servers_over_http_is_said_to_own_servers(tmp_path: Path) -> None:
    toml = (
        "[nginx]\nserver = ['location /x { proxy_pass http://127.0.0.1:9; }']\n[test.facts]\nkind = 'asgi'\n"
    )
    assert own_risks(decided(*read(toml, tmp_path))), "an ASGI app alone is reached by uwsgi"
    shared = "[upstream]\nservers = ['app', 'http://10.0.0.2:80']\n"
    assert not own_risks(decided(*read(shared + toml, tmp_path)))
