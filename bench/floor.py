"""The floor: the same app called in-process, with an environ like nginx's and no server at all.

Run as a program (`python -m bench.floor KEY SECONDS`) by the peers' own Python, so it imports little.
"""

from __future__ import annotations

import asyncio
import importlib
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.workloads import WORKLOADS, Workload

APPS = Path(__file__).with_name("apps")

Environ = dict[str, Any]
App = Callable[[Environ, Callable[..., object]], Iterable[bytes]]

_SENT_BY_NGINX: Environ = {
    "QUERY_STRING": "",
    "CONTENT_TYPE": "",
    "CONTENT_LENGTH": "",
    "SCRIPT_NAME": "",
    "DOCUMENT_ROOT": "/srv",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REQUEST_SCHEME": "http",
    "REMOTE_ADDR": "127.0.0.1",
    "REMOTE_PORT": "40000",
    "SERVER_PORT": "8080",
    "SERVER_NAME": "127.0.0.1",
    "HTTP_HOST": "127.0.0.1:8080",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}


@dataclass(frozen=True)
class Floor:
    """CPU microseconds a call, and the size of the answer: what every peer must give, too."""

    cpu_us: float
    body_bytes: int


def floor(python: Path, workload: Workload, seconds: float) -> Floor:
    """Measured in a fresh interpreter `python`."""
    argv = [str(python), "-m", "bench.floor", workload.key, str(seconds)]
    done = subprocess.run(argv, cwd=APPS.parent.parent, capture_output=True, text=True, check=True)
    return Floor(**json.loads(done.stdout))


def call_repeatedly(app: App, workload: Workload, seconds: float) -> Floor:
    environ = _environ(workload)
    body = b"x" * workload.body_bytes
    answer = _call(app, environ, body)
    _call_for(app, environ, body, seconds / 4)
    before = time.process_time()
    calls = _call_for(app, environ, body, seconds)
    return Floor((time.process_time() - before) / calls * 1e6, len(answer))


def _environ(workload: Workload) -> Environ:
    sent = _SENT_BY_NGINX | {
        "REQUEST_METHOD": workload.method,
        "PATH_INFO": workload.path,
        "REQUEST_URI": workload.path,
    }
    if workload.body_bytes:
        sent |= {"CONTENT_LENGTH": str(workload.body_bytes), "CONTENT_TYPE": "application/octet-stream"}
    return sent


def _call_for(app: App, environ: Environ, body: bytes, seconds: float) -> int:
    calls = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        _call(app, environ, body)
        calls += 1
    return calls


def _call(app: App, environ: Environ, body: bytes) -> bytes:
    response = app(environ | {"wsgi.input": io.BytesIO(body)}, _start_response)
    try:
        return b"".join(response)
    finally:
        getattr(response, "close", bool)()


def _start_response(_status: str, _headers: list[tuple[str, str]], _exc_info: object = None) -> None:
    """What a server would do with status and headers is no part of the floor."""


async def call_asgi_repeatedly(app: Any, workload: Workload, seconds: float) -> Floor:
    """The same for an ASGI app."""
    body = bytearray()
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
        "method": workload.method, "scheme": "http", "path": workload.path, "raw_path": workload.path.encode(),
        "query_string": b"", "root_path": "", "headers": [(b"host", b"127.0.0.1:8080")],
        "client": ("127.0.0.1", 40000), "server": ("127.0.0.1", 8080), "state": {},
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        body.extend(message.get("body", b""))

    async def call_for(seconds: float) -> int:
        calls, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            body.clear()
            await app(scope | {"headers": [*scope["headers"]]}, receive, send)
            calls += 1
        return calls

    await call_for(seconds / 4)
    before = time.process_time()
    calls = await call_for(seconds)
    return Floor((time.process_time() - before) / calls * 1e6, len(body))


def _main() -> None:
    key, seconds = sys.argv[1], float(sys.argv[2])
    sys.path.insert(0, str(APPS))
    workload = next(each for each in WORKLOADS if each.key == key)
    app = importlib.import_module(workload.app).app
    if workload.app == "app":
        found = call_repeatedly(app, workload, seconds)
    else:
        found = asyncio.run(call_asgi_repeatedly(app, workload, seconds))
    print(json.dumps(asdict(found)))


if __name__ == "__main__":
    _main()
