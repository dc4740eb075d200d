"""Headers of [headers] and [cors] on every kind of answer, by every gateway: each once, the app's own first."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterator, Mapping

import httpx
import pytest

from portico.plan.web.headers import PRESETS
from tests.support import PLAIN, Served, free_port, portico, served
from tests.support.until import until

pytestmark = pytest.mark.timeout(300)
ORIGIN, OTHER = "https://app.example", "https://eu.shop.example"
POLICY = "default-src 'self'; img-src 'self' data:; frame-ancestors https://partner.example"
APP = """
import os, time
from pathlib import Path

from flask import Flask, Response, request, send_file

from portico import edge

app = Flask(__name__)
OWN = {"Content-Security-Policy": "default-src https:", "X-Added": "the app's", "X-Request-ID": "mine",
       "X-Powered-By": "snakes", "X-Runtime": "0.1", "Vary": "Cookie, Origin"}

@app.get("/app")
def index():
    return "home"

@app.get("/own")
def own():
    return Response("own", headers=OWN)

@app.get("/framed")
def framed():
    return Response("framed", headers={"X-Frame-Options": "DENY", "Referrer-Policy": "unsafe-url"})

@app.get("/cors")
def cors():
    return Response("cors", headers={"Access-Control-Allow-Origin": "https://only.example"})

@app.route("/fail")
def fail():
    raise RuntimeError("a view that fails")

@app.get("/status/<int:code>")
def status(code):
    return Response(None if code in (204, 304) else "the app's", status=code)

@app.get("/kept")
def kept():
    return Response("kept", headers={"Cache-Control": "public, max-age=600"})

@app.get("/kept-own")
def kept_own():
    return Response("kept", headers=OWN | {"Cache-Control": "public, max-age=600", "Vary": "Origin"})

@app.get("/download")
def download():
    answer = send_file("files/report.txt")
    if "own" in request.args:
        answer.headers["Content-Security-Policy"] = "default-src https:"
    return answer

@app.get("/map")
@edge.headers({"Content-Security-Policy": "img-src *", "X-Frame-Options": "", "X-Map": "1"})
def map():
    return Response("map", headers={"X-Map": "app"} if "own" in request.args else {})

@app.get("/private")
@edge.private
def private():
    return "private"

@app.get("/slow")
@edge.timeout("1s")
def slow():
    time.sleep(20)

@app.get("/hold")
def hold():
    Path("held").touch()
    while not Path("release").exists():
        time.sleep(0.02)
    return "held"

@app.post("/die")
def die():
    os._exit(1)

@app.post("/upload")
def upload():
    return "taken"
"""
TOML = f"""
app = "shop:app"
max_upload = "100kB"
spa = "dist"
mount = "/shop"

[limits]
in_progress = 3

[downloads]
roots = ["files"]

[headers]
preset = "strict"
csp = "{POLICY}"
remove = ["X-Runtime", "Referrer-Policy"]

[headers.set]
X-Added = 'quoted "; {{}}'

[cors]
origins = ["{ORIGIN}", "https://*.shop.example"]
credentials = true
"""
OF_APACHE = TOML.replace("in_progress = 3", "").replace('[downloads]\nroots = ["files"]', "")
"""What httpd can do of it."""
FILES = {
    "shop.py": APP,
    "portico.toml": TOML,
    "static/app.css": "body { color: teal }\n" * 100,
    "dist/index.html": "<!doctype html>the page",
    "dist/assets/x.js": "1",
    "files/report.txt": "report\n" * 20_000,
}
EXPECTED = {
    **PRESETS["strict"].others,
    "Content-Security-Policy": POLICY,
    "X-Added": 'quoted "; {}',
    "Access-Control-Allow-Origin": ORIGIN,
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Expose-Headers": "X-Request-ID, Retry-After",
}
ASKING = {"Origin": ORIGIN, "Access-Control-Request-Method": "DELETE"}


@pytest.fixture(scope="module")
def run(front: tuple[str, str]) -> Iterator[Served]:
    files = FILES | ({"portico.toml": OF_APACHE} if "apache" in front else {})
    with served(files, *front) as made:
        made.prefix = "/shop"
        yield made


def get(run: Served, path: str, **headers: str) -> httpx.Response:
    return run.client.get(f"{run.url}/shop{path}", headers={"Origin": ORIGIN, **headers})


def carries(answer: httpx.Response, own: Mapping[str, str | None] | None = None) -> None:
    """Each header once; `own` has another value where the app says it, None for one that is not there."""
    found = [(name.lower(), value) for name, value in answer.headers.multi_items()]
    assert [name for name, _ in found].count("x-request-id") == 1
    for name, value in {**EXPECTED, **(own or {})}.items():
        values = [value for low, value in found if low == name.lower()]
        assert values == ([] if value is None else [value]), (answer.url, name)
    assert not {"x-powered-by", "x-runtime"} & {name for name, _ in found}
    said = [word.strip() for name, value in found if name == "vary" for word in value.split(",")]
    assert said.count("Origin") == 1, answer.url


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/app", 200), ("/fail", 500), ("/nothing", 404), ("/status/204", 204), ("/status/304", 304),
        ("/status/401", 401), ("/status/302", 302), ("/private", 200), ("/status/503", 503), ("/upload", 405),
    ],
)  # fmt: skip
def test_answers_of_the_app(run: Served, path: str, status: int) -> None:
    answer = get(run, path)
    assert answer.status_code == status
    carries(answer)


def test_the_app_s_own_headers_win(run: Served) -> None:
    own = get(run, "/own")
    carries(own, {"Content-Security-Policy": "default-src https:", "X-Added": "the app's"})
    assert own.headers["X-Request-ID"] != "mine"


def test_a_policy_says_nothing_of_frames_where_the_app_has_x_frame_options(run: Served) -> None:
    policy = POLICY.removesuffix("; frame-ancestors https://partner.example")
    carries(get(run, "/framed"), {"Content-Security-Policy": policy, "X-Frame-Options": "DENY"})


def test_an_app_that_says_who_may_read_is_alone_in_it(run: Served) -> None:
    answer = get(run, "/cors")
    assert answer.headers.get_list("Access-Control-Allow-Origin") == ["https://only.example"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Access-Control-Expose-Headers" not in answer.headers


def test_a_route_has_headers_over_those_of_the_site(run: Served) -> None:
    carries(get(run, "/map"), {"Content-Security-Policy": "img-src *", "X-Frame-Options": None, "X-Map": "1"})
    assert get(run, "/map?own").headers.get_list("X-Map") == ["app"]


@pytest.mark.parametrize("path", ["/static/app.css", "/assets/x.js", "/index.html"])
def test_files(run: Served, path: str) -> None:
    plain = {"Accept-Encoding": "identity"}  # a compressed copy with another ETag may appear meanwhile
    answer = get(run, path, **plain)
    carries(answer)
    assert answer.status_code == 200
    again = get(run, path, **plain, **{"If-None-Match": answer.headers["ETag"]})
    is_page = run.is_apache and path == "/index.html"  # what stands for a 404 is sent whole by httpd
    assert again.status_code == (200 if is_page else 304)
    carries(again)
    if is_page:
        return
    part = get(run, path, Range="bytes=0-0", **plain)
    assert part.status_code == 206
    carries(part)
    beyond = get(run, path, Range="bytes=900000-", **plain)
    assert beyond.status_code == 416
    carries(beyond)


def test_a_compressed_copy(run: Served) -> None:
    def copy(**headers: str) -> httpx.Response:
        return get(run, "/static/app.css", **{"Accept-Encoding": "br"}, **headers)

    def pair() -> tuple[httpx.Response, httpx.Response] | None:
        answer = copy()
        again = copy(**{"If-None-Match": answer.headers["ETag"]})
        return (
            (answer, again)
            if (answer.headers.get("Content-Encoding"), again.status_code) == ("br", 304)
            else None
        )

    # Each worker of nginx finds it in its own time.
    for answer in until(pair, "there is a copy") or ():
        carries(answer)


def test_what_nginx_answers_beside_a_file(run: Served) -> None:
    for path in ("/static/nothing.css", "/static/.env"):
        missing = get(run, path)
        assert missing.status_code == 404
        carries(missing)
    refused = run.client.post(f"{run.url}/shop/static/app.css", headers={"Origin": ORIGIN})
    assert refused.status_code == 405
    carries(refused)
    asked = run.client.options(f"{run.url}/shop/static/app.css", headers={"Origin": ORIGIN})
    assert asked.status_code == 204
    carries(asked)


def test_the_page_of_a_single_page_app(run: Served) -> None:
    page = get(run, "/somewhere", Accept="text/html")
    assert (page.status_code, page.text) == (200, FILES["dist/index.html"])
    carries(page)


@pytest.mark.of_nginx
def test_a_download_through_nginx(run: Served) -> None:
    whole = get(run, "/download")
    assert len(whole.content) == len(FILES["files/report.txt"])
    carries(whole)
    carries(get(run, "/download?own"), {"Content-Security-Policy": "default-src https:"})
    part = get(run, "/download", Range="bytes=0-9")
    assert part.status_code == 206
    carries(part)


@pytest.mark.of_nginx
def test_a_kept_answer(run: Served) -> None:
    seen = [get(run, "/kept", **{"Cache-Status": "?"}) for _ in range(2)]
    for answer in seen:
        carries(answer)
    other = run.client.get(f"{run.url}/shop/kept", headers={"Origin": OTHER})
    carries(other, {"Access-Control-Allow-Origin": OTHER})
    own = {"Content-Security-Policy": "default-src https:", "X-Added": "the app's"}
    for _ in range(2):
        carries(get(run, "/kept-own"), own)
    if "Cache-Status" in seen[1].headers:  # nginx before 1.23 caches nothing
        assert seen[1].headers["Cache-Status"] == "Portico; hit"


def test_redirects_and_what_is_outside_the_mount(run: Served) -> None:
    to_prefix = run.client.get(f"{run.url}/shop", headers={"Origin": ORIGIN})
    assert to_prefix.status_code == 308
    carries(to_prefix)
    outside = run.client.get(f"{run.url}/elsewhere", headers={"Origin": ORIGIN})
    assert outside.status_code == 404
    carries(outside)


def test_errors_of_nginx(run: Served) -> None:
    big = run.client.post(f"{run.url}/shop/upload", content=b"x" * 200_000, headers={"Origin": ORIGIN})
    assert big.status_code == 413
    carries(big)
    long = get(run, "/app", **{f"x-{number}": "x" * 1000 for number in range(60)})
    assert run.is_apache or long.status_code == 431
    carries(long)
    late = get(run, "/slow")
    assert late.status_code == 504
    carries(late)
    dead = run.client.post(f"{run.url}/shop/die", headers={"Origin": ORIGIN})
    assert dead.status_code == (500 if run.is_apache else 502)
    carries(dead)


def test_closed_for_maintenance(run: Served) -> None:
    assert portico("maintenance", "on", cwd=run.directory).returncode == 0
    try:
        closed, file = get(run, "/app"), get(run, "/static/app.css")
        asked = run.client.options(f"{run.url}/shop/app", headers=ASKING)
    finally:
        assert portico("maintenance", "off", cwd=run.directory).returncode == 0
    assert (closed.status_code, asked.status_code, file.status_code) == (503, 204, 200)
    carries(closed)
    carries(asked)


@pytest.mark.of_nginx
def test_a_page_reads_that_it_asked_for_too_much(run: Served) -> None:
    waiting: list[socket.socket] = []
    with contextlib.ExitStack() as held:
        give_up = time.monotonic() + 60
        while (answer := get(run, "/app")).status_code != 429:
            assert time.monotonic() < give_up
            # One may have been refused itself, or lost with the worker that another test killed.
            waiting = [one for one in waiting if not select.select([one], [], [], 0)[0]]
            for _ in range(3 - len(waiting)):
                waiting.append(held.enter_context(socket.create_connection(("127.0.0.1", run.port), 60)))
                waiting[-1].sendall(b"GET /shop/hold HTTP/1.1\r\nHost: localhost\r\n\r\n")
            time.sleep(0.02)
        carries(answer)
        assert answer.headers["Retry-After"]
        preflight = run.client.options(f"{run.url}/shop/app", headers=ASKING)
        assert preflight.status_code == 204
        carries(preflight)
        (run.directory / "release").touch()
        while get(run, "/app").status_code != 200:
            assert time.monotonic() < give_up + 60
            time.sleep(0.02)


def test_nginx_answers_preflights(run: Served) -> None:
    asked = ASKING | {"Access-Control-Request-Headers": "x-token, authorization"}
    for path in ("/app", "/static/app.css", "/nothing"):
        answer = run.client.options(f"{run.url}/shop{path}", headers=asked)
        assert answer.status_code == 204
        carries(answer)
        assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD, POST, PUT, PATCH, DELETE"
        assert answer.headers["Access-Control-Allow-Headers"] == "x-token, authorization"
        assert answer.headers["Access-Control-Max-Age"] == "7200"
        assert not run.line(answer).get("upstream")


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "https://shop.example", "http://app.example", "https://app.example.evil.test",
     "https://evilshop.example", "https://x.shop.example:8443", "null", "https://a.shop.example\"; x", ""],
)  # fmt: skip
def test_other_origins_are_not_let_in(run: Served, origin: str) -> None:
    asked = run.client.options(f"{run.url}/shop/app", headers=ASKING | {"Origin": origin})
    assert run.line(asked)["upstream"], "the app decides"
    for answer in (asked, run.get("/shop/app", headers={"Origin": origin}), run.get("/shop/static/app.css")):
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert "Origin" in answer.headers["Vary"]


def test_only_a_build_that_can_leaves_out_its_name(run: Served) -> None:
    answers = [get(run, "/app"), get(run, "/static/app.css"), get(run, "/static/no")]
    if "cannot leave it out" in run.stderr():
        assert {answer.headers["Server"] for answer in answers} == {"Apache" if run.is_apache else "nginx"}
    else:
        assert not [answer for answer in answers if "Server" in answer.headers]


ASGI = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    own = [(b"content-security-policy", b"default-src https:"), (b"x-powered-by", b"me"), (b"server", b"me")]
    headers = own if scope["path"] == "/own" else []
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"asgi"})
"""


def test_an_asgi_app_with_https_and_names(front: tuple[str, str]) -> None:
    port = free_port()
    words = ["--domain", "shop.example", "--domain", "www.shop.example", "--canonical", "shop.example"]
    words += ["--https", "local", "--https-listen", f"127.0.0.1:{port}", "--headers", "api", "--cors", ORIGIN]
    expected = {**PRESETS["api"].others, "X-Frame-Options": "DENY", "Access-Control-Allow-Origin": ORIGIN}
    policy = "default-src 'none'; frame-ancestors 'none'"
    with (
        served({"app.py": ASGI}, *words, *front) as run,
        httpx.Client(verify=False, timeout=60) as client,
    ):

        def get(url: str, host: str = "shop.example") -> httpx.Response:
            headers = {"Host": host, "Origin": ORIGIN}
            return client.get(url, headers=headers, extensions={"sni_hostname": host})

        for url, host, status in (
            (f"https://127.0.0.1:{port}/", "shop.example", 200),
            (f"https://127.0.0.1:{port}/own", "shop.example", 200),
            (f"https://127.0.0.1:{port}/", "www.shop.example", 308),
            (f"{run.url}/", "shop.example", 308),
        ):
            answer = get(url, host)
            assert answer.status_code == status
            own = {"Content-Security-Policy": "default-src https:" if url.endswith("own") else policy}
            for name, value in {**expected, **own}.items():
                assert answer.headers.get_list(name) == [value], (url, name)
            assert len(answer.headers.get_list("X-Request-ID")) == 1
            assert "X-Powered-By" not in answer.headers
            assert answer.headers.get("Server", "nginx") in ("nginx", "Apache")
        with httpx.Client(verify=PLAIN, timeout=60) as stranger:
            if run.is_apache:
                answer = stranger.get(f"{run.url}/", headers={"Host": "unknown.example"})
                assert answer.status_code == 421
                return
            with pytest.raises(httpx.HTTPError):
                stranger.get(f"{run.url}/", headers={"Host": "unknown.example"})
