"""An app of another user than nginx's: uploads, kept answers, compressed copies and downloads among the three."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from portico.run.precompress.watcher import _clear
from tests.support import Served, private_directory, start, until_ready, walk, write_files
from tests.support import end as stop
from tests.support.until import until
from tests.users import ONLY_ROOT, USER, as_user, paths, places, python

pytestmark = ONLY_ROOT

FEATURES = """
import hashlib, os
from flask import Flask, request, send_file
import portico
from portico import edge

app = Flask(__name__)
seen = []

@app.post("/file")
@edge.upload_to_file
@edge.max_upload("32MiB")
def file():
    path = request.environ["portico.upload"]
    size = os.stat(path).st_size
    if request.args.get("keep"):
        os.rename(path, request.args["keep"])
    return {"path": path, "size": size, "sum": hashlib.sha256(request.environ["wsgi.input"].read()).hexdigest(),
            "mode": oct(os.stat(os.path.dirname(path)).st_mode)}

@app.get("/news")
@edge.cache("1h")
def news():
    with open("count.txt", "a") as count:
        count.write("x")
    return str(os.path.getsize("count.txt"))

@app.post("/purge")
def purge():
    return str(portico.purge("/news"))

@app.get("/down/<name>")
def down(name):
    return send_file(os.path.abspath("files/" + name))
"""
DATA = os.urandom(1 << 20) * 3


@pytest.fixture(scope="module", params=["embedded", "system"])
def features(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[Served]:
    """A site of `games` that uses what nginx does with files."""
    with private_directory() as home:
        app = home / "app"
        write_files(
            app,
            {
                "app.py": FEATURES,
                "static/app.css": "body { color: teal }\n" * 400,
                "files/open.bin": "o" * 300_000,
                "files/closed.bin": "c" * 300_000,
                "portico.toml": '[downloads]\nroots = ["files"]\n',
            },
        )
        for path in (app, *app.rglob("*")):
            shutil.chown(path, USER, USER)
        (app / "files/closed.bin").chmod(0o600)
        run = start(app, "--nginx", request.param, python=python(), env=paths(home))
        try:
            until_ready(run)
            yield run
        finally:
            stop(run)
            assert "PermissionError" not in run.stderr()


@pytest.mark.of_nginx  # httpd has no `upload_to_file`
def test_an_upload_is_a_file_that_the_app_may_read_and_keep(features: Served) -> None:
    wanted = hashlib.sha256(DATA).hexdigest()
    for content in (DATA, b"x", (DATA[at : at + 65536] for at in range(0, len(DATA), 65536))):
        said = httpx.post(f"{features.url}/file", content=content, timeout=60).json()
        assert (said["size"], said["sum"]) in ((len(DATA), wanted), (1, hashlib.sha256(b"x").hexdigest()))
        assert said["mode"] == "0o40700"
        until(lambda: not Path(said["path"]).exists(), "the file is removed")  # noqa: B023  of this turn
    kept = features.directory / "kept.bin"
    httpx.post(f"{features.url}/file?keep={kept}", content=DATA, timeout=60).raise_for_status()
    assert kept.read_bytes() == DATA
    assert kept.stat().st_uid == pwd.getpwnam(USER).pw_uid
    _, state = places(features)
    until(lambda: not list(Path(f"{state}.uploads").iterdir()), "nothing of it is left")


@pytest.mark.of_nginx  # httpd keeps no answers
def test_the_app_purges_and_orders_nothing_else(features: Served) -> None:
    def body() -> str:
        return httpx.get(f"{features.url}/news", timeout=60).text

    first = body()
    until(lambda: body() == first, "the answer is kept")
    assert httpx.post(f"{features.url}/purge", timeout=60).text == "1"
    assert body() != first
    runtime, _ = places(features)
    assert (runtime / "purge.sock").stat().st_mode & 0o777 == 0o600
    assert (runtime / "purge.sock").owner() == USER
    ask = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        "s.sendall(b'POST /stop HTTP/1.1\\r\\n\\r\\n'); print(s.makefile().read())"
    )
    told = as_user("/usr/bin/python3", "-c", ask, str(runtime / "purge.sock"))
    assert "404 Not Found" in told.stdout


def test_a_store_that_another_user_left_is_taken_away(tmp_path: Path) -> None:
    """As before the copies were made by nginx's user: who makes them now could not open it."""
    parents = [tmp_path / name for name in ("theirs", "ours")]
    for parent in parents:
        (parent / "store").mkdir(parents=True)
        shutil.chown(parent, USER)
    shutil.chown(parents[1] / "store", USER)
    _clear(parents, ())
    assert [(parent / "store").exists() for parent in parents] == [False, True]


@pytest.mark.of_nginx  # httpd serves no folder that another user can change
def test_copies_are_made_by_nginx_s_user(features: Served) -> None:
    runtime, state = places(features)

    def compressed() -> bool:
        answer = httpx.get(f"{features.url}/static/app.css", headers={"Accept-Encoding": "br"}, timeout=60)
        return bool(answer.headers.get("content-encoding") == "br")

    until(compressed, "a compressed form")

    def copies(name: str) -> list[os.stat_result]:
        return [status for path, status in walk(state / "static") if path.name == name]

    made = until(lambda: copies("app.css"), "a copy")
    assert {pwd.getpwuid(status.st_uid).pw_name for status in made} == {runtime.group()}
    closed = features.directory / "static/closed.css"
    closed.touch(0o600)  # at no moment readable for nginx's user
    shutil.chown(closed, USER, USER)
    closed.write_text("secret " * 1000)
    (features.directory / "static/later.css").write_text("later " * 1000)
    until(lambda: copies("later.css"), "a later copy")
    assert not copies("closed.css")
    closed.unlink()


@pytest.mark.of_nginx  # the worker sends every download over httpd
def test_a_file_that_nginx_cannot_open_is_sent_by_the_app(features: Served) -> None:
    for name in ("open", "closed"):
        answer = httpx.get(f"{features.url}/down/{name}.bin", timeout=60)
        assert answer.status_code == 200
        assert len(answer.content) == 300_000
