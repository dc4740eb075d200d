"""An upload in a file of the worker's own, where nginx's is not the app's to read."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.link.test_exchange import PLAIN, Start, request
from tests.support.process import ended

DATA = os.urandom(200_000)


def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    path = environ.get("portico.upload")
    same = path and Path(path).read_bytes() == environ["wsgi.input"].read()
    start("200 OK", PLAIN)
    return [f"{path} {same}".encode()]


@pytest.mark.parametrize("body", [b"x", DATA])
def test_the_body_is_in_a_file_until_the_answer_is_made(tmp_path: Path, body: bytes) -> None:
    outcome = request(app, {"PORTICO_UPLOAD": f"{tmp_path}/", "REQUEST_METHOD": "POST"}, body)
    path, same = outcome.body.decode().split()
    assert outcome.clean
    assert Path(path).parent == tmp_path
    assert same == "True"
    assert not list(tmp_path.iterdir())


def test_a_request_without_a_body_has_no_file(tmp_path: Path) -> None:
    assert request(app, {"PORTICO_UPLOAD": f"{tmp_path}/"}).body == b"None None"


def test_what_a_killed_worker_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / f"{ended().pid}-left").touch()
    (tmp_path / f"{os.getpid()}-under-way").touch()
    request(app, {"PORTICO_UPLOAD": f"{tmp_path}/", "REQUEST_METHOD": "POST"}, b"x")
    assert [path.name for path in tmp_path.iterdir()] == [f"{os.getpid()}-under-way"]


def test_a_full_disk_is_507_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfileobj", full)
    outcome = request(app, {"PORTICO_UPLOAD": f"{tmp_path}/", "REQUEST_METHOD": "POST"}, DATA)
    assert "507" in outcome.head.splitlines()[0]
    assert "No space left" in outcome.log[0]
    assert not list(tmp_path.iterdir())
