"""Uploads reach the app whole, as a body or as the file that nginx wrote, and can be seen while they come in."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.support import Served, end, portico, private_directory, served, start, until_ready, write_files
from tests.support.until import until
from tests.support.wire import read_all, status

APP = """
import hashlib, os
from flask import Flask, request
from portico import edge

app = Flask(__name__)

@app.post("/body")
def body():
    return hashlib.sha256(request.get_data()).hexdigest()

@app.post("/file")
@edge.upload_to_file
@edge.max_upload("32MiB")
def file():
    path = request.environ["portico.upload"]
    size = os.stat(path).st_size
    if request.args.get("keep"):
        os.rename(path, request.args["keep"])
    return {"path": path, "size": size, "sum": hashlib.sha256(request.environ["wsgi.input"].read()).hexdigest()}

@app.post("/form")
@edge.upload_to_file
def form():
    return {"name": request.files["one"].filename, "size": len(request.files["one"].read()),
            "path": request.environ.get("portico.upload", "")}
"""
TOML = '[nginx]\nserver = ["client_body_timeout 10m;"]\n'
"""Commands that are asked while an upload rests may take longer than the half minute for which it may."""
DATA = os.urandom(1 << 20) * 3


@pytest.fixture(scope="module")
def run(front: tuple[str, str]) -> Iterator[Served]:
    files = {"app.py": APP, "portico.toml": TOML}
    if "apache" in front:  # has no `upload_to_file`
        files = {"app.py": APP.replace("@edge.upload_to_file\n", "")}
    with served(files, *front) as made:
        yield made


def test_a_body_and_the_file_of_a_body_are_the_same(run: Served) -> None:
    wanted = hashlib.sha256(DATA).hexdigest()
    assert httpx.post(f"{run.url}/body", content=DATA, timeout=60).text == wanted
    if run.is_apache:
        return
    said = httpx.post(f"{run.url}/file", content=DATA, timeout=60).json()
    assert (said["size"], said["sum"]) == (len(DATA), wanted)
    assert said["path"].startswith(str(run.state / "bodies"))
    until_gone(said["path"])


def until_gone(path: str) -> None:
    until(lambda: not os.path.exists(path), f"{path} is still there")  # noqa: PTH110


def test_a_chunked_upload_is_a_file_too(run: Served) -> None:
    answer = httpx.post(
        f"{run.url}/file", content=(DATA[at : at + 65536] for at in range(0, len(DATA), 65536)), timeout=60
    )
    if run.is_apache:  # it cannot limit the size of what it passes on
        assert answer.status_code == 411
        return
    said = answer.json()
    assert said["sum"] == hashlib.sha256(DATA).hexdigest()


def test_a_small_one_and_none_at_all(run: Served) -> None:
    if not run.is_apache:
        assert httpx.post(f"{run.url}/file", content=b"x", timeout=60).json()["size"] == 1
    assert httpx.post(f"{run.url}/form", files={"one": ("a.txt", b"small")}, timeout=60).json()["size"] == 5
    assert httpx.post(f"{run.url}/body", timeout=60).text == hashlib.sha256(b"").hexdigest()


@pytest.mark.of_nginx  # it has `upload_to_file`
def test_a_file_that_the_app_takes_away_is_its_own(run: Served) -> None:
    kept = run.directory / "kept.bin"
    assert (
        httpx.post(f"{run.url}/file", params={"keep": str(kept)}, content=DATA, timeout=60).status_code == 200
    )
    assert kept.read_bytes() == DATA


@pytest.mark.of_nginx  # it has `upload_to_file`
def test_a_client_cannot_name_a_file(run: Served) -> None:
    headers = {"PORTICO-UPLOAD": "/etc/passwd", "Portico-Upload-File": "/etc/passwd"}
    said = httpx.post(f"{run.url}/file", content=b"mine", headers=headers, timeout=60).json()
    assert said["sum"] == hashlib.sha256(b"mine").hexdigest()


@pytest.mark.of_nginx  # httpd passes an upload on while it comes, and keeps none
def test_an_upload_under_way_is_seen(run: Served) -> None:
    head = b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", run.port), 30) as connection:
        connection.sendall(head + b"x" * 1_500_000)

        def under_way() -> dict[str, int]:
            found = json.loads(portico("status", "--json", cwd=run.directory).stdout)
            return dict(found["bodies"]["uploads"])

        until(lambda: under_way()["count"] == 1 and under_way()["bytes"] > 1_000_000, under_way)
        text = portico("status", cwd=run.directory).stdout
        assert "uploads    1 under way" in text
        connection.sendall(b"x" * 500_000)
        assert status(connection) == 200


def test_an_upload_survives_a_reload(run: Served) -> None:
    head = (
        f"POST /body HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {len(DATA)}\r\n\r\n".encode()
    )
    with socket.create_connection(("127.0.0.1", run.port), 60) as connection:
        connection.sendall(head + DATA[: 1 << 20])
        said = portico("reload", cwd=run.directory)
        assert said.returncode == 0, said.stderr
        connection.sendall(DATA[1 << 20 :])
        answer = read_all(connection)
    assert answer.endswith(hashlib.sha256(DATA).hexdigest().encode())


SMALL = """#!/bin/sh
exec unshare {how} sh -c 'mount -t tmpfs -o size=2m,mode=755 none "{state}" && exec "$0" "$@"' "{python}" "$@"
"""


@pytest.mark.of_nginx  # httpd keeps no uploads
def test_a_full_disk_has_a_page_of_its_own() -> None:
    """The small file system is mounted for this one Portico alone; who is not root has that right in a namespace."""
    how = "--mount" if os.geteuid() == 0 else "--user --map-current-user --mount --keep-caps"
    with private_directory() as home:
        (home / "state").mkdir(mode=0o755)
        python = home / "python"
        python.write_text(SMALL.format(how=how, state=home / "state", python=sys.executable))
        python.chmod(0o755)
        if subprocess.run([python, "-c", ""], check=False, capture_output=True).returncode:
            pytest.skip("this container may not mount")
        write_files(home, {"app.py": APP})
        run = start(home, python=str(python))
        try:
            until_ready(run)
            answer = httpx.post(f"{run.url}/body", content=DATA, timeout=60)
            assert answer.status_code == 507
            assert "disk may be full" in answer.text
            assert httpx.post(f"{run.url}/body", content=b"x", timeout=60).status_code == 200
        finally:
            end(run)
