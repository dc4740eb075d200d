"""What `portico check --url` asks, and whom: its words, its manners, and the page that lists its codes."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from portico.check.codes import CODES, HARMS
from portico.check.outside.client import Answer, Client
from portico.check.outside.codes import OUTSIDE
from portico.check.outside.look import Look, own_path
from portico.check.outside.probe import _secured, probed
from portico.check.outside.target import Target, UnreachableError, target_of
from portico.errors import PorticoError, UsageError
from tests.live.bad_site import serving
from tests.support import free_port, portico, private_directory

ROOT = Path(__file__).parents[2]
NEAR = ("127.0.0.1", "::1", "10.1.2.3", "192.168.0.9", "169.254.1.1", "fd00::1")
FAR = ("1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "100.64.0.1", "::ffff:8.8.8.8")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://a/",
        "http://",
        "http://a b/",
        "http://u:p@a/",
        "http://a:0/",
        "http://a:x/",
        "//a/",
        "http://a\r\nb/",
    ],
)
def test_what_is_no_url_of_a_site_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="is no URL of a site"):
        target_of(url)


def test_a_url_is_read() -> None:
    one = target_of("127.0.0.1:8080")
    assert (one.scheme, one.port, one.path, one.authority) == ("http", 8080, "/", "127.0.0.1:8080")
    two = target_of("https://[::1]/a b?c=\u00e4")
    assert (two.port, two.authority, two.path) == (443, "[::1]", "/a%20b?c=%C3%A4")
    assert two.url == "https://[::1]/a%20b?c=%C3%A4"


def test_a_host_without_an_address_is_said() -> None:
    with pytest.raises(PorticoError, match="has no address"):
        target_of("http://nobody.invalid/")


@pytest.mark.parametrize("address", [*NEAR, *FAR])
def test_whose_site_it_is(address: str) -> None:
    assert Target("http", "a", 80, "/", address).is_near == (address in NEAR)


@pytest.mark.parametrize(
    ("location", "there"),
    [
        ("https://shop.invalid/", "https://shop.invalid/"),
        ("https://SHOP.invalid:8443/a?b", "https://shop.invalid:8443/a?b"),
        ("https://other.invalid/", ""),
        ("http://shop.invalid:8080/", ""),
        ("https://u:p@shop.invalid/", ""),
        ("https://[::1/", ""),
    ],
)
def test_a_redirect_leads_to_https_at_the_same_address_alone(location: str, there: str) -> None:
    """DNS is not asked again: it may answer with somebody else's address by now."""
    client = Client(Target("http", "shop.invalid", 80, "/", "127.0.0.1"))
    found = _secured(Look(client, Answer(301, (("Location", location),)), is_portico=False))
    assert (found.url if found else "") == there
    assert found is None or found.address == "127.0.0.1"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--url", "http://1.1.1.1/"), "neither this machine nor in its network"),
        (("--url", "ftp://x/"), "is no URL of a site"),
        (("--url", "http://127.0.0.1/", "app.py"), "a running site is asked, so app.py has no meaning"),
        (("--url", "http://127.0.0.1/", "--https", "local"), "so https has no meaning"),
    ],
)
def test_nothing_is_sent(words: tuple[str, ...], said: str) -> None:
    with private_directory() as directory:
        done = portico("check", *words, cwd=directory)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_a_site_that_is_not_there_is_said() -> None:
    with private_directory() as directory:
        done = portico("check", "--url", f"http://127.0.0.1:{free_port()}/", cwd=directory)
    assert done.returncode == 1
    assert "no server answers at 127.0.0.1" in done.stderr


@contextmanager
def saying(answer: bytes) -> Iterator[Client]:
    """A server that sends these bytes to whoever connects."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                connection.recv(65536)
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                connection.recv(65536)

        threading.Thread(target=serve, daemon=True).start()
        yield Client(Target("http", "127.0.0.1", listening.getsockname()[1], "/", "127.0.0.1"), 30)


@pytest.mark.parametrize(
    ("sent", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n", 413, b""),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n1;x\r\n!\r\n0\r\n\r\n",
            200,
            b"ok!",
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n", 200, b""),
        (b"HTTP/1.1 404 Not Found\r\n\r\nuntil it closes", 404, b"until it closes"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", 0, b""),
        (b"", 0, b""),
    ],
)
def test_answers_are_read(sent: bytes, status: int, body: bytes) -> None:
    with saying(sent) as client:
        answer = client.get()
    assert (answer.status, answer.body) == (status, body)


def test_a_server_that_says_nothing_is_not_waited_for_for_ever() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = Client(Target("http", "127.0.0.1", listening.getsockname()[1], "/", "127.0.0.1"), 0.2)
        assert client.get().silent


def test_no_tls_where_https_was_named() -> None:
    with saying(b"HTTP/1.1 400 Bad Request\r\n\r\n") as client:
        secure = client.target.elsewhere("https", client.target.port)
        with pytest.raises(UnreachableError, match="no TLS"):
            Client(secure, 30).get()


def test_neighbours_of_a_page_are_pages_of_the_same_site_and_end_no_session() -> None:
    target = Target("http", "shop.example", 8080, "/", "127.0.0.1")
    text = b'<a href="/a?b=1&amp;c#d"><a href="//evil.example/x"><a href="/logout"><a href="/x.css">'
    text += b'<a href="http://shop.example:8080/b"><a href="https://evil.example/"><a href="/c">'
    page = Answer(200, (("Content-Type", "text/html"),), text)
    assert Look(Client(target), page, is_portico=False).paths() == ["/", "/a?b=1&c", "/b"]
    assert own_path("javascript:alert(1)", target) == ""


def test_a_hint_names_the_option_where_portico_serves() -> None:
    target = Target("http", "a", 80, "/", "127.0.0.1")
    for is_portico, expected in ((True, "portico.toml: domains = ..."), (False, "nginx: ...")):
        look = Look(Client(target), Answer(200), is_portico)
        assert look.fault("Host", "x", "nginx: ...", "url-host", "domains = ...").hint == expected


def test_a_site_that_refuses_the_address_after_a_while_is_asked_no_more() -> None:
    counted: list[str] = []

    class Banning(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            counted.append("")
            status = b"200 OK" if len(counted) < 9 else b"403 Forbidden"
            self.wfile.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")

    with serving(Banning) as port:
        told = list[str]()
        found = {one.code: one for one in probed(target_of(f"http://127.0.0.1:{port}/"), told.append)}
    assert "the page is answered with 403" in found["url-limited"].what
    assert found["url-limited"].harm == "hint"
    assert "slow client" not in told
    assert len(counted) < 60


def test_the_page_lists_each_code_with_what_it_finds() -> None:
    page = (ROOT / "docs/check-url.md").read_text().splitlines()
    rows = [
        f"| `{name}` | {code.harm} | {code.finds} |"
        for harm in HARMS
        for name, code in OUTSIDE.items()
        if code.harm == harm
    ]
    assert [line for line in page if line.startswith("| `url-")] == rows
    assert not OUTSIDE.keys() & CODES.keys()


def test_each_code_is_found_somewhere() -> None:
    room = ROOT / "src/portico/check/outside"
    text = "".join(path.read_text() for path in room.glob("*.py") if path.name != "codes.py")
    assert [name for name in OUTSIDE if f'"{name}"' not in text] == []
