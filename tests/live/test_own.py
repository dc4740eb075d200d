"""Directives of the user's own beside Portico's, on a running site."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from portico.plan.web.entry.health import HEALTH
from tests.support import Served, free_port, portico, served

pytestmark = pytest.mark.of_nginx  # its own directives

APP = """
from flask import Flask, request

app = Flask(__name__)

@app.route("/", methods=["GET", "POST"])
def index():
    return request.method
"""
# "secret", as openssl passwd -apr1 writes it
HTPASSWD = "ann:$apr1$8sFt66rZ$eup.HOtZcQ/VrnApBM3rR/\n"
TOML = """
[nginx]
http = [
  "limit_req_zone $binary_remote_addr zone=mine:1m rate=1r/m;",
  "server_names_hash_max_size 4096;",
  "types_hash_max_size 4096;",
]
server = [
  "client_max_body_size 7;",
  "limit_conn_status 430;  # of Portico's own limit, too",
  "etc/auth.conf",
  'add_header X-Frame-Options "DENY" always;',
  "add_header Cache-Control max-age=7;",
  \"\"\"
location = /limited {
    auth_basic off;
    limit_req zone=mine;
    root pages;
    try_files /page.html =404;
}\"\"\",
]
"""
FILES = {
    "app.py": APP,
    "portico.toml": TOML,
    "etc/auth.conf": "auth_basic closed;\ninclude etc/more/*.conf;\n",
    "etc/more/file.conf": "auth_basic_user_file htpasswd;\n",
    "htpasswd": HTPASSWD,
    "pages/page.html": "the page",
    "static/app.css": "body { color: teal }\n" * 100,
}
AUTH = ("ann", "secret")


@pytest.fixture(scope="module", params=["embedded", "system"])
def run(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[Served]:
    with served(FILES, "--nginx", request.param) as made:
        yield made


def test_a_relative_password_file_is_beside_portico_toml_and_health_needs_no_password(run: Served) -> None:
    assert run.get(auth=AUTH).status_code == 200
    assert run.get("/static/app.css", auth=AUTH).status_code == 200
    for path in ("/", "/static/app.css"):
        assert run.get(path).status_code == 401
        assert run.get(path, auth=("ann", "wrong")).status_code == 401
    assert run.get(HEALTH).text == "ok"


def test_a_directive_of_the_user_s_takes_the_place_of_portico_s(run: Served) -> None:
    """nginx calls two of them a duplicate and does not start."""
    assert run.client.post(run.url, content="1234567", auth=AUTH).text == "POST"
    assert run.client.post(run.url, content="12345678", auth=AUTH).status_code == 413
    found = json.loads(portico("explain", "--json", "limit_conn_status", cwd=run.directory).stdout)
    assert [one["text"] for one in found] == ["limit_conn_status 430;  # of Portico's own limit, too"]
    assert found[0]["is_users"]
    assert found[0]["why"] == "yours, in the place of Portico's own limit_conn_status"
    assert found[0]["cause"] == "portico.toml:10: nginx.server"


def test_own_headers_are_of_every_answer(run: Served) -> None:
    for path, status in (("/", 200), ("/static/app.css", 200), ("/static/none", 404)):
        answer = run.get(path, auth=AUTH)
        assert answer.status_code == status
        assert answer.headers.get_list("X-Frame-Options") == ["DENY"], path
        assert len(answer.headers.get_list("X-Request-ID")) == 1
    small = run.get("/static/app.css", auth=AUTH, headers={"Accept-Encoding": "identity"})
    assert small.headers.get_list("Cache-Control") == ["max-age=7"]
    assert run.get("/static/none", auth=AUTH).headers.get_list("Cache-Control") == ["no-store"]


def test_own_limit_answers_429_with_its_page(run: Served) -> None:
    answers = [run.get("/limited") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {200, 429}
    assert next(one for one in answers if one.status_code == 200).text == "the page"
    assert "Too many requests" in answers[-1].text
    assert "starting" not in answers[-1].text


@pytest.mark.parametrize(
    ("toml", "files", "said"),
    [
        (
            '[nginx]\nserver = [\n  "gzip off;",\n  "prox_pass http://a;",\n]\n', {},
            "portico.toml:4: nginx does not accept this directive: prox_pass http://a;",
        ),
        (
            '[nginx]\nserver = ["""\ngzip off;\nlocation /x {\n    prox_pass http://a;\n}"""]\n', {},
            "portico.toml:5: nginx does not accept this directive: prox_pass http://a;",
        ),
        (
            '[nginx]\nserver = ["own.conf"]\n', {"own.conf": "include a/*.conf;\n", "a/b.conf": "#\nprox_pass x;"},
            "b.conf:2 (own.conf:1 (portico.toml:2)): nginx does not accept this directive: prox_pass x;",
        ),
        (
            '[nginx]\nserver = [\n  "auth_basic x;",\n  "auth_basic_user_file htpasswd;"]\n', {},
            'portico.toml:4: auth_basic_user_file: there is no "{home}/htpasswd"',
        ),
        ('[nginx]\nserver = ["location /x { root www; }"]\n', {}, 'portico.toml:2: root: there is no "{home}/www"'),
        ('[nginx]\nserver = ["include mime.types;"]\n', {}, 'portico.toml:2: "{home}/mime.types" cannot be read'),
    ],
)  # fmt: skip
def test_what_is_wrong_names_the_line_of_portico_toml(toml: str, files: dict[str, str], said: str) -> None:
    with served({"app.py": APP, "portico.toml": toml, **files}, wait=False) as run:
        assert run.process.wait(120) in (1, 2)
        assert said.format(home=run.directory) in run.stderr()
        assert "Traceback" not in run.stderr()
        if "does not accept" in said:
            done = portico("check", "--listen", f"127.0.0.1:{free_port()}", cwd=run.directory)
            assert said in done.stdout
