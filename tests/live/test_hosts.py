"""The host that the app sees and redirects name is the one the client asked for, also behind a port mapping."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

import httpx
import pytest

from tests.live.conftest import MIRROR
from tests.support import Served, free_port, served


class Site(NamedTuple):
    run: Served
    https: int

    def host(self, target: str, host: str | None) -> str:
        """The Host that the app sees for a request line with that target; empty where there is no answer."""
        head = (
            f"GET {target} HTTP/1.1\r\n" + (f"Host: {host}\r\n" if host else "") + "Connection: close\r\n\r\n"
        )
        answer = self.run.raw(head.encode())
        seen = json.loads(answer.partition(b"\r\n\r\n")[2]) if answer.startswith(b"HTTP/1.1 200") else {}
        assert not seen or seen["url"] == f"http://{seen['host'].lower()}/x"
        return str(seen.get("host", ""))

    def sent_to(self, url: str, host: str) -> str:
        with httpx.Client(verify=False, http2=True, timeout=60) as client:
            answer = client.get(
                url, headers={"Host": host}, extensions={"sni_hostname": host.partition(":")[0]}
            )
        assert answer.status_code == 308, answer.text
        return answer.headers["Location"]


@pytest.fixture(scope="module")
def shop(front: tuple[str, str]) -> Iterator[Site]:
    words = ["--domain", "shop.example", "--domain", "*.wild.example", *front]
    with served({"app.py": MIRROR}, *words) as run:
        yield Site(run, 0)


def test_the_app_sees_the_port_that_the_client_named_and_no_other(shop: Site) -> None:
    own = shop.run.port
    for host in (
        "shop.example",
        "shop.example:9000",
        f"shop.example:{own}",
        "a.wild.example:9000",
        "a.wild.example",
    ):
        assert shop.host("/x", host) == host
    assert shop.host("/x", "SHOP.example") == "shop.example"
    assert shop.host("/x", "shop.example.") == "shop.example"
    assert shop.host("/x", "SHOP.example:9000").lower() == "shop.example:9000"


def test_a_request_line_and_a_host_header_cannot_split_the_two(shop: Site) -> None:
    assert shop.host("http://shop.example:9000/x", "shop.example:9000") == "shop.example:9000"
    assert shop.host("http://shop.example/x", "evil.example:9000") == "shop.example"
    assert shop.host("http://shop.example/x", "a.wild.example:9000") == "shop.example"
    assert shop.host("http://a.wild.example/x", "b.wild.example:9000") == "a.wild.example"
    assert shop.host("http://a.wild.example/x", "shop.example|a:1|GET") in ("", "a.wild.example")
    for host in ("shop.example:evil", "shop.example:1:2", "shop.example:99999999"):
        assert shop.host("/x", host) in ("", "shop.example")
    assert shop.host("http://evil.example/x", "shop.example:9000") == ""


@pytest.mark.parametrize("odd", ["#", "?", "\\", "@", "<b>", '"', ",", "|"])
def test_a_host_that_is_no_name_is_refused_though_it_ends_like_one_of_the_site(shop: Site, odd: str) -> None:
    host = f"evil.example{odd}.wild.example"
    answer = shop.run.raw(f"GET /x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400")
    assert shop.host("/x", "a-b.c.wild.example") == "a-b.c.wild.example"


@pytest.mark.parametrize("nginx", ["embedded", "system"])
def test_without_domains_the_two_cannot_be_split_either(nginx: str) -> None:
    with served({"app.py": MIRROR}, "--nginx", nginx) as run:
        site = Site(run, 0)
        for host in ("any.example", "any.example:9000", "[::1]:9000", f"127.0.0.1:{run.port}"):
            assert site.host("/x", host) == host
        assert site.host("http://one.example/x", "two.example:9000") == "one.example"


@pytest.fixture(scope="module", params=["embedded", "system"])
def secure(request: pytest.FixtureRequest) -> Iterator[Site]:
    port = free_port()
    words = ["--domain", "shop.example", "--domain", "www.shop.example", "--canonical", "shop.example"]
    words += ["--https", "local", "--https-listen", f"127.0.0.1:{port}", "--nginx", request.param]
    with served({"app.py": MIRROR}, *words, "--https-http2", "on") as run:
        yield Site(run, port)


def test_redirects_name_the_port_that_is_right_for_the_client(secure: Site) -> None:
    plain, tls = secure.run.url, f"https://127.0.0.1:{secure.https}"
    assert secure.sent_to(f"{plain}/a?b", "shop.example") == "https://shop.example/a?b"
    direct = f"shop.example:{secure.run.port}"
    assert secure.sent_to(f"{plain}/a", direct) == f"https://shop.example:{secure.https}/a"
    assert secure.sent_to(f"{tls}/a", "www.shop.example") == "https://shop.example/a"
    direct = f"www.shop.example:{secure.https}"
    assert secure.sent_to(f"{tls}/a", direct) == f"https://shop.example:{secure.https}/a"


def test_http_2_names_its_authority(secure: Site) -> None:
    with httpx.Client(verify=False, http2=True, timeout=60) as client:
        for host in ("shop.example", "shop.example:9443"):
            answer = client.get(
                f"https://127.0.0.1:{secure.https}/x",
                headers={"Host": host},
                extensions={"sni_hostname": "shop.example"},
            )
            assert (answer.http_version, answer.json()["host"]) == ("HTTP/2", host)
