"""Users with passwords: for views, files, kept pages, several sites, WebSockets' handshakes and a closed site."""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from portico.site.access.sha512_crypt import hashed
from tests.support import (
    GATEWAY,
    Served,
    end,
    portico,
    private_directory,
    served,
    start,
    until_ready,
    write_files,
)
from tests.support.until import until

APP = """
from flask import Flask, jsonify, request
from portico import edge

app = Flask(__name__)


@app.route("/")
@app.route("/staff/")
@app.route("/staff/<path:rest>", methods=["GET", "POST"])
def anywhere(rest=""):
    told = {name: value for name, value in request.environ.items() if name in ("REMOTE_USER", "HTTP_AUTHORIZATION")}
    return jsonify(told | {"header": request.headers.get("Remote-User", "")})


@app.route("/staff/kept")
@edge.cache("60s")
def kept():
    return "kept"


@app.route("/boss")
@edge.users("boss.users")
def boss():
    return "boss"
"""
TOML = """
app = "shop:app"

[access."/staff"]
users = "staff.users"

[access."/static/staff"]
users = "staff.users"
"""
BCRYPT = "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"
"""Of the password `secret`."""
FILES = {
    "shop.py": APP,
    "portico.toml": TOML,
    "staff.users": f"# people\n\nanna:{hashed('correct horse')}\nbert:{BCRYPT}\n",
    "boss.users": f"carl:{hashed('battery staple')}\n",
    "static/app.css": "body {}",
    "static/staff/plan.txt": "plan",
}
BEHIND = FILES | {"portico.toml": f'behind = ["127.0.0.1"]\n{TOML}'}
ANNA, BERT, CARL = ("anna", "correct horse"), ("bert", "secret"), ("carl", "battery staple")


WITHOUT_CACHE = {"shop.py": APP.replace('@edge.cache("60s")', "")}
"""For Apache httpd, which keeps no answers."""
OVER_ALL = WITHOUT_CACHE if os.environ.get(GATEWAY) else {}
"""In a run over another gateway."""


@pytest.fixture(scope="module")
def site(front: tuple[str, str]) -> Iterator[Served]:
    with served(FILES | (WITHOUT_CACHE if "apache" in front else {}), *front) as run:
        yield run


@pytest.mark.parametrize(
    "path", ["/staff/", "/staff/x", "//staff/x", "/Staff/x", "/static/staff/plan.txt", "/staff/kept"]
)
def test_only_users_with_their_passwords_may_come(site: Served, path: str) -> None:
    asked = {
        auth: site.get(path, auth=auth).status_code
        for auth in (None, ANNA, BERT, CARL, ("anna", "wrong"), ("anna", ""), ("nobody", "x"), ("", ""))
    }
    right = 404 if path == "/Staff/x" else 200
    assert asked == {auth: right if auth in (ANNA, BERT) else 401 for auth in asked}


def test_a_route_has_users_of_its_own(site: Served) -> None:
    assert [site.get("/boss", auth=auth).status_code for auth in (None, ANNA, CARL)] == [401, 401, 200]
    assert site.get("/boss").headers["WWW-Authenticate"].startswith('Basic realm="')
    assert site.get("/").status_code == site.get("/static/app.css").status_code == 200


def test_the_app_is_told_who_came_and_no_password(site: Served) -> None:
    told = site.get("/staff/x", auth=ANNA, headers={"Remote-User": "carl"}).json()
    assert told == {"REMOTE_USER": "anna", "header": ""}
    forged = base64.b64encode(b"anna:whatever").decode()
    open_to_all = site.get("/", headers={"Authorization": f"Basic {forged}", "Remote-User": "anna"}).json()
    assert open_to_all == {"HTTP_AUTHORIZATION": f"Basic {forged}", "header": ""}


def test_what_is_kept_and_files_are_not_for_others(site: Served) -> None:
    for auth in (ANNA, ANNA):
        answer = site.get("/staff/kept", auth=auth)
        assert answer.status_code == 200
        assert "s-maxage" not in answer.headers.get("Cache-Control", "")
    assert site.get("/staff/kept").status_code == 401
    assert site.get("/static/staff/plan.txt", auth=ANNA).headers["Cache-Control"] == "private, no-cache"
    assert site.get("/static/app.css").headers["Cache-Control"] == "no-cache"


def test_a_refusal_is_a_page_or_json_and_the_line_says_so(site: Served) -> None:
    program = site.get("/staff/x", headers={"Accept": "application/json"})
    assert json.loads(program.text)["error"]["status"] == 401
    assert program.headers["Cache-Control"] == "no-store"
    assert site.line(program)["refused_by"] == "password"
    assert "Please sign in" in site.get("/static/staff/plan.txt", headers={"Accept": "text/html"}).text
    assert site.line(site.get("/staff/x", auth=ANNA))["refused_by"] == ""


def test_a_websocket_and_a_closed_site_ask_too(site: Served) -> None:
    handshake = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    assert site.get("/staff/x", headers=handshake).status_code == 401
    assert portico("maintenance", "on", "--allow", "127.0.0.1", cwd=site.directory).returncode == 0
    assert [site.get("/staff/x", auth=auth).status_code for auth in (None, ANNA)] == [401, 200]
    assert portico("maintenance", "off", cwd=site.directory).returncode == 0


def test_nobody_but_the_workers_of_nginx_reads_the_hashes(site: Served) -> None:
    files = sorted((site.runtime / "conf").glob("users-*"))
    assert len(files) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o640 if os.geteuid() == 0 else 0o600}
    shown = portico("plan", cwd=site.directory).stdout
    assert "users-0" in shown
    assert "$6$" not in shown
    assert "$6$" not in portico("explain", cwd=site.directory).stdout


def test_password_writes_what_the_site_reads(site: Served) -> None:
    made = portico("password", "dora", "--file", "boss.users", "--generate", cwd=site.directory)
    assert made.returncode == 0, made.stderr
    password = (
        made.stderr.partition("the password: ")[2].strip()
        or made.stdout.partition("the password: ")[2].strip()
    )
    assert portico("reload", cwd=site.directory).returncode == 0
    until(lambda: site.get("/boss", auth=("dora", password)).status_code == 200, site.stderr)
    assert portico("password", "dora", "--file", "boss.users", "--remove", cwd=site.directory).returncode == 0
    assert portico("password", "dora", "--file", "boss.users", "--remove", cwd=site.directory).returncode == 1
    assert [line[:5] for line in (site.directory / "boss.users").read_text().splitlines()] == ["carl:"]


@pytest.mark.usefixtures("_needs_nginx")
@pytest.mark.parametrize("kind", ["embedded", "system"])
def test_each_of_several_sites_has_users_of_its_own(kind: str) -> None:
    files = {}
    for name, who in (("one", ANNA), ("two", CARL)):
        files[f"sites/{name}/shop.py"] = (FILES | OVER_ALL)["shop.py"]
        files[f"sites/{name}/portico.toml"] = TOML.replace("\n", f'\ndomains = ["{name}.example"]\n', 1)
        files[f"sites/{name}/staff.users"] = f"{who[0]}:{hashed(who[1])}\n"
        files[f"sites/{name}/boss.users"] = f"bert:{BCRYPT}\n"
    with private_directory() as home:
        write_files(home, files)
        run = start(home, "sites", "--nginx", kind, "--workers", "1")
        try:
            until_ready(run)

            def status(name: str, auth: tuple[str, str] | None, path: str = "/staff/x") -> int:
                return run.get(path, auth=auth, headers={"Host": f"{name}.example"}).status_code

            until(lambda: [status(name, None, "/") for name in ("one", "two")] == [200, 200], run.stderr)
            asked = (None, ANNA, CARL, BERT)
            assert [status("one", auth) for auth in asked] == [401, 200, 401, 401]
            assert [status("two", auth) for auth in asked] == [401, 401, 200, 401]
            assert [status("two", auth, "/boss") for auth in asked] == [401, 401, 401, 200]
        finally:
            end(run)


def test_an_app_behind_uwsgi_is_told_who_came() -> None:
    with served(
        BEHIND | OVER_ALL, "--workers-server", "uwsgi"
    ) as run:  # a declared proxy may not say it, either
        assert run.get("/staff/x").status_code == 401
        told = run.get("/staff/x", auth=ANNA, headers={"Remote-User": "carl"}).json()
        assert told == {"REMOTE_USER": "anna", "header": ""}
        assert "REMOTE_USER" not in run.get("/", auth=ANNA).json()


@pytest.mark.parametrize(
    "text", ["app = 'shop:app'\nx = 1", "10.0.0.0/8", "anna:$6$x\ndef f(): pass", 'a = "b:c"']
)
def test_a_file_that_is_none_of_users_stays_as_it_is(tmp_path: Path, text: str) -> None:
    (tmp_path / "portico.toml").write_text(text)
    made = portico("password", "anna", "--file", "portico.toml", "--generate", cwd=tmp_path)
    assert made.returncode == 1
    assert "is not name:hash" in made.stderr
    assert "nothing was written" in made.stderr
    assert "the password" not in made.stdout + made.stderr
    assert (tmp_path / "portico.toml").read_text() == text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_a_file_of_users_keeps_its_owner_and_its_group(tmp_path: Path) -> None:
    file = tmp_path / "staff.users"
    file.write_text("old:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=\n# people\n")
    os.chown(file, 2, 3)
    file.chmod(0o640)
    assert portico("password", "anna", "--file", "staff.users", "--generate", cwd=tmp_path).returncode == 0
    kept = file.stat()
    assert (kept.st_uid, kept.st_gid, stat.S_IMODE(kept.st_mode)) == (2, 3, 0o640)
    assert file.read_text().startswith("old:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=\n# people\nanna:$6$")


@pytest.mark.parametrize("gateway", ["--nginx embedded", "--nginx system", "--gateway apache"])
def test_whoever_guesses_passwords_is_refused_for_a_while(gateway: str) -> None:
    """Where a password is asked for, and nowhere else; others are not, nor whoever is only asked for one."""
    with served(BEHIND | (WITHOUT_CACHE if "apache" in gateway else OVER_ALL), *gateway.split()) as run:
        guess(run)
        told = run.get("/staff/x", auth=ANNA, headers={"Remote-User": "carl"}).json()
        assert told == {"REMOTE_USER": "anna", "header": ""}  # the declared proxy's word does not count here


def guess(site: Served) -> None:
    def ask(client: str, path: str, word: str = "") -> int:
        auth = ("anna", word) if word else None
        return site.get(path, headers={"X-Forwarded-For": client}, auth=auth).status_code

    guesser, other, stranger = "192.0.2.7", "192.0.2.8", "192.0.2.9"
    for number in range(25):
        assert ask(guesser, "/staff/x", f"guess {number}") in (401, 429)
        assert ask(stranger, "/staff/x") == 401
    until(lambda: ask(guesser, "/staff/x", "correct horse") == 429)
    until(lambda: ask(guesser, "/static/staff/plan.txt", "correct horse") == 429)
    assert ask(guesser, "/") == 200
    assert ask(other, "/staff/x", "correct horse") == ask(stranger, "/staff/x", "correct horse") == 200
    wrong = site.get("/staff/x", headers={"X-Forwarded-For": other}, auth=("anna", "x"))
    assert (wrong.status_code, site.line(wrong)["refused_by"]) == (401, "guess")
    lifted = portico("limits", "--lift", guesser, cwd=site.directory)
    assert lifted.returncode == 0, lifted.stderr
    until(lambda: ask(guesser, "/staff/x", "correct horse") == 200)
