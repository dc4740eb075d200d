"""Locations by a variable, of nginx 1.31.5: they are asked after prefixes and patterns."""

from __future__ import annotations

from pathlib import Path

import pytest

from portico.explain.nginx.match import verdict
from portico.explain.nginx.read import read
from portico.explain.verdict import Asked

CONF = """
events {}
http {
    map $arg_beta $is_beta { default ""; 1 yes; off 0; }
    map $request_method $writes { POST 1; }
    server {
        listen 80;
        location $is_beta { location /beta/inner/ { return 204; } return 200; }
        location $writes { return 201; }
        location / { return 202; location /nested/ { location $is_beta { return 206; } } }
        location = /exact { return 203; }
        location ^~ /static/ { return 205; }
        location ~ \\.php$ { return 207; }
    }
}
"""


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/", "202"),
        ("GET", "/?beta=1", "200"),
        ("GET", "/?beta=off", "202"),
        ("POST", "/", "201"),
        ("POST", "/?beta=1", "200"),
        ("POST", "/exact", "203"),
        ("POST", "/static/a", "205"),
        ("POST", "/a.php", "207"),
        ("GET", "/beta/inner/?beta=1", "204"),
        ("GET", "/nested/?beta=1", "206"),
    ],
)
def test_the_first_variable_that_holds_answers(tmp_path: Path, method: str, target: str, status: str) -> None:
    file = tmp_path / "nginx.conf"
    file.write_text(CONF)
    found = verdict(read(file), Asked(method, "http", "a.example", 80, target))
    answer = found.location and found.location.first("return")
    assert answer
    assert answer.args == (status,)
    assert all(lost.why for lost in found.locations_lost)
