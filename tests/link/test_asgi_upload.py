"""An upload as a file for an ASGI app: nginx's own, or one of the worker's."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

import pytest

from portico.link import upload
from tests.link.test_asgi_exchange import LOG, Site, ok, part, start, until
from tests.link.test_asgi_exchange import log as log
from tests.link.test_asgi_exchange import runner as runner
from tests.link.test_exchange import Lines
from tests.support.process import ended

DATA = os.urandom(700_001)


async def view(scope: Any, receive: Any, send: Any) -> None:
    """Says where the file is, and whether body and file are what was sent."""
    path = scope["extensions"].get("portico.upload", {}).get("path")
    whole = path and Path(path).read_bytes()
    body, more = b"", True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    await start(send)
    await part(send, f"{path} {whole == (path and body)} {len(body)}".encode(), False)


def post(site: Site, body: bytes, where: str, length: int | None = None) -> Any:
    size = str(len(body) if length is None else length)
    return site.get(body, REQUEST_METHOD="POST", CONTENT_LENGTH=size, PORTICO_UPLOAD=where)


@pytest.mark.parametrize("size", [1, 2, 65_536, 700_001])
def test_the_body_is_in_a_file_of_the_worker_s_until_the_answer_is_made(
    runner: asyncio.Runner, log: Lines, tmp_path: Path, size: int
) -> None:
    async def ask() -> tuple[bytes, bool]:
        answer: tuple[bytes, bool] = await post(Site(view, LOG), DATA[:size], f"{tmp_path}/")
        return answer

    data, is_whole = runner.run(ask())
    path, same, length = data.rpartition(b"\r\n")[2].decode().split()
    assert is_whole
    assert (Path(path).parent, same, length) == (tmp_path, "True", str(size))
    assert not list(tmp_path.iterdir())
    assert not log.lines


@pytest.mark.parametrize("size", [1, 700_001])
def test_the_file_of_nginx_is_the_body_and_is_left_to_nginx(
    runner: asyncio.Runner, log: Lines, tmp_path: Path, size: int
) -> None:
    (tmp_path / "0001").write_bytes(DATA[:size])

    async def ask() -> tuple[bytes, bool]:
        answer: tuple[bytes, bool] = await post(Site(view, LOG), b"", f"{tmp_path}/0001", size)
        return answer

    data, is_whole = runner.run(ask())
    assert is_whole
    assert data.endswith(f"{tmp_path}/0001 True {size}".encode())
    assert (tmp_path / "0001").exists()
    assert not log.lines


def test_a_file_of_nginx_that_is_not_whole_or_not_there_is_refused(
    runner: asyncio.Runner, log: Lines, tmp_path: Path
) -> None:
    (tmp_path / "0001").write_bytes(b"short")

    async def ask(name: str) -> bytes:
        data, _ = await post(Site(view, LOG), b"", f"{tmp_path}/{name}", 10)
        return bytes(data)

    assert runner.run(ask("0001")) == b""
    assert runner.run(ask("0002")) == b""
    assert ["expected 10" in log.lines[0], "cannot be opened" in log.lines[1]] == [True, True]


def test_a_request_without_a_body_has_no_file(runner: asyncio.Runner, log: Lines, tmp_path: Path) -> None:
    async def ask() -> bytes:
        data, _ = await Site(view, LOG).get(PORTICO_UPLOAD=f"{tmp_path}/")
        return data

    assert runner.run(ask()).endswith(b"None True 0")
    assert not log.lines


def test_a_header_of_a_client_names_no_file(runner: asyncio.Runner, log: Lines) -> None:
    async def ask() -> bytes:
        data, _ = await Site(view, LOG).get(
            b"mine", REQUEST_METHOD="POST", CONTENT_LENGTH="4", HTTP_PORTICO_UPLOAD="/etc/passwd"
        )
        return data

    assert runner.run(ask()).endswith(b"None True 4")
    assert not log.lines


def test_a_file_that_the_app_takes_away_is_its_own(
    runner: asyncio.Runner, log: Lines, tmp_path: Path
) -> None:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        Path(scope["extensions"]["portico.upload"]["path"]).rename(tmp_path / "kept")
        await ok(send)

    (tmp_path / "uploads").mkdir()

    async def ask() -> tuple[bytes, bool]:
        answer: tuple[bytes, bool] = await post(Site(app, LOG), DATA, f"{tmp_path}/uploads/")
        return answer

    assert runner.run(ask())[1]
    assert (tmp_path / "kept").read_bytes() == DATA
    assert not list((tmp_path / "uploads").iterdir())
    assert not log.lines


def test_what_a_client_did_not_finish_and_a_killed_worker_left_is_removed(
    runner: asyncio.Runner, log: Lines, tmp_path: Path
) -> None:
    (tmp_path / f"{ended().pid}-left").touch()

    async def play() -> None:
        site = Site(view, LOG)
        peer = await site.ask(
            b"x" * 1000, REQUEST_METHOD="POST", CONTENT_LENGTH="2000", PORTICO_UPLOAD=f"{tmp_path}/"
        )
        await until(lambda: [one.stat().st_size for one in tmp_path.iterdir()] == [1000])
        peer.close()
        await until(lambda: not site.server.unfinished)

    runner.run(play())
    assert not list(tmp_path.iterdir())
    assert not log.lines


def test_a_full_disk_is_507_and_leaves_nothing(
    runner: asyncio.Runner, log: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = upload.make

    def full(directory: str) -> tuple[int, Path]:
        number, path = made(directory)
        os.close(number)
        return os.open("/dev/full", os.O_WRONLY), path

    monkeypatch.setattr(upload, "make", full)

    async def ask() -> tuple[bytes, bool]:
        answer: tuple[bytes, bool] = await post(Site(view, LOG), DATA, f"{tmp_path}/")
        return answer

    data, is_whole = runner.run(ask())
    assert data.startswith(b"HTTP/1.1 507 ")
    assert is_whole
    assert os.strerror(errno.ENOSPC) in log.lines[0]
    assert not list(tmp_path.iterdir())
