"""What nginx refuses by the app's own rules, the app would have refused: the frameworks' own routers are asked."""

from __future__ import annotations

import http.client
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portico.explain.nginx.conditions import value
from portico.explain.node import Node
from portico.place.probe import probe
from portico.plan.decide import decided
from portico.plan.gateway.nginx.allow_list import allow_list_maps
from portico.plan.gateway.nginx.syntax import quote
from portico.site.model import Site
from portico.site.options import Options
from portico.site.options.guard import Guard
from tests.plan.allow_list_apps import APPS, App
from tests.plan.test_golden import PLACE
from tests.routers import Table, _node, asked_paths
from tests.support import free_port, private_directory
from tests.support.process import Program, running
from tests.support.until import until

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "BREW")
ON = Options(guard=Guard(routes=True))


def http_of(app: App, options: Options = ON) -> Node:
    """The maps of a site with that app, as nginx has them."""
    web = decided(Site(options, app.facts, "/srv", "a"), PLACE)
    return Node("http", children=tuple(map(_node, allow_list_maps(web))))


def refused(maps: Node, path: str, method: str) -> str:
    return value(maps, "$portico_unlisted", {"uri": path, "request_method": method}) or ""


@pytest.mark.parametrize("framework", APPS)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(dice=st.randoms(use_true_random=False))
def test_what_is_refused_the_app_would_have_refused(framework: str, dice: Random) -> None:
    app = APPS[framework](dice)
    maps = http_of(app)
    if not maps.children:
        return  # a rule takes every path
    table = Table(app.facts, lambda *_: None, dict.fromkeys(app.rules, frozenset()))
    for path in asked_paths(dice, table, 12):
        for method in METHODS:
            if not (said := refused(maps, path, method)):
                continue
            status, allow = app.ask(path, method)
            assert status in (404, 405), (path, method, said, status, app.facts.unrouted)
            if status == 405:
                known = value(maps, "$portico_known", {"uri": path}) or ""
                assert set(allow.split(", ")) <= set(known.split(", ")), (path, method, allow, known)


def test_most_of_what_the_app_refuses_is_refused() -> None:
    """A list that lets everything through would pass the test above."""
    refusals, found = 0, 0
    for framework, make in APPS.items():
        for number in range(6):
            dice = Random(f"most {framework} {number}")
            app = make(dice)
            maps = http_of(app)
            table = Table(app.facts, lambda *_: None, dict.fromkeys(app.rules, frozenset()))
            for path in asked_paths(dice, table, 15) if maps.children else ():
                if app.ask(path, "GET")[0] == 404:
                    refusals, found = refusals + 1, found + (refused(maps, path, "GET") == "404")
    assert refusals > 100
    assert found > refusals * 0.8


@pytest.mark.parametrize("build", ["embedded", "system"])
def test_nginx_itself_refuses_as_the_pure_rules_say(build: str) -> None:
    made = [
        (name, make(Random(f"nginx {name} {number}"))) for name, make in APPS.items() for number in range(5)
    ]
    listed = [(app, maps) for _, app in made if (maps := http_of(app)).children]
    assert len(listed) > 10
    dice, seen = Random(7), set[str]()
    with _nginx(build, [_fragment(maps, number) for number, (_, maps) in enumerate(listed)]) as port:
        for number, (app, maps) in enumerate(listed):
            table = Table(app.facts, lambda *_: None, dict.fromkeys(app.rules, frozenset()))
            for path in asked_paths(dice, table, 12):
                for method in ("GET", "POST", "BREW"):
                    wanted = refused(maps, path, method)
                    assert _asked(port, number, path, method) == f"<{wanted}>", (path, method)
                    seen.add(wanted)
    assert seen == {"", "404", "405"}


def _fragment(maps: Node, number: int) -> str:
    """The maps, and a location that says what they make of a request."""
    text = "\n".join(_block(node) for node in maps.children or ())
    where = 'location / { return 200 "<$portico_unlisted>"; }'
    server = f"server {{ server_name s{number}; listen 127.0.0.1:PORT; {where} }}"
    guard = 'map "" $portico_guard { default ""; }'
    return f"{guard}\n{text}\x00{server}".replace("portico_", f"n{number}_")


def _block(node: Node) -> str:
    if node.children is None:
        return f"{quote(node.name)} {' '.join(map(quote, node.args))};"
    return f"{node.text} {{ {' '.join(map(_block, node.children))} }}"


def _asked(port: int, number: int, path: str, method: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        encoded = "".join(f"%{byte:02x}" if byte != 47 else "/" for byte in path.encode())
        connection.request(method, encoded, headers={"Host": f"s{number}"})
        return connection.getresponse().read().decode()
    finally:
        connection.close()


@contextmanager
def _nginx(build: str, fragments: list[str]) -> Iterator[int]:
    path = probe("nginx", build, Path.cwd(), "x").gateway.path
    with private_directory() as directory:
        port = free_port()
        parts = [fragment.replace("PORT", str(port)).split("\x00") for fragment in fragments]
        links = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        lines = [
            "daemon off;", f"pid {directory}/pid;", "events {}", "http {", "access_log off;", "merge_slashes off;",
            "map_hash_bucket_size 512;", "variables_hash_max_size 4096;", "variables_hash_bucket_size 128;",
            *(f"{link}_temp_path {directory}/{link};" for link in links),
            *(maps for maps, _ in parts), *(server for _, server in parts), "}",
        ]  # fmt: skip
        file = directory / "nginx.conf"
        file.write_text("\n".join(lines))
        user = ["-g", "user root;"] if os.geteuid() == 0 else []
        with running([path, "-p", directory, "-c", file, "-e", directory / "error.log", *user]) as process:
            until(lambda: _answers(process, port, directory))
            yield port


def _answers(process: Program, port: int, directory: Path) -> bool:
    assert process.poll() is None, (directory / "error.log").read_text()
    try:
        return bool(_asked(port, 0, "/", "GET"))
    except ConnectionRefusedError:
        return False
