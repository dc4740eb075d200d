"""What is attacked: a real site for each link and each build of nginx."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portico.log.request import as_json
from tests.attack import apps
from tests.support import Served, free_port, served

LINKS = ("gunicorn", "uwsgi", "asgi", "http", "fastcgi")
BUILDS = ("embedded", "system")
APACHE = "apache"
"""Apache httpd, in the place of a build of nginx."""
NAMELESS = "-"
"""The id in httpd's line of a request that it could not read; the client is told one nevertheless."""
SECRET = "the-secret-of-this-site"
STRANGER = "10.0.0.0/8"
"""Proxies that are declared in the second half of the attacks; the attacker is not among them."""
FILES = {
    "static/app.css": "body { color: teal }\n",
    "static/.env": SECRET,
    "static/.git/config": SECRET,
    "static/x.py": SECRET,
    "static/x.pyc": SECRET,
    "static/page.j2": SECRET,
    "static/app.css.bak": SECRET,
    "static/app.css~": SECRET,
    "static/deep/.htpasswd": SECRET,
    "static/deep/y.py": SECRET,
    "settings.py": SECRET,
    "instance/app.db": SECRET,
    ".env": SECRET,
}


@dataclass(frozen=True)
class Target:
    """One running site. `calls` gives each call of the app; `secure` is the port of HTTPS, 0 without.

    `mirror` is the app of a server elsewhere.
    """

    name: str
    run: Served
    calls: Callable[[], list[apps.Call]]
    secure: int = 0
    mirror: apps.Mirror | None = None
    is_httpd: bool = False
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def addresses(self, count: int) -> list[str]:
        """Clients' addresses on loopback that nobody has used at this site: 127.1.0.0 and on."""
        numbers = itertools.islice(self._numbers, count)
        return [f"127.{1 + (one >> 16)}.{one >> 8 & 255}.{one & 255}" for one in numbers]

    def told(self, path: str, headers: dict[str, str]) -> dict[str, Any]:
        """What the app was told, without what differs from request to request."""
        answer = self.run.get(path, headers=headers)
        if answer.status_code != 200:
            return {"status": answer.status_code}
        found: dict[str, Any] = answer.json()["told"]
        noise = (
            "HTTP_X_REQUEST_ID",
            "HTTP_X_PORTICO_MSEC",
            "HTTP_X_PORTICO_BEGAN",
            "PORTICO_MSEC",
            "REMOTE_PORT",
        )
        port = f" {found.get('REMOTE_PORT')} "  # in PORTICO_PEER: each request has a connection of its own
        return {
            name: value.replace(port, " ") if isinstance(value, str) else value
            for name, value in found.items()
            if name not in noise
        }

    def get(self, path: str, name: str, value: str) -> bytes:
        """The answer to a request with that header, spelled as no library would let us."""
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.run.port}\r\nConnection: close\r\n"
        return self.run.raw(f"{head}{name}: {value}\r\n\r\n".encode())

    def logged(self, ids: set[str], seconds: float = 60) -> list[dict[str, Any]]:
        """nginx's own log, as soon as these requests are in it; a worker writes its lines every quarter of a second.

        When one of them is not in time, what there is: somebody else read that request.
        """
        give_up = time.monotonic() + seconds
        while True:
            lines = _lines(self.run.state / "access.log")
            nameless = sum(line["id"] == NAMELESS for line in lines)
            missing = len(ids - {line["id"] for line in lines})
            if missing <= nameless or time.monotonic() > give_up:
                return lines
            time.sleep(0.1)


def _lines(file: Path) -> list[dict[str, Any]]:
    """Each byte a character, as the apps are told it."""
    whole = file.read_bytes().rpartition(b"\n")[0]
    return [json.loads(as_json(line).encode().decode("latin-1")) for line in whole.splitlines()]


@contextmanager
def target(link: str, build: str, *words: str) -> Iterator[Target]:
    """A site of that link behind that build of nginx; with "https" as a word it has HTTPS and HTTP/2."""
    name = " ".join((link, build, *words))
    secure = free_port() if "https" in words else 0
    gateway = ["--gateway", build] if build == APACHE else ["--nginx", build]
    flags = [*gateway, *(word for word in words if word != "https")]
    if secure:
        flags += ["--https", "local", "--https-http2", "on", "--https-listen", f"127.0.0.1:{secure}"]
    if link in ("http", "fastcgi"):
        with _elsewhere(link) as (mirror, port):
            text = f'[upstream]\nservers = ["{link}://127.0.0.1:{port}"]\n'
            with served({"portico.toml": text}, *flags) as run:
                mirror.seen.clear()
                yield Target(name, run, lambda: list(mirror.seen), secure, mirror, build == APACHE)
        return
    code = apps.ASGI if link == "asgi" else apps.WSGI
    toml = '[static]\n"/static/" = "static"\n'
    flags += ("--workers-server", "uwsgi") if link == "uwsgi" else ()
    with served({"app.py": code, "portico.toml": toml, **FILES}, *flags) as run:
        (run.directory / "static/out").symlink_to("..")
        (run.directory / "static/settings.txt").symlink_to("../settings.py")
        (run.directory / "seen.txt").unlink(missing_ok=True)
        yield Target(name, run, lambda: apps.seen(run.directory), secure, None, build == APACHE)


@contextmanager
def _elsewhere(link: str) -> Iterator[tuple[apps.Mirror, int]]:
    mirror, port = apps.Mirror(), free_port()
    handler = apps.http(mirror) if link == "http" else apps.fastcgi(mirror)
    with apps.Server(("127.0.0.1", port), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield mirror, port
        server.shutdown()
