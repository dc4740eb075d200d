"""A small private nginx: it has the site's locations, each of which says its own name, and locations with slashes."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portico.errors import PorticoError, Problem
from portico.explain.node import Node
from portico.lessons.slash import FILES, PASSES, Tried, Variant
from portico.measure.programs import Program, Programs, Stand, stand
from portico.measure.tutorial import Block, Directive, conf

_SECONDS = 10.0
_LOOK_SECONDS = 0.02
_LOOPBACK = "127.0.0.1"
_NAMELESS = ("@", "$")
_INSIDE, _OUTSIDE = "the file a.txt of the folder", "settings.py, which is outside the folder"


class Trial:
    """It runs; each of its servers has a name of its own."""

    def __init__(self, port: int, locations: list[Node]) -> None:
        self._port, self._locations = port, locations

    def location(self, path: str) -> Node | None:
        """The location that answered; None if none did. Raises PorticoError."""
        _, body = self._get(_MIRROR, path)
        return self._locations[int(body)] if body.isdigit() else None

    def passes(self) -> list[Tried]:
        return [Tried(one, self._get(f"pass{at}", one.asked)[1]) for at, one in enumerate(PASSES)]

    def files(self) -> list[Tried]:
        return [Tried(one, _said(*self._get(f"file{at}", one.asked))) for at, one in enumerate(FILES)]

    def _get(self, host: str, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(_LOOPBACK, self._port, timeout=_SECONDS)
        try:
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace").strip()
        except (OSError, http.client.HTTPException) as error:
            raise PorticoError(Problem("nginx", f"the private one does not answer: {error}")) from None
        finally:
            connection.close()


_MIRROR = "mirror"


def _said(status: int, body: str) -> str:
    return f"{status}: {body}" if status < 400 else str(status)


def with_path(server: Node) -> list[Node]:
    """The locations that a path can lead to, those inside others too."""
    return [node for node, _ in server.walk() if node.name == "location" and _has_path(node)]


def _has_path(location: Node) -> bool:
    return bool(location.args) and not location.args[-1].startswith(_NAMELESS)


@contextmanager
def trial(binary: str, server: Node | None) -> Iterator[Trial]:
    """Runs it with the locations of that server, if there is one. Raises PorticoError."""
    locations = with_path(server) if server else []
    with stand("learn-") as own:
        (own.directory / "nginx.conf").write_text(_conf(own, server, locations))
        _write_files(own.directory)
        programs = Programs(own)
        try:
            argv = [binary, "-p", str(own.directory), "-c", "nginx.conf", "-e", "stderr"]
            programs.launch(Program("gateway", argv))
            made = Trial(own.port, locations)
            _wait(programs, made)
            yield made
        finally:
            programs.end()


def _wait(programs: Programs, made: Trial) -> None:
    ends = time.monotonic() + _SECONDS
    while True:
        try:
            made.passes()
            return
        except PorticoError:
            if time.monotonic() > ends or programs.dead():
                raise PorticoError(
                    Problem("nginx", "the private one did not start", quote=programs.last_words())
                ) from None
        time.sleep(_LOOK_SECONDS)


def _write_files(directory: Path) -> None:
    (directory / "srv" / "files").mkdir(parents=True)
    (directory / "srv" / "files" / "a.txt").write_text(_INSIDE)
    (directory / "srv" / "settings.py").write_text(_OUTSIDE)


def _conf(own: Stand, server: Node | None, locations: list[Node]) -> str:
    app = f"unix:{own.socket}"
    http: list[Directive] = [
        ("access_log", "off"),
        Block(("upstream", "app"), [("server", app)]),
        Block(("server",), [("listen", app), Block(("location", "/"), [("return", "200", "$request_uri")])]),
        *(_server(own.port, f"pass{at}", [_tried(own, one)]) for at, one in enumerate(PASSES)),
        *(_server(own.port, f"file{at}", [_tried(own, one)]) for at, one in enumerate(FILES)),
    ]
    if server:
        numbers = {id(node): number for number, node in enumerate(locations)}
        http.append(_server(own.port, _MIRROR, _mirrored(server, numbers)))
    return conf(own.directory, http, worker_connections=64)


def _server(port: int, name: str, inside: list[Directive]) -> Block:
    return Block(("server",), [("listen", f"{_LOOPBACK}:{port}"), ("server_name", name), *inside])


def _tried(own: Stand, one: Variant) -> Block:
    target = one.target if one.directive == "proxy_pass" else f"{own.directory}{one.target}"
    return Block(("location", one.location), [(one.directive, target)])


def _mirrored(above: Node, numbers: dict[int, int]) -> list[Directive]:
    """Its locations, each answering with its number, in their order and with those inside them."""
    return [
        Block(
            ("location", *node.args), [("return", "200", str(numbers[id(node)])), *_mirrored(node, numbers)]
        )
        for node in above.all("location")
        if _has_path(node)
    ]
