"""Apps that several live tests share: started once for a module."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import GATEWAY, Served, served

MIRROR = """
import gzip, os, pathlib, time
from flask import Flask, jsonify, request, Response, redirect, session, abort, send_file, url_for
from flask_sock import Sock

app = Flask(__name__)
app.secret_key = "the same for every worker"
app.config["MAX_CONTENT_LENGTH"] = 64 * 1024
sock = Sock(app)

@app.route("/", defaults={"path": ""}, methods=["GET", "POST", "PUT", "DELETE"])
@app.route("/<path:path>", methods=["GET", "POST", "PUT", "DELETE"])
def mirror(path):
    environ = {name: value for name, value in request.environ.items() if isinstance(value, str)}
    return jsonify(
        environ=environ, remote_addr=request.remote_addr, scheme=request.scheme, host=request.host,
        url=url_for("mirror", path="x", _external=True), script_name=request.environ["SCRIPT_NAME"],
        path_info=request.environ["PATH_INFO"], uri=request.environ["REQUEST_URI"], length=len(request.get_data()),
    )

@app.get("/encoded/<coding>")
def encoded(coding):
    body = gzip.compress(b"a" * 3000) if coding == "gzip" else b"a" * 3000
    return Response(body, headers={"Content-Encoding": coding}, mimetype="text/html")

@app.get("/redirect")
def to_elsewhere():
    return redirect(url_for("mirror", path="there"))

@app.get("/cookie")
def cookie():
    session["user"] = "a"
    return "set"

@app.get("/big-cookies")
def big_cookies():
    response = Response("big")
    response.set_cookie("a", "x" * 3000)
    response.set_cookie("b", "y" * 3000)
    return response

@app.get("/slow")
def slow():
    open("slow.begun", "w").close()
    time.sleep(float(request.args["seconds"]))
    return "done"

@app.get("/status/<int:code>")
def status(code):
    return Response("the app's own page", status=code)

@app.get("/fail")
def fail():
    raise RuntimeError("a view that fails")

@app.get("/events")
def events():
    def stream():
        for number in range(3):
            yield f"data: {number}\\n\\n"
            time.sleep(0.6)
    return Response(stream(), mimetype="text/event-stream")

@app.route("/die", methods=["GET", "POST"])
def die():
    with open("died.txt", "a") as file:
        file.write(request.method + "\\n")
    os._exit(1)

@sock.route("/echo")
def echo(ws):
    while True:
        ws.send(ws.receive())
"""
STATICS = {
    "static/app.css": "body { color: teal }\n" * 100,
    "static/.env": "SECRET=1",
    "static/.git/config": "secret",
    "static/deep/er.txt": "deep",
    "static/ünï cödé.txt": "named",
    "settings.py": "SECRET = 1",
} | dict.fromkeys(
    (
        f"static/{name}"
        for name in ("x.py", "X.PY", "page.j2", "app.css~", "app.css.bak", "Copy.BAK", "deep/y.pyc")
    ),
    "SECRET = 1",
)
_OF_SYSTEM = re.compile(r"[\[-]system[\]-]")


@pytest.fixture(scope="session")
def _needs_nginx() -> None:
    if not (shutil.which("nginx") or Path("/usr/sbin/nginx").exists()):
        pytest.fail("Debian's nginx is missing: run the tests with `make test`, which installs it")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In a run over another gateway: without the tests of what nginx alone does, and each for one build of nginx."""
    if not os.environ.get(GATEWAY):
        return
    items[:] = [
        item
        for item in items
        if not item.get_closest_marker("of_nginx") and not _OF_SYSTEM.search(item.nodeid)
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every gateway is asked, but where a test is about what nginx alone does (`of_nginx`)."""
    others = [] if metafunc.definition.get_closest_marker("of_nginx") else ["apache"]
    names = ["embedded", "system", *others]
    if os.environ.get(GATEWAY):
        names = others
    if "mirror" in metafunc.fixturenames:
        metafunc.parametrize("mirror", names, indirect=True, scope="module")
    if "front" in metafunc.fixturenames:
        metafunc.parametrize("front", names, indirect=True, scope="module")
    if "kind" in metafunc.fixturenames and "kind" not in _own_parameters(metafunc):
        metafunc.parametrize(
            "kind", list(dict.fromkeys([*names[:1], *others])), indirect=True, scope="module"
        )


def _own_parameters(metafunc: pytest.Metafunc) -> set[str]:
    """Those that the test has of its own: some have one called as a fixture of this file."""
    given = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    names = [one.split(",") if isinstance(one, str) else one for one in given]
    return {name.strip() for some in names for name in some}


@pytest.fixture(scope="module")
def front(request: pytest.FixtureRequest, _needs_nginx: None) -> tuple[str, str]:
    """The words that choose it."""
    return _words(request.param)


@pytest.fixture(scope="module")
def kind(request: pytest.FixtureRequest, _needs_nginx: None) -> tuple[str, str]:
    """The same of one nginx and httpd, for what does not depend on the build."""
    return _words(request.param)


@pytest.fixture(scope="module")
def mirror(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[Served]:
    """An app that answers with what it was told, behind each gateway."""
    # No other route: on a busy machine any answer may take so long.
    files = {"app.py": MIRROR, "portico.toml": '[routes."/slow"]\ntimeout = "5s"\n', **STATICS}
    with served(files, *_words(request.param), "--request-timeout", "60s") as run:
        (run.directory / "static/out").symlink_to("/etc")
        (run.directory / "static/settings-link.py").symlink_to("../settings.py")
        yield run


def _words(name: str) -> tuple[str, str]:
    return ("--gateway", "apache") if name == "apache" else ("--nginx", name)


@pytest.fixture(scope="module")
def shop() -> Iterator[Served]:
    """The same app with declared domains."""
    words = ["--domain", "shop.example", "--domain", "*.wild.example", "--health", "/health"]
    with served({"app.py": MIRROR, **STATICS}, *words) as run:
        yield run


@pytest.fixture(scope="module")
def uploads() -> Iterator[Served]:
    with served({"app.py": MIRROR.replace("64 * 1024", "64 * 1024 * 1024")}) as run:
        yield run
