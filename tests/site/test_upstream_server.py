"""A server's text in, its address out."""

from __future__ import annotations

import pytest

from portico.site.upstream_server import Server


@pytest.mark.parametrize(
    ("text", "protocol", "address"),
    [
        ("10.0.0.2:8000", "http", "10.0.0.2:8000"),
        ("app-b:8000", "http", "app-b:8000"),
        ("[::1]:8000", "http", "[::1]:8000"),
        ("http://app-b", "http", "app-b:80"),
        ("https://app-b", "https", "app-b:443"),
        ("https://app-b:8443/", "https", "app-b:8443"),
        ("unix:/run/shop.sock", "http", "unix:/run/shop.sock"),
        ("uwsgi://10.0.0.2:3031", "uwsgi", "10.0.0.2:3031"),
        ("uwsgi://unix:/run/shop.sock", "uwsgi", "unix:/run/shop.sock"),
        ("fastcgi://10.0.0.2:9000", "fastcgi", "10.0.0.2:9000"),
        ("app", "", ""),
    ],
)
def test_servers_are_read(text: str, protocol: str, address: str) -> None:
    assert Server.parse(text) == Server(text, protocol, address)


def test_words_after_the_address_are_read() -> None:
    assert Server.parse("app weight=3 backup") == Server("app", "", "", weight=3, is_backup=True)


@pytest.mark.parametrize(
    "text",
    ["", "10.0.0.2", "ftp://a:1", "uwsgi://a", "a:0", "a:70000", "a:80/x", "http://a/x", "unix:run", "unix:/a b:1",
     "unix:/a;b", "unix:/a$b", "a:80 weight=0", "a:80 weight=x", "a:80 down", "a b:80", "http://", "$host:80"],
)  # fmt: skip
def test_what_is_no_server_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        Server.parse(text)


@pytest.mark.parametrize(
    ("text", "host", "has_name"),
    [("10.0.0.2:80", "10.0.0.2", False), ("[::1]:80", "[::1]", False), ("app-b:80", "app-b", True),
     ("unix:/x", "", False), ("app", "", False)],
)  # fmt: skip
def test_only_a_name_must_be_looked_up(text: str, host: str, has_name: bool) -> None:
    assert (Server.parse(text).host, Server.parse(text).has_name) == (host, has_name)
