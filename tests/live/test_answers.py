"""What an app says and is told, through each link and each nginx: named after the symptom."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.support import Served, served
from tests.support.until import until

WSGI = """
import json, os, time
from flask import Flask, Response, jsonify, request

app = Flask(__name__)

@app.get("/head")
def head():
    response = Response("whole")
    for number in range(int(request.args["cookies"])):
        response.set_cookie(f"c{number}", "x" * 4000)
    return response

@app.route("/told", methods=["GET", "POST"])
def told():
    environ = {name: value for name, value in request.environ.items() if isinstance(value, str)}
    return jsonify(environ=environ, args=request.args, length=len(request.get_data()))

@app.get("/stream")
def stream():
    until = request.args["until"]

    def parts():
        yield "one\\n"
        while not os.path.exists(until):
            time.sleep(0.02)
        yield "two\\n"
    return Response(parts(), content_type=request.args["type"])

inner = app.wsgi_app

def lengths(environ, start):
    if environ["PATH_INFO"] != "/lengths":
        return inner(environ, start)
    start("200 OK", [("Content-Length", "5"), ("Content-Length", "7")])
    return [b"whole"]

app.wsgi_app = lengths
"""
ASGI = """
import asyncio, os
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

async def head(request):
    response = Response("whole")
    for number in range(int(request.query_params["cookies"])):
        response.set_cookie(f"c{number}", "x" * 4000)
    return response

async def lengths(request):
    response = Response("whole")
    response.raw_headers.append((b"content-length", b"7"))
    return response

async def told(request):
    return JSONResponse({"args": dict(request.query_params), "environ": {}, "length": len(await request.body())})

async def stream(request):
    async def parts():
        yield "one\\n"
        while not os.path.exists(request.query_params["until"]):
            await asyncio.sleep(0.02)
        yield "two\\n"
    return StreamingResponse(parts(), headers={"content-type": request.query_params["type"]})

app = Starlette(routes=[
    Route("/head", head), Route("/lengths", lengths), Route("/told", told, methods=["GET", "POST"]),
    Route("/stream", stream),
])
"""
PLAIN = {"Accept-Encoding": "identity"}
OURS = [("gunicorn", "embedded"), ("gunicorn", "system"), ("asgi", "embedded"), ("asgi", "system")]


@pytest.fixture(scope="module", params=[*OURS, ("uwsgi", "embedded")], ids="-".join)
def run(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[Served]:
    link, build = request.param
    words = ("--workers-server", "uwsgi") if link == "uwsgi" else ()
    code = ASGI if link == "asgi" else WSGI
    files = {"app.py": code, "static/a.css": "a" * 2000, "portico.toml": '[static]\n"/static/" = "static"\n'}
    with served(files, "--nginx", build, *words) as made:
        yield made


def is_uwsgi(run: Served) -> bool:
    return "uwsgi" in run.process.args  # type: ignore[operator]


def is_embedded(run: Served) -> bool:
    return "embedded" in run.process.args  # type: ignore[operator]


def is_asgi(run: Served) -> bool:
    return "starlette" in (run.directory / "app.py").read_text()


@pytest.mark.parametrize("cookies", [5, 15])
def test_upstream_sent_too_big_header_with_large_cookies(run: Served, cookies: int) -> None:
    if cookies == 15 and is_embedded(run):
        return  # 24 KiB are its limit: more room costs every request
    answer = run.get("/head", params={"cookies": cookies})
    run.client.cookies.clear()
    assert (answer.status_code, answer.text) == (200, "whole")
    assert len(answer.headers.get_list("Set-Cookie")) == cookies


def test_an_answer_with_too_many_cookies_has_a_sentence(run: Served) -> None:
    answer = run.get("/head", params={"cookies": 17}, headers={"Accept": "text/html"})
    if is_uwsgi(run):
        assert answer.status_code == (500 if run.is_apache else 502)
        assert run.is_apache or "more cookies and headers than the server takes" in answer.text
        return
    assert answer.status_code == 500
    run.until_said("bytes of headers, the limit is 65536")


def test_two_lengths_are_one_too_many(run: Served) -> None:
    if is_uwsgi(run) and run.is_apache:
        return  # httpd passes both on (docs/apache.md); Portico's own workers check
    answer = run.get("/lengths")
    if is_uwsgi(run):
        assert answer.status_code == 502
        return
    assert answer.status_code == 500
    run.until_said("the answer has two Content-Length headers: 5 and 7")


def test_a_chunked_upload_has_a_length_and_no_transfer_encoding(run: Served) -> None:
    answer = run.client.post(f"{run.url}/told", content=iter([b"a" * 1000, b"b" * 1000]))
    if run.is_apache:
        assert answer.status_code == 411
        return
    told = answer.json()
    assert told["length"] == 2000
    assert "HTTP_TRANSFER_ENCODING" not in told["environ"]


def test_the_path_as_it_was_sent_is_raw_uri(run: Served) -> None:
    environ = run.get("/told?a=%2F").json()["environ"]
    if environ and not is_uwsgi(run):
        assert environ["RAW_URI"] == environ["REQUEST_URI"] == "/told?a=%2F"


@pytest.mark.parametrize(("raw", "seen"), [(b"\xff", "\xff"), ("\u20ac".encode(), "\u20ac"), (b"%FFa", None)])
def test_a_raw_byte_in_the_query_is_no_error_of_the_app(run: Served, raw: bytes, seen: str | None) -> None:
    answer = run.raw(b"GET /told?a=" + raw + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    if is_uwsgi(run) and raw == b"\xff":
        return  # uWSGI passes the byte on, and Flask answers 500
    status = answer.partition(b" ")[2][:3]
    assert status == b"200" or (status == b"400" and is_asgi(run)), answer  # Gunicorn's asgi worker says 400
    if seen and status == b"200":
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["args"]["a"] in (seen, raw.decode("latin-1"))


@pytest.mark.parametrize(
    "media",
    [
        "application/x-ndjson",
        "application/jsonl; charset=utf-8",
        "application/json-seq",
        "text/plain",
    ],
)
def test_a_stream_arrives_as_it_is_made(run: Served, media: str) -> None:
    if is_uwsgi(run):
        return  # nothing of Portico's sees the answer before nginx (docs/streams.md)
    name = f"heard-{media.encode().hex()}"
    asked = {"type": media, "until": name}
    with run.client.stream("GET", f"{run.url}/stream", params=asked, headers=PLAIN) as answer:
        pieces = answer.iter_raw()
        first = next(pieces)
        (run.directory / name).touch()
        assert (first, b"".join(pieces)) == (b"one\n", b"two\n")


def test_a_304_of_a_file_says_vary_once_as_its_200_does(run: Served) -> None:
    def pair(coding: str) -> tuple[httpx.Response, httpx.Response] | None:
        whole = run.get("/static/a.css", headers={"Accept-Encoding": coding})
        assert whole.status_code == 200
        headers = {"Accept-Encoding": coding, "If-None-Match": whole.headers["ETag"]}
        again = run.get("/static/a.css", headers=headers)
        return (whole, again) if again.status_code == 304 else None

    for coding in ("gzip", "br", "identity"):
        # A copy that is new has another ETag, and each worker of nginx finds it in its own time.
        whole, again = until(lambda coding=coding: pair(coding), seconds=60)  # type: ignore[misc]
        assert whole.headers.get_list("Vary") == again.headers.get_list("Vary") == ["Accept-Encoding"], coding


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_method_that_a_file_does_not_know_is_told_which_it_does(run: Served, method: str) -> None:
    answer = run.client.request(method, f"{run.url}/static/a.css", content=b"x" * 10)
    assert (answer.status_code, answer.headers.get_list("Allow")) == (405, ["GET, HEAD, OPTIONS"])


def test_options_of_a_file_says_what_is_allowed(run: Served) -> None:
    answer = run.client.options(f"{run.url}/static/a.css")
    assert (answer.status_code, answer.headers["Allow"], answer.content) == (204, "GET, HEAD, OPTIONS", b"")
