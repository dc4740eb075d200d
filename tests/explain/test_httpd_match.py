"""Which virtual host and line answer: what the pure rules say, beside what a real httpd did."""

from __future__ import annotations

import http.client
import http.server
import itertools
import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from portico.explain.httpd.match import verdict
from portico.explain.httpd.read import read
from portico.explain.node import Node
from portico.explain.verdict import Asked, Verdict
from tests.support import free_port, private_directory
from tests.support.httpd import PROGRAM, loads
from tests.support.process import running
from tests.support.until import until

MODULES = loads(
    "mpm_event",
    "authz_core",
    "authz_host",
    "alias",
    "dir",
    "env",
    "headers",
    "proxy",
    "proxy_http",
    "rewrite",
    "setenvif",
)
FOLDERS, FILES = ["a", "b", "ab", "static"], ["x.css", "y.html"]
PATTERNS = [r"\.css$", "^/a", "b", "^/static/(.*)$", "^/(a|b)/(.*)$", "/$", "^/ab/?$", "(?i)STATIC"]
NAMES = ["a.example", "b.example", "*.example", "*.a.example", "www.*", "c.example", "x?.example"]
HOSTS = [
    "a.example",
    "b.example",
    "x.example",
    "x.a.example",
    "www.org",
    "x1.example",
    "B.Example",
    "other.org",
    "c.example.",
]
CERTAIN = ["127.0.0.2", "127.0.0.3"]
SERVERS, PATHS = 80, 16


class Stand(NamedTuple):
    """A running httpd, its configuration as we read it, and its two ports."""

    root: Node
    ports: tuple[int, int]


def path(dice: random.Random, *, ends: bool = False) -> str:
    words = [dice.choice(FOLDERS) for _ in range(dice.randint(0, 3))]
    made = "/" + "/".join(words)
    if ends:
        return (made.rstrip("/") + "/") + dice.choice(["", *FILES])
    return made + dice.choice(["", "/"] if words else [""])


def asked_path(dice: random.Random) -> str:
    made, twist = path(dice, ends=True), dice.random()
    if twist < 0.1:
        return made.replace("/", "//", 1)
    if twist < 0.2 and made.endswith("/"):
        return made + dice.choice(["../b/", "./a/", "a/../b/", "%61/", "?q=/a", "a%2Fb/", "../../../../"])
    return made + ("?" + dice.choice(["q=1", "old"]) if twist < 0.3 else "")


def source(dice: random.Random, name: str, base: Path, backend: str) -> list[str]:
    """One line that may answer."""
    kind = dice.choice(
        ["proxy", "proxy", "alias", "alias", "redirect", "match", "except", "rewrite", "rewrite"]
    )
    prefix, pattern, root = path(dice), dice.choice(PATTERNS), f"{base}/{dice.choice('12')}"
    end, status = (
        "/" if prefix.endswith("/") else "",
        dice.choice(["", "301 ", "permanent ", "seeother ", "307 "]),
    )
    if kind == "rewrite":
        return rewriting(dice, name, pattern, backend)
    choices = {
        "proxy": [
            f"ProxyPass {prefix} {backend}/{name}{dice.choice(['', '/'])} retry=0",
            f'ProxyPassMatch "{pattern}" {backend}/{name}/$1',
        ],
        "except": [f"ProxyPass {prefix} !"],
        "alias": [f"Alias {prefix} {root}{end}", f'AliasMatch "{pattern}" {root}/a/$1'],
        "redirect": [
            f"Redirect {status}{prefix} http://{name}.test/r",
            f"Redirect gone {prefix}",
            f"RedirectPermanent {prefix} http://{name}.test/p",
        ],
        "match": [f'RedirectMatch 302 "{pattern}" http://{name}.test/m/$1'],
    }
    return [dice.choice(choices[kind])]


def rewriting(dice: random.Random, name: str, pattern: str, backend: str) -> list[str]:
    conditions = [
        "RewriteCond %{REQUEST_METHOD} =GET", "RewriteCond %{QUERY_STRING} ^q=(.)",
        "RewriteCond %{REQUEST_URI} !^/static", "RewriteCond %{HTTPS} on [NC]", "RewriteCond %{SERVER_PORT} -gt80",
        "RewriteCond %{HTTP_USER_AGENT} curl [NC,OR]\nRewriteCond %{REQUEST_URI} css",
        "RewriteCond expr \"%{QUERY_STRING} == 'old'\"", "RewriteCond %{ENV:SEEN} =1",
        "RewriteCond expr \"reqenv('SEEN') == ''\"", "RewriteCond expr \"req_novary('Content-Length') -gt 9\"",
    ]  # fmt: skip
    ends = [
        f"http://{name}.test/w/$1-%1 [R=301,L]", "- [F]", f"{backend}/{name}w/$1 [P]", "/b/a/ [PT]", "/static/ab/ [L]",
        "- [C]", "/a/$1", "/a/?z=1 [QSA,PT]", f"http://{name}.test/q [R,QSD,L]",
        "- [E=SEEN:1]", "- [C,E=OTHER:2,E=SEEN:1]", "- [E=!SEEN]",
    ]  # fmt: skip
    rules = [*(f'RewriteRule "{pattern}" {end}' for end in ends), f'RewriteRule "!{pattern}" - [S=1]']
    return [*dice.sample(conditions, dice.choice([0, 0, 1, 2])), dice.choice(rules)]


def block(dice: random.Random, number: int, base: Path, backend: str) -> list[str]:
    """One block with a mark, and now and then a line that answers."""
    pattern, root = dice.choice(PATTERNS), f"{base}/{dice.choice('12')}"
    blocks = {
        "Location": [path(dice), path(dice), "/*/a/", "/a*", f'~ "{pattern}"'], "LocationMatch": [f'"{pattern}"'],
        "Directory": [root + path(dice), root + path(dice), f"{base}/*/a", "/", str(base)],
        "DirectoryMatch": ['"/a/"', '"/static"', '"/[12]/b"'], "Files": ["*.css", "x.*", "y.html"],
        "FilesMatch": ['"css$"', '"^y"'], "Proxy": ["*", backend],
        "If": ["\"%{QUERY_STRING} == 'q=1'\"", '"%{REQUEST_URI} =~ m#^/a#"',
               "\"! -z '%{QUERY_STRING}' && %{REQUEST_METHOD} == 'GET'\""],
    }  # fmt: skip
    what = dice.choice([*blocks, "Location", "Directory"])
    which, twist = dice.choice(blocks[what]), dice.random()
    inner = [f"Header always append X-Blocks {number}"]
    if what.startswith("Location") and twist < 0.3:
        to = f"http://in{number}.test/"
        inner.append(
            dice.choice([f"ProxyPass {backend}/in{number}", f"Redirect {path(dice)} {to}", "ProxyPass !"])
        )
    elif what == "Directory" and twist < 0.25 and "*" not in which:
        rules = [f"RewriteRule ^(.*\\.css)$ http://in{number}.test/$1 [R,L]", "RewriteRule ^x - [F]"]
        inner += ["RewriteEngine On", dice.choice(rules)]
    elif twist < 0.05:
        inner.append(f'SetHandler "proxy:{backend}/handler{number}"')
    return [f"<{what} {which}>", *inner, f"</{what}>"]


def configuration(base: Path, ports: tuple[int, int], backend: str) -> str:
    dice, number = random.Random(9), 0
    user = ["User nobody", "Group nogroup"] if os.geteuid() == 0 else []
    lines = [
        f"ServerRoot {base}", MODULES, *user, f"PidFile {base}/pid", f"ErrorLog {base}/error.log",
        "ServerName main.test", f"DefaultRuntimeDir {base}", f"Listen 127.0.0.1:{ports[0]}", f"Listen {ports[1]}",
        f"DocumentRoot {base}/1", "DirectorySlash Off", "StartServers 1", "ServerLimit 1", "ThreadsPerChild 25",
        "MaxRequestWorkers 25", "DirectoryIndex disabled", "KeepAliveTimeout 1", "<Directory />",
        "Require all granted", "Options FollowSymLinks", "</Directory>", "Header always set X-Server main",
        'Header always set X-File "expr=%{REQUEST_FILENAME}%{PATH_INFO}"', f"Alias /ab/static/b {base}/2/b",
    ]  # fmt: skip
    for server in range(SERVERS):
        name = f"s{server}"
        lines += [
            f"<VirtualHost 127.0.0.1:{ports[0]}>",
            f"ServerName {name}.test",
            f"Header always set X-Server {name}",
        ]
        if dice.random() < 0.7:
            lines.append(f"DocumentRoot {base}/{dice.choice('12')}")
        lines.append(dice.choice(["RewriteEngine On", "RewriteEngine On", "", "AllowEncodedSlashes On"]))
        for at in range(dice.randint(0, 5)):
            lines += source(dice, f"{name}-{at}", base, backend)
        for _ in range(dice.randint(0, 6)):
            number += 1
            lines += block(dice, number, base, backend)
        lines.append("</VirtualHost>")
    return "\n".join([*lines, *named(dice, ports[1])]) + "\n"


def named(dice: random.Random, port: int) -> list[str]:
    """Virtual hosts for addresses and names that overlap."""
    any_host, second, third = f"*:{port}", f"127.0.0.2:{port}", "127.0.0.3:*"
    where = [
        "*:*", any_host, second, second, f"_default_:{port}", third, f"127.0.0.3:{port}", any_host, any_host,
        f"{second} {third}",
    ]  # fmt: skip
    made = []
    for number, address in enumerate(where):
        aliases = " ".join(dice.sample(NAMES, 2))
        made += [
            f"<VirtualHost {address}>",
            f"Header always set X-Server n{number}",
            f"ServerAlias {aliases}",
        ]
        made += [f"ServerName {dice.choice(NAMES[:2])}"] if number != 1 else []
        made.append("</VirtualHost>")
    return made


class Echo(http.server.BaseHTTPRequestHandler):
    """A server whose answer is the path that it was asked for."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    backend = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=backend.serve_forever, daemon=True).start()
    with private_directory() as base:
        base.chmod(0o755)
        for root in "12":
            for words in itertools.product(["", *FOLDERS], repeat=4):
                folder = base.joinpath(root, *words)
                folder.mkdir(parents=True, exist_ok=True)
                for name in FILES:
                    (folder / name).touch()
        ports = (free_port(), free_port())
        file = base / "httpd.conf"
        file.write_text(configuration(base, ports, f"http://127.0.0.1:{backend.server_address[1]}"))
        try:
            with running([PROGRAM, "-f", file, "-DFOREGROUND"]) as process:
                until(lambda: process.poll() is not None or ask(ports[0], "s0.test", "/") is not None)
                assert process.poll() is None, (base / "error.log").read_text()
                yield Stand(read(file), ports)
        finally:
            backend.shutdown()
            backend.server_close()


def ask(port: int, host: str, target: str, address: str = "127.0.0.1") -> http.client.HTTPResponse | None:
    connection = http.client.HTTPConnection(address, port, timeout=30)
    try:
        connection.putrequest("GET", target, skip_host=True)
        connection.putheader("Host", f"{host}:{port}")
        connection.endheaders()
        response = connection.getresponse()
        response.read()
        return response
    except ConnectionRefusedError:
        return None
    finally:
        connection.close()


def marks(server: Node, found: Verdict) -> str:
    """The marks of the blocks that hold, in their order."""
    return ", ".join(node.args[-1] for one in found.sections for node in one.all("Header"))


def test_answers_are_those_that_httpd_gave(stand: Stand) -> None:
    dice, kinds, undecided = random.Random(11), set[str](), 0
    for number in range(SERVERS):
        host = f"s{number}.test"
        for _ in range(PATHS):
            target = asked_path(dice)
            really = ask(stand.ports[0], host, target)
            assert really is not None
            asked = Asked("GET", "http", host, stand.ports[0], target, "127.0.0.1")
            try:
                found = verdict(stand.root, asked)
            except ValueError:
                assert really.status in (400, 404), target
                continue
            assert really.getheader("X-Server") == host.partition(".")[0]
            where = f"{host} {target}: {found.location and found.location.place} {found.location_why} {found.notes}"
            if any("on more than the request line" in note or "circle" in note for note in found.notes):
                undecided += 1
                continue
            kinds.add(
                check(really, found, f"{where} {really.getheaders()} {[one.text for one in found.sections]}")
            )
    assert kinds >= {"redirect", "refused", "proxy", "file"}
    assert undecided < SERVERS * PATHS / 50


def check(really: http.client.HTTPResponse, found: Verdict, where: str) -> str:
    """Compare, and say of which kind the answer is."""
    assert (really.getheader("X-Blocks") or "") == marks(found.server, found), where
    why, file, to = found.location_why, really.getheader("X-File") or "", really.getheader("Location") or ""
    if "redirects" in why:
        assert str(really.status) == why.rpartition(" ")[2], where
        assert to.partition("?")[0] == why.partition(" to ")[2].partition(" with ")[0], where
        return "redirect"
    if "refuses" in why or "answers" in why:
        assert str(really.status) == why.rpartition(" ")[2], f"{really.status} {where}"
        return "refused"
    if "passes" in why:
        assert file.startswith("proxy:"), f"{file} {where}"
        wanted = why.rpartition(" to ")[2]
        assert file.removeprefix("proxy:").partition("?")[0] == wanted or "handler" in wanted, (
            f"{file} {where}"
        )
        return "proxy"
    assert found.location is not None, where
    if found.location.name.startswith("Alias"):
        assert file == why.rpartition(", to ")[2], f"{file} {where}"
    elif found.location.name == "DocumentRoot" and not found.notes:
        assert file == found.location.args[0] + found.uri, f"{file} {where}"
    else:
        assert not file.startswith("proxy:"), f"{file} {where}"
    return "file"


def test_virtual_hosts_are_those_that_httpd_chose(stand: Stand) -> None:
    chosen = set()
    for address in ["127.0.0.1", *CERTAIN]:
        for host in HOSTS:
            really = ask(stand.ports[1], host, "/", address)
            assert really is not None
            found = verdict(stand.root, Asked("GET", "http", host, stand.ports[1], "/", address))
            mark = next(node for node in found.server.all("Header") if node.args[2] == "X-Server").args[3]
            assert really.getheader("X-Server") == mark, f"{address} {host}: {found.server_why}"
            chosen.add(mark)
    assert len(chosen) > 3
