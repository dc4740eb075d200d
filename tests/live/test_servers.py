"""The other servers on the same link: uWSGI, and ASGI apps by Gunicorn's asgi worker."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest

from tests.live.conftest import MIRROR, STATICS
from tests.support import Served, portico, private_directory, served, until_there, write_files
from tests.support.clients import talk

STARLETTE = """
import asyncio, os
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute

async def mirror(request):
    return JSONResponse({
        "client": request.client.host, "url": str(request.url), "path": request.url.path,
        "root_path": request.scope["root_path"], "headers": dict(request.headers), "length": len(await request.body()),
    })

async def accel(request):
    return JSONResponse({"by": "the app"}, headers={"X-Accel-Redirect": request.query_params["to"]})

async def events(request):
    async def stream():
        for number in range(3):
            yield f"data: {number}\\n\\n"
            while not os.path.exists("heard"):
                await asyncio.sleep(0.02)
    return StreamingResponse(stream(), media_type="text/event-stream")

async def until_gone(request):
    async def stream():
        try:
            while not await request.is_disconnected():
                yield "data: still there\\n\\n"
                await asyncio.sleep(0.02)
        finally:  # Starlette listens, too, and cancels what still runs
            open("gone", "w").close()
    return StreamingResponse(stream(), media_type="text/event-stream")

async def echo(websocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)

app = Starlette(routes=[
    Route("/events", events), Route("/accel", accel), Route("/until-gone", until_gone, methods=["GET", "POST"]),
    WebSocketRoute("/echo", echo), Route("/{path:path}", mirror, methods=["GET", "POST"]),
])
"""
ACCEL = """
@app.get("/accel")
def accel():
    return Response("by the app", headers={"X-Accel-Redirect": request.args["to"]})
"""
FASTAPI = (
    "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/')\ndef index(): return {'hello': 'fastapi'}\n"
)
QUART = (
    "from quart import Quart\napp = Quart(__name__)\n@app.get('/')\nasync def index(): return 'hello quart'\n"
)
SPOOFED = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Proto": "https",
    "X-Real-IP": "6.6.6.6",
    "Forwarded": "for=6.6.6.6",
}


UNDER_A_PREFIX = ("--workers-server", "uwsgi", "--mount", "/app")
"""An error at plan over httpd."""


@pytest.fixture(scope="module")
def uwsgi() -> Iterator[Served]:
    said = "import sys\nprint('said at import')\nprint('an error at import', file=sys.stderr)\n"
    code = MIRROR + ACCEL + said
    with served({"app.py": code, **STATICS}, *UNDER_A_PREFIX) as run:
        yield run


@pytest.fixture(scope="module")
def starlette() -> Iterator[Served]:
    with served({"app.py": STARLETTE}) as run:
        yield run


@pytest.mark.of_nginx  # httpd tells uWSGI no prefix
def test_uwsgi_serves_and_says_so(uwsgi: Served) -> None:
    assert "uWSGI 2." in uwsgi.stderr()
    told = uwsgi.get("/app/a%2Fb").json()
    assert (told["script_name"], told["path_info"], told["uri"]) == ("/app", "/a/b", "/app/a%2Fb")


@pytest.mark.of_nginx  # httpd tells uWSGI no prefix
def test_uwsgi_starts_without_a_page_about_itself(uwsgi: Served) -> None:
    assert "spawned uWSGI" not in uwsgi.stderr()
    begun = uwsgi.stderr().partition(" serving  ")[0].splitlines()
    before = {line.strip() for line in begun if not line.startswith("still ")}  # importing, on a busy machine
    assert before <= {"starting ...", "said at import", "an error at import", ""}
    assert "an error at import" in before
    logs = portico("logs", "--no-follow", cwd=uwsgi.directory)
    assert "params_hash" not in logs.stdout + uwsgi.stderr()


@pytest.mark.of_nginx  # httpd tells uWSGI no prefix
def test_uwsgi_has_none_of_its_traps(uwsgi: Served) -> None:
    big = {"Cookie": f"a={'x' * 3000}; b={'y' * 3000}"}
    assert uwsgi.get("/app/", headers=big).status_code == 200
    assert uwsgi.client.post(uwsgi.url + "/app/", content=b"x" * 60000).json()["length"] == 60000
    assert {uwsgi.get("/app/").status_code for _ in range(20)} == {200}


def test_uwsgi_finishes_what_it_has_when_told_to_stop() -> None:
    answers = []
    with served({"app.py": MIRROR}, "--workers-server", "uwsgi") as run:
        slow = threading.Thread(target=lambda: answers.append(run.get("/slow?seconds=2").text))
        slow.start()
        until_there(run.directory / "slow.begun")
        run.stop()
        slow.join()
    assert answers == ["done"]


def test_an_asgi_app_learns_who_the_client_is_from_nginx_alone(starlette: Served) -> None:
    told = starlette.get("/a%2Fb?q=1", headers=SPOOFED).json()
    assert told["client"] == "127.0.0.1"
    assert told["url"] == f"{starlette.url}/a%2Fb?q=1" or told["url"] == f"{starlette.url}/a/b?q=1"
    assert "6.6.6.6" not in str(told)
    assert "x-portico-msec" not in told["headers"]


def test_no_client_has_httpd_take_away_what_it_tells_an_asgi_app() -> None:
    names = [
        "X-Real-IP",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "X-Request-ID",
        "X-Portico-Proxy",
    ]
    with served({"app.py": STARLETTE}, "--gateway", "apache") as run:
        plain = run.get("/").json()["headers"]
        assert {*map(str.lower, names[:5])} <= plain.keys()
        for said in (
            f"close, {', '.join(names)}", f"{','.join(names)} ,close", f"close; {';'.join(names)}", "\t,, X-Real-IP",
            f"close\r\nConnection: {', '.join(names)}", f"keep-alive,{','.join(names)},close", '"X-Real-IP"', ",",
        ):  # fmt: skip
            head = f"GET / HTTP/1.0\r\nHost: 127.0.0.1:{run.port}\r\nConnection: {said}\r\n\r\n"
            told = json.loads(run.raw(head.encode()).partition(b"\r\n\r\n")[2])
            assert told["client"] == "127.0.0.1", said
            assert {name for name in plain if name.startswith("x-")} == {
                name for name in told["headers"] if name.startswith("x-")
            }, said
        with talk(run.port, "/echo") as channel:
            channel.send("hello")
            assert channel.recv() == "hello"
        assert run.raw(b"CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n").startswith(
            b"HTTP/1.1 405 "
        )


@pytest.mark.of_nginx  # httpd tells uWSGI no prefix
@pytest.mark.parametrize("to", ["/-/errors/404.html", "@portico_down", "/a", " /-/health/app"])
def test_an_app_that_is_not_portico_s_worker_leads_nowhere(uwsgi: Served, to: str) -> None:
    answer = uwsgi.get("/app/accel", params={"to": to})
    assert (answer.text, answer.status_code) == ("by the app", 200)
    assert "X-Accel-Redirect" not in answer.headers


@pytest.mark.of_nginx  # its X-Accel-Redirect
def test_an_asgi_app_leads_to_paths_of_its_site_only(starlette: Served) -> None:
    assert starlette.get("/accel", params={"to": "/a"}).json()["path"] == "/a"
    for to in ("/-/errors/404.html", "@portico_down", " /-/health/app"):
        assert starlette.get("/accel", params={"to": to}).status_code == 500, to


@pytest.mark.parametrize(
    ("target", "lines", "status"),
    [
        (b"/" + b"a" * 8000, b"", b"200"),
        (b"/", b"".join(b"Y%d: 1\r\n" % number for number in range(300)), b"200"),
        pytest.param(
            b"/",
            b"".join(b"Y%d: %s\r\n" % (number, b"x" * 1000) for number in range(70)),
            b"431",
            marks=pytest.mark.of_nginx,  # httpd bounds each header, and their number
        ),
        (b"/" + b"a" * 9000, b"", b"414"),
    ],
)
def test_a_head_that_nginx_takes_fits_an_asgi_app(
    starlette: Served, target: bytes, lines: bytes, status: bytes
) -> None:
    head = b"GET " + target + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + lines + b"\r\n"
    answer = starlette.raw(head)
    assert answer.startswith(b"HTTP/1.1 " + status), answer[:200]
    assert (b"</html>" in answer) == (status != b"200")


def test_an_asgi_app_takes_uploads_and_websockets(starlette: Served) -> None:
    assert starlette.client.post(starlette.url + "/x", content=b"x" * 100000).json()["length"] == 100000
    with talk(starlette.port, "/echo") as socket:
        socket.send("hello")
        assert socket.recv(timeout=60) == "hello"


@pytest.mark.usefixtures("_needs_nginx")
def test_a_websocket_of_an_asgi_app_may_be_silent(kind: tuple[str, str]) -> None:
    files = {"app.py": STARLETTE}
    if "apache" in kind:  # the longer of two times holds: what the client and what the app may take
        files["portico.toml"] = '[apache]\nserver = ["Timeout 1"]\n'
    with (
        served(files, *kind, "--workers", "1", "--request-timeout", "1s") as site,
        talk(site.port, "/echo") as socket,
    ):
        with pytest.raises(TimeoutError):
            socket.recv(timeout=3)  # longer can do no harm
        socket.send("still there?")
        assert socket.recv(timeout=60) == "still there?"


def test_an_asgi_app_s_events_arrive_one_by_one(starlette: Served) -> None:
    with starlette.client.stream("GET", starlette.url + "/events") as answer:
        pieces = answer.iter_raw()
        assert next(pieces) == b"data: 0\n\n"  # the next are made when it was heard
        (starlette.directory / "heard").touch()
        assert b"data: 2" in b"".join(pieces)


@pytest.mark.of_nginx  # httpd tells uWSGI no prefix
def test_a_trace_says_only_what_is_known(starlette: Served, uwsgi: Served) -> None:
    """The asgi worker tells what the app was called with; uWSGI tells nothing."""
    found = json.loads(portico("trace", "/x", "--json", cwd=starlette.directory).stdout)
    said = " ".join(moment["text"] for moment in found["moments"])
    assert "never saw" not in said
    assert "left out" not in said
    assert [one["app"] for one in found["request"] if one["name"] == "method"] == ["GET"]
    found = json.loads(portico("trace", "/app/x", "--json", cwd=uwsgi.directory).stdout)
    assert "takes no part in traces" in " ".join(moment["text"] for moment in found["moments"])


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_asgi_app_that_asks_whether_its_client_is_there_is_told_the_truth(
    starlette: Served, method: str
) -> None:
    """Each question is a wait that the framework gives up; it ended the stream after one or two events."""
    gone = starlette.directory / "gone"
    gone.unlink(missing_ok=True)
    with starlette.client.stream(method, starlette.url + "/until-gone", content=b"x") as answer:
        lines = answer.iter_lines()
        assert [next(lines) for _ in range(20)][::2] == ["data: still there"] * 10
        assert not gone.exists()
    until_there(gone)


def test_an_asgi_app_s_numbers_are_in_the_log(starlette: Served) -> None:
    answer = starlette.get("/numbers")
    assert "x-portico" not in answer.headers
    queue, app, pid, thread, endpoint = starlette.line(answer)["worker"].split()
    assert int(queue) >= 0
    assert int(app) > 0
    assert int(pid) > 0
    assert (thread, endpoint) == ("0", "mirror")


@pytest.mark.parametrize(("code", "text"), [(FASTAPI, "fastapi"), (QUART, "hello quart")])
def test_fastapi_and_quart(code: str, text: str) -> None:
    with served({"app.py": code}) as run:
        assert text in run.get("/").text


def test_uwsgi_cannot_run_an_asgi_app() -> None:
    with private_directory() as home:
        write_files(home, {"app.py": FASTAPI, "portico.toml": '[workers]\nserver = "uwsgi"\n'})
        done = portico("plan", cwd=home)
    assert done.returncode == 2
    assert done.stderr == (
        'portico.toml:2: workers.server: uWSGI cannot run an ASGI app\n  use server = "gunicorn"\n'
    )
