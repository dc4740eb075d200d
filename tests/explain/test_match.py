"""Which server and which location answer: what the pure rules say, beside what a real nginx did."""

from __future__ import annotations

import http.client
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from portico.explain.nginx.locations import rule
from portico.explain.nginx.match import verdict
from portico.explain.nginx.paths import normalised
from portico.explain.nginx.read import read
from portico.explain.node import Node
from portico.explain.verdict import Asked, NoServerError
from portico.place.probe import probe
from tests.support import free_port, private_directory
from tests.support.process import running
from tests.support.until import until

SEGMENTS = ["a", "b", "ab", "c", "static", "img", "x.css", "y.php"]
PATTERNS = [
    r"\.css$",
    r"\.php$",
    r"^/a",
    r"b",
    r"^/static/.*\.css$",
    r"IMG",
    r"/(a|b)/$",
    r"\\.css$",
    r"c/?$",
    r"^/a/(?<rest>.*)$",
]
NAMES = [
    "a.example",
    "b.example",
    "*.example",
    "*.a.example",
    "www.*",
    r"~^www\d+\.example$",
    "~example$",
    ".b.example",
]
HOSTS = [
    "a.example", "b.example", "x.example", "x.a.example", "y.x.a.example", "www.org", "www.a.example", "www1.example",
    "B.Example", "z.b.example", "other.org", "a.example.",
]  # fmt: skip
SERVERS, PATHS, NAMED = 60, 40, 9


class Stand(NamedTuple):
    """A running nginx, its configuration as we read it, and its two ports."""

    root: Node
    ports: tuple[int, int]


def path(dice: random.Random) -> str:
    words = [dice.choice(SEGMENTS) for _ in range(dice.randint(0, 4))]
    return "/" + "/".join(words) + dice.choice(["", "/"] if words else [""])


def asked_path(dice: random.Random) -> str:
    made = path(dice)
    twist = dice.random()
    if twist < 0.1:
        made = made.replace("/", "//", 1)
    elif twist < 0.2:
        made += (
            dice.choice(["../b", "./a", "a/../b/", "%61", "b%2Fc", "?q=/a", "..", "."])
            if made.endswith("/")
            else "?x"
        )
    return made


def location(dice: random.Random, name: str, depth: int, under: str | None = "") -> list[str]:
    """`under` is the prefix of the one around it, None when that is a pattern: only patterns may stand in one."""
    kind = dice.choice(["~", "~*"] if under is None else ["", "", "", "=", "^~", "~", "~*"])
    inside: str | None = None
    if kind in ("~", "~*"):
        pattern = dice.choice(PATTERNS)
    else:
        pattern = inside = (under or "").rstrip("/") + path(dice)
    lines = [f'location {kind} "{pattern}" {{', f'return 200 "{name}";']
    if dice.random() < 0.15:
        lines.append("proxy_pass http://127.0.0.1:9;")
    if depth and kind != "=" and dice.random() < 0.4:
        for number in range(dice.randint(1, 3)):
            lines += location(dice, f"{name}.{number}", depth - 1, inside)
    return [*lines, "}"]


def locations(dice: random.Random, name: str) -> list[str]:
    """Without two that say the same, which nginx refuses."""
    made, seen = list[str](), set[str]()
    for number in range(dice.randint(1, 7)):
        block = location(dice, f"{name}.{number}", 2)
        heads = [line.replace(" ^~ ", "  ") for line in block if line.startswith("location")]
        if len(set(heads)) == len(heads) and not seen & set(heads):
            made += block
            seen |= set(heads)
    return made


def configuration(directory: Path, ports: tuple[int, int]) -> str:
    dice = random.Random(7)
    lines = [
        "daemon off;",
        f"pid {directory}/pid;",
        "events {}",
        "http {",
        "access_log off;",
        "merge_slashes on;",
    ]
    links = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    lines += [f"{link}_temp_path {directory}/{link};" for link in links]
    for number in range(SERVERS):
        lines += [
            f"server {{ listen 127.0.0.1:{ports[0]}; server_name s{number}.test;",
            *locations(dice, f"s{number}"),
            "}",
        ]
    shuffled = dice.sample(NAMES, len(NAMES))
    for number in range(NAMED):
        names = (
            [shuffled[number - 1], *dice.sample(NAMES, dice.randint(0, 1))] if number else ["first.example"]
        )
        where = f"127.0.0.1:{ports[1]}" + (" default_server" if number == 3 else "")
        lines.append(
            f'server {{ listen {where}; server_name {" ".join(names)}; location / {{ return 200 "n{number}"; }} }}'
        )
    return "\n".join([*lines, "}"])


@pytest.fixture(scope="module", params=["embedded", "system"])
def stand(request: pytest.FixtureRequest) -> Iterator[Stand]:
    nginx = probe("nginx", request.param, Path.cwd(), "x").gateway.path
    with private_directory() as directory:
        ports = (free_port(), free_port())
        file = directory / "nginx.conf"
        file.write_text(configuration(directory, ports))
        user = ["-g", "user root;"] if os.geteuid() == 0 else []
        argv = [nginx, "-p", str(directory), "-c", str(file), "-e", str(directory / "error.log"), *user]
        with running(argv) as process:
            until(lambda: process.poll() is not None or ask(ports[0], "s0.test", "/") is not None)
            assert process.poll() is None, (directory / "error.log").read_text()
            yield Stand(read(file), ports)


def ask(port: int, host: str, target: str) -> tuple[int, str] | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest("GET", target, skip_host=True)
        connection.putheader("Host", host)
        connection.endheaders()
        response = connection.getresponse()
        return response.status, response.read().decode()
    except ConnectionRefusedError:
        return None
    finally:
        connection.close()


def test_locations_are_those_that_nginx_chose(stand: Stand) -> None:
    dice = random.Random(11)
    kinds = set[str]()
    for number in range(SERVERS):
        host = f"s{number}.test"
        for _ in range(PATHS):
            target = asked_path(dice)
            really = ask(stand.ports[0], host, target)
            assert really is not None
            status, body = really
            try:
                found = verdict(stand.root, Asked("GET", "http", host, stand.ports[0], target, "127.0.0.1"))
            except ValueError:
                assert status == 400, target
                continue
            where = f"{host} {target}: {found.location_why}"
            if status == 301:
                assert "redirects" in found.location_why, where
            elif status == 404:
                assert found.location is None, where
            else:
                assert found.location is not None, where
                assert found.location.all("return")[0].args == ("200", body), where
                kinds.add(rule(found.location).kind)
            every = [node for node, _ in found.server.walk() if node.name == "location"]
            assert [lost.node for lost in found.locations_lost] == [
                node for node in every if node is not found.location
            ]
            assert all(lost.why for lost in found.locations_lost)
    assert kinds == {"", "=", "^~", "~", "~*"}


def test_servers_are_those_that_nginx_chose(stand: Stand) -> None:
    chosen = set()
    for host in HOSTS:
        really = ask(stand.ports[1], host, "/")
        found = verdict(stand.root, Asked("GET", "http", host, stand.ports[1], "/", "127.0.0.1"))
        assert found.location is not None
        assert really == (200, found.location.all("return")[0].args[1]), f"{host}: {found.server_why}"
        assert len(found.servers_lost) == SERVERS + NAMED - 1
        chosen.add(really)
    assert len(chosen) > 4


def test_nobody_listens_there(stand: Stand) -> None:
    with pytest.raises(NoServerError, match="nothing listens on port 1"):
        verdict(stand.root, Asked("GET", "http", "a.example", 1, "/"))


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/a/./b/../c", "/a/c"), ("/a//b", "/a/b"), ("/%61?x=/../", "/a"), ("/a/..", "/"), ("/a/.", "/a/"),
        ("/a%2Fb", "/a/b"), ("/a%2e%2e", "/a.."), ("/static/%2e%2e/x", "/x"),
    ],
)  # fmt: skip
def test_paths_as_nginx_compares_them(target: str, path: str) -> None:
    assert normalised(target) == path


@pytest.mark.parametrize("target", ["/..", "/a/../..", "/%zz", "/%00"])
def test_paths_that_nginx_refuses(target: str) -> None:
    with pytest.raises(ValueError):
        normalised(target)
