"""An app with an environment of its own, beside a Portico that runs in another one."""

from __future__ import annotations

import importlib.util
import json
import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support import (
    Served,
    end,
    portico,
    private_directory,
    rewrite,
    start,
    until_ready,
    until_there,
    write_files,
)
from tests.support.clients import talk
from tests.support.until import until
from tests.users import ONLY_ROOT, USER, paths, python

NEEDS_NGINX = pytest.mark.usefixtures("_needs_nginx")
FLASK = ("flask", "werkzeug", "jinja2", "markupsafe", "click", "blinker", "itsdangerous")
APP = """
import multiprocessing, sys
from flask import Flask
from portico import edge

app = Flask(__name__)

def found(name):
    try:
        return __import__(name).__file__
    except ImportError:
        return ""

def of_child(results):
    results.put([sys.prefix, edge.__file__])

@app.get("/")
@edge.private
def index():
    names = "msgspec", "cryptography", "portico", "gunicorn", "flask", "websockets"
    return {"release": "one", "prefix": sys.prefix, **{name: found(name) for name in names}}

@app.get("/spawned")
def spawned():
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    child = context.Process(target=of_child, args=(results,))
    child.start()
    said = results.get()
    child.join()
    return said
"""
TOML = """
[workers]
count = 1
[processes]
worker = "python worker.py"
[release]
before = "python -c 'import sys; open(\\"before\\", \\"w\\").write(sys.prefix)'"
"""
WORKER = """
import sys, time
open("worker", "w").write(sys.prefix)
time.sleep(600)
"""
ASGI = """
import json, sys

async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": sys.prefix})
        await send({"type": "websocket.close"})
    elif scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": sys.prefix.encode()})
"""
WSGI = """
import sys

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [sys.prefix.encode()]
"""
SPY = """#!/bin/bash
id -u >> {uids}
exec {python} "$@"
"""


def make(directory: Path, *packages: str, program: str = sys.executable) -> Path:
    """An environment with these packages of this one alone."""
    subprocess.run([program, "-m", "venv", "--without-pip", str(directory)], check=True)
    (there,) = directory.glob("lib/python*/site-packages")
    for name in packages:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        found = Path(spec.origin)
        found = found.parent if found.name == "__init__.py" else found
        for one in (found, *found.parent.glob(f"{name}-*.dist-info"), *found.parent.glob(f"{name}.libs")):
            (there / one.name).symlink_to(one)
    return directory


def begin(home: Path, *words: str) -> Iterator[Served]:
    run = start(home, *words)
    try:
        until_ready(run)
        yield run
    finally:
        end(run)


@pytest.fixture
def site(_needs_nginx: None) -> Iterator[Served]:
    with private_directory() as home:
        write_files(home, {"app.py": APP, "portico.toml": TOML, "worker.py": WORKER})
        make(home / ".venv", *FLASK)
        yield from begin(home)


def test_everything_of_the_app_runs_in_its_own_environment(site: Served) -> None:
    own = str(site.directory / ".venv")
    said = site.get().json()
    assert said["prefix"] == own
    assert said["flask"].startswith(own)
    assert (said["msgspec"], said["cryptography"]) == ("", "")
    assert all(said[name] for name in ("portico", "gunicorn", "websockets"))
    assert site.get("/spawned").json()[0] == own
    assert (site.directory / "before").read_text() == own
    until_there(site.directory / "worker")
    assert until((site.directory / "worker").read_text) == own  # it is there before its text is
    assert f"the app runs with {own}/bin/python (beside the app)" in site.stderr()
    done = portico("exec", "python", "-c", "import sys; print(sys.prefix)", cwd=site.directory)
    assert done.stdout.strip() == own
    why = portico("plan", cwd=site.directory).stdout
    assert f"the app has its own environment, of {own}/bin/python (beside the app)" in why


def test_another_environment_is_a_new_release_and_one_that_fails_is_none(site: Served) -> None:
    toml = site.directory / "portico.toml"
    rewrite(toml, f'python = "empty"\n{TOML}')
    make(site.directory / "empty")
    done = portico("reload", cwd=site.directory)
    assert done.returncode == 4
    assert "No module named 'flask'" in done.stdout
    assert f"the app has the packages of {site.directory}/empty/bin/python (portico.toml:1)" in done.stdout
    rewrite(toml, f'python = "gone"\n{TOML}')
    done = portico("reload", cwd=site.directory)
    assert done.returncode == 2
    assert f'python: "gone": there is no {site.directory}/gone' in done.stdout
    assert site.get().json()["prefix"] == str(site.directory / ".venv")
    rewrite(toml, f'python = "next/bin/python"\n{TOML}')
    make(site.directory / "next", *FLASK)
    done = portico("reload", cwd=site.directory)
    assert done.returncode == 0, done.stdout
    assert site.get().json()["prefix"] == str(site.directory / "next")


@NEEDS_NGINX
def test_a_reload_says_which_other_python_it_takes_and_status_names_it() -> None:
    with private_directory() as home:
        write_files(home, {"app.py": WSGI, "portico.toml": "[workers]\ncount = 1\n"})
        version = ".".join(map(str, sys.version_info[:3]))
        for run in begin(home):
            assert f"  python     {version}, {sys.executable}\n" in portico("status", cwd=home).stdout
            assert "Python" not in portico("reload", cwd=home).stdout, "it is the same"
            own = make(home / ".venv")
            done = portico("reload", cwd=home)
            assert done.returncode == 0, done.stdout
            said = f"starts beside the running one, with Python {version} ({own}/bin/python) ..."
            assert said in done.stdout
            run.until_said(
                said.replace("starts", "is starting").replace("running", "live").removesuffix(" ...")
            )
            assert run.get().text == str(own)
            status = json.loads(portico("status", "--json", cwd=home).stdout)
            (live,) = [one for one in status["releases"] if one["number"] == status["live"]]
            assert (live["python"], live["python_version"]) == (f"{own}/bin/python", version)
            assert f"  python     {version}, {own}/bin/python\n" in portico("status", cwd=home).stdout


@NEEDS_NGINX
def test_an_asgi_app_has_websockets_without_installing_anything() -> None:
    with private_directory() as home:
        write_files(home, {"app.py": ASGI, "portico.toml": "[workers]\ncount = 1\n"})
        own = make(home / "venv")
        for run in begin(home):
            assert run.get().text == str(own)
            with talk(run.port, "/") as socket:
                assert socket.recv(60) == str(own)
        (there,) = own.glob("lib/python*/site-packages")
        (there / "websockets-12.0.dist-info").mkdir()
        done = portico("plan", cwd=home)
        assert done.returncode == 2
        assert f'{own}/bin/python -m pip install "websockets>=15"' in done.stderr


@NEEDS_NGINX
def test_uwsgi_is_that_of_the_app_s_environment() -> None:
    with private_directory() as home:
        write_files(home, {"app.py": WSGI, "portico.toml": '[workers]\ncount = 1\nserver = "uwsgi"\n'})
        make(home / ".venv")
        done = portico("plan", cwd=home)
        assert done.returncode == 2
        assert "uWSGI is not installed in the app's environment" in done.stderr
        assert f"{home}/.venv/bin/python -m pip install pyuwsgi" in done.stderr
        own = make(home / "envs", "pyuwsgi")
        for run in begin(home, "--python", "envs"):
            assert run.get().text == str(own)
            until(lambda: "spawned uWSGI" not in run.stderr(), "its start lines are filtered")  # noqa: B023  of this turn


@NEEDS_NGINX
def test_an_image_is_made_of_the_app_s_own_packages_and_has_one_environment() -> None:
    with private_directory() as home:
        write_files(
            home, {"app.py": WSGI, "requirements.txt": "thing\n", "portico.toml": 'python = "envs"\n'}
        )
        (there,) = make(home / "envs").glob("lib/python*/site-packages")
        built = {"METADATA": "Name: thing\nVersion: 1.0\n", "WHEEL": "Tag: cp311-cp311-linux_x86_64\n"}
        write_files(there / "thing-1.0.dist-info", built)
        done = portico("export", "docker", cwd=home)
        assert done.returncode == 0, done.stderr
        text = (home / "Dockerfile").read_text()
        assert "so they are compiled: thing." in text
        assert text.endswith('CMD ["portico", "run", "--python=portico"]\n')


@ONLY_ROOT
@NEEDS_NGINX
def test_root_starts_the_app_s_python_as_the_app_s_user_alone() -> None:
    with private_directory() as home:
        app, uids = home / "app", home / "uids"
        write_files(app, {"app.py": WSGI, "worker.py": WORKER, "portico.toml": TOML})
        own = make(app / ".venv", program=python())
        real = (own / "bin/python").resolve()
        (own / "bin/python").unlink()
        (own / "bin/python").write_text(SPY.format(uids=uids, python=f"-a {own}/bin/python {real}"))
        (own / "bin/python").chmod(0o755)
        uids.touch()
        uids.chmod(0o666)
        for path in (app, *app.rglob("*")):
            os.chown(path, *pwd.getpwnam(USER)[2:4], follow_symlinks=False)
        run = start(app, python=python(), env=paths(home))
        try:
            until_ready(run)
            assert httpx.get(run.url, timeout=60).status_code == 200
            until(lambda: (app / "worker").exists(), "the background process runs")
        finally:
            end(run)
        assert set(uids.read_text().split()) == {str(pwd.getpwnam(USER).pw_uid)}
