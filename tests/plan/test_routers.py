"""The locations of a plan and the app's own router agree on every path, whatever the routes are."""

from __future__ import annotations

import http.client
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from portico.explain.nginx.locations import find_location
from portico.explain.node import Node
from portico.place.probe import probe
from portico.plan.gateway.nginx.syntax import quote
from portico.site.access.spelling import holding
from tests.routers import TABLES, asked_paths, closed_site_of, differences, settings_of, site_of, tree_of
from tests.support import free_port, private_directory
from tests.support.process import Program, running

APPS, PATHS = 12, 40
"""`python -m tests.routers 10000` asks for more."""


@pytest.mark.parametrize("framework", TABLES)
def test_a_setting_is_given_to_the_paths_that_its_view_answers_and_to_no_others(framework: str) -> None:
    answered = 0
    for seed in range(APPS):
        count, found = differences(framework, seed, PATHS)
        answered += count
        assert not found, found[0]
    assert answered > APPS * PATHS / 10


@pytest.mark.parametrize("build", ["embedded", "system"])
def test_nginx_itself_chooses_as_the_pure_rules_say(build: str) -> None:
    dice, kinds = random.Random(5), set[frozenset[str]]()
    tables = [
        make(random.Random(f"nginx {name} {number}")) for name, make in TABLES.items() for number in range(4)
    ]
    trees = [(table, tree_of(site_of(table))) for table in tables]
    with _nginx(build, [tree for _, tree in trees]) as ports:
        for (table, tree), port in zip(trees, ports, strict=True):
            for path in asked_paths(dice, table, 25):
                wanted = _word(find_location(tree, path)[0])
                assert _ask(port, path) == wanted, path
                kinds.add(frozenset(wanted.split()))
    assert len(kinds) > 4


def _ask(port: int, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", "".join(f"%{byte:02x}" if byte != 47 else "/" for byte in path.encode()))
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def _word(location: Node | None) -> str:
    return " ".join(sorted(settings_of(location))) or "none"


def _locations(node: Node) -> Iterator[str]:
    """The same locations, each of which answers with the settings that it has."""
    for location in node.all("location"):
        if not location.args[0].startswith("@"):
            yield f"location {' '.join(map(quote, location.args))} {{ return 200 {quote(_word(location))};"
            yield from _locations(location)
            yield "}"


@contextmanager
def _nginx(build: str, trees: list[Node]) -> Iterator[list[int]]:
    path = probe("nginx", build, Path.cwd(), "x").gateway.path
    with private_directory() as directory:
        ports = [free_port() for _ in trees]
        links = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        lines = [
            "daemon off;",
            f"pid {directory}/pid;",
            "events {}",
            "http {",
            "access_log off;",
            "merge_slashes off;",
        ]
        lines += [f"{link}_temp_path {directory}/{link};" for link in links]
        for port, tree in zip(ports, trees, strict=True):
            lines += [f"server {{ listen 127.0.0.1:{port};", *_locations(tree), "}"]
        file = directory / "nginx.conf"
        file.write_text("\n".join([*lines, "}"]))
        user = ["-g", "user root;"] if os.geteuid() == 0 else []
        with running([path, "-p", directory, "-c", file, "-e", directory / "error.log", *user]) as process:
            _wait(process, ports[-1], directory)
            yield ports


def _wait(process: Program, port: int, directory: Path) -> None:
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        assert process.poll() is None, (directory / "error.log").read_text()
        try:
            _ask(port, "/")
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("nginx does not answer")


@pytest.mark.parametrize("framework", TABLES)
def test_a_view_that_is_internal_is_reached_by_no_spelling_of_its_path(framework: str) -> None:
    """Whatever path the app's own router gives to the view, a rule of who may come holds for it."""
    reached = 0
    for seed in range(APPS):
        dice = random.Random(f"internal {framework} {seed}")
        table = TABLES[framework](dice)
        site = closed_site_of(dice, table)
        if site is None:
            continue
        for path in asked_paths(dice, table, PATHS):
            for method in table.methods:
                if table.answers(path, method) in site.closed:
                    reached += 1
                    assert list(holding(site.rules, path)), (path, method, [rule.what for rule in site.rules])
    assert reached > APPS
