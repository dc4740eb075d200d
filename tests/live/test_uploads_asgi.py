"""Uploads of ASGI apps as files: nginx's own, or the worker's where the app runs as another user."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support import Served, end, private_directory, served, start, until_ready, write_files
from tests.support.until import until
from tests.users import ONLY_ROOT, USER, paths, places, python

pytestmark = pytest.mark.of_nginx  # each is about `upload_to_file`, which httpd has not

APP = """
import hashlib, os, quart
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

forms = quart.Quart(__name__)

@forms.post("/form")
async def form():
    one = (await quart.request.files)["one"]
    return {"name": one.filename, "size": len(one.read()), "field": (await quart.request.form)["field"],
            "path": quart.request.scope["extensions"].get("portico.upload", {}).get("path", "")}

async def file(request):
    path = request.scope["extensions"]["portico.upload"]["path"]
    size = os.stat(path).st_size
    if kept := request.query_params.get("keep"):
        os.rename(path, kept)
    total = hashlib.sha256()
    async for piece in request.stream():
        total.update(piece)
    return JSONResponse({"path": path, "size": size, "sum": total.hexdigest(), "uid": os.geteuid()})

async def plain(request):
    return JSONResponse({"sum": hashlib.sha256(await request.body()).hexdigest(),
                         "extensions": sorted(request.scope["extensions"])})

app = Starlette(routes=[
    Route("/file", file, methods=["POST"]), Route("/plain", plain, methods=["POST"]), Mount("/", forms),
])
"""
TOML = """
[routes."/file"]
upload_to_file = true
max_upload = "32MiB"

[routes."/form"]
upload_to_file = true
"""
DATA = os.urandom(1 << 20) * 3
SUM = hashlib.sha256(DATA).hexdigest()


@contextmanager
def of_another_user(nginx: str) -> Iterator[Served]:
    with private_directory() as home:
        app = home / "app"
        write_files(app, {"app.py": APP, "portico.toml": TOML})
        for path in (app, *app.rglob("*")):
            shutil.chown(path, USER, USER)
        run = start(app, "--nginx", nginx, python=python(), env=paths(home))
        try:
            until_ready(run)
            yield run
        finally:
            end(run)
            assert "PermissionError" not in run.stderr()


@pytest.fixture(scope="module", params=["embedded", "system"])
def run(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[Served]:
    with served({"app.py": APP, "portico.toml": TOML}, "--nginx", str(request.param)) as made:
        yield made


@pytest.fixture(scope="module", params=["embedded", "system"])
def separate(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[Served]:
    with of_another_user(request.param) as made:
        yield made


def post(run: Served, path: str, **what: object) -> dict[str, object]:
    answer = httpx.post(f"{run.url}{path}", timeout=60, **what)  # type: ignore[arg-type]
    answer.raise_for_status()
    said: dict[str, object] = answer.json()
    return said


def chunks() -> Iterator[bytes]:
    return (DATA[at : at + 65536] for at in range(0, len(DATA), 65536))


def gone(path: object) -> None:
    until(lambda: not Path(str(path)).exists(), f"{path} is still there")


def test_the_app_gets_the_file_that_nginx_wrote(run: Served) -> None:
    for content in (DATA, chunks()):
        said = post(run, "/file", content=content)
        assert (said["size"], said["sum"]) == (len(DATA), SUM)
        assert str(said["path"]).startswith(str(run.state / "bodies"))
        gone(said["path"])
    assert post(run, "/file", content=b"x")["size"] == 1


def test_forms_are_read_as_usual(run: Served) -> None:
    said = post(run, "/form", files={"one": ("a.bin", DATA)}, data={"field": "value"})
    assert (said["name"], said["size"], said["field"]) == ("a.bin", len(DATA), "value")
    assert said["path"]
    assert post(run, "/form", files={"one": ("a.txt", b"small")}, data={"field": ""})["size"] == 5


def test_a_file_that_the_app_takes_away_is_its_own(run: Served) -> None:
    kept = run.directory / "kept.bin"
    assert post(run, "/file", params={"keep": str(kept)}, content=DATA)["sum"] == SUM
    assert kept.read_bytes() == DATA


@pytest.mark.parametrize("name", ["PORTICO-UPLOAD", "PORTICO_UPLOAD", "Portico-Upload-File"])
def test_a_client_cannot_name_a_file(run: Served, name: str) -> None:
    headers = {name: "/etc/passwd"}
    mine = hashlib.sha256(b"mine").hexdigest()
    said = post(run, "/file", content=b"mine", headers=headers)
    assert (said["sum"], said["size"]) == (mine, 4)
    said = post(run, "/plain", content=b"mine", headers=headers)
    assert said == {"sum": mine, "extensions": ["http.response.pathsend"]}


@ONLY_ROOT
def test_an_app_of_another_user_gets_a_file_of_its_own(separate: Served) -> None:
    uploads = Path(f"{places(separate)[1]}.uploads")
    for content in (DATA, chunks()):
        said = post(separate, "/file", content=content)
        assert (said["size"], said["sum"]) == (len(DATA), SUM)
        assert said["uid"] == pwd.getpwnam(USER).pw_uid
        assert Path(str(said["path"])).parent == uploads
        gone(said["path"])
    assert post(separate, "/form", files={"one": ("a", DATA)}, data={"field": ""})["size"] == len(DATA)
    kept = separate.directory / "kept.bin"
    post(separate, "/file", params={"keep": str(kept)}, content=DATA)
    assert (kept.read_bytes(), kept.stat().st_uid) == (DATA, pwd.getpwnam(USER).pw_uid)
    until(lambda: not list(uploads.iterdir()), "nothing of it is left")
