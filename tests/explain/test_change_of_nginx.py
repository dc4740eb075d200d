"""A changed nginx.conf: a line, a block, and a directive at the level where it belongs."""

from __future__ import annotations

import pytest

from portico.errors import UsageError
from portico.explain.change import Change
from portico.explain.nginx.change import changed, moved
from portico.explain.nginx.contexts import MAIN, may_stand_in

CONF = """\
http {
    gzip on;
    server {
        location ^~ /static/ {
            alias /srv/;
            location ~ "x{2}" {
                return 404;
            }
        }
        location / {
            add_header A 1;
        }
    }
}
"""
LINES = CONF.splitlines()
AROUND = (10, 3, 1)


def added(text: str, around: tuple[int, ...] = AROUND) -> tuple[int, str]:
    """The number of the new line, and where it was added."""
    change = Change.parse(text)
    made, what = changed(LINES, Change(change.name, change.text, around=around))
    (number,) = (n for n, line in enumerate(made, 1) if line.strip() == f"{text};")
    return number, what


@pytest.mark.parametrize(
    ("text", "number", "what"),
    [
        ("expires 1h", 12, "added to location / (nginx.conf:10): expires 1h"),
        ("merge_slashes off", 13, "added to server (nginx.conf:3): merge_slashes off"),
        ("limit_req_zone $uri zone=a:1m rate=1r/s", 14,
         "added to http (nginx.conf:1): limit_req_zone $uri zone=a:1m rate=1r/s"),
        ("worker_rlimit_nofile 99", 1, "added to the main level: worker_rlimit_nofile 99"),
        ("of_no_table on", 13, "added to the server: of_no_table on"),
    ],
)  # fmt: skip
def test_a_directive_is_added_where_it_may_stand(text: str, number: int, what: str) -> None:
    assert added(text) == (number, what)


def test_without_a_request_it_is_added_to_the_server() -> None:
    assert added("expires 1h", ()) == (13, "added to the server: expires 1h")


def test_one_more_of_a_name_is_added_beside_the_others() -> None:
    made, what = changed(LINES, Change("add_header", "add_header B 2", around=(10,), adds=True))
    assert made[10:12] == ["            add_header A 1;", "            add_header B 2;"]
    assert what == "added to location / (nginx.conf:10): add_header B 2"


def test_a_block_is_dropped_with_all_that_is_in_it() -> None:
    made, what = changed(LINES, Change("location", "", 4))
    assert made == [*LINES[:3], *LINES[9:]]
    assert what == "nginx.conf:4 location ^~ /static/ { ... } dropped"
    made, _ = changed(LINES, Change("location", "", 6))
    assert made == [*LINES[:5], *LINES[8:]]


def test_a_block_is_not_changed_to_a_line() -> None:
    with pytest.raises(UsageError, match="is a block"):
        changed(LINES, Change("location", "location /x", 4))


@pytest.mark.parametrize(
    ("name", "block", "may"),
    [("alias", "location", True), ("alias", "server", False), ("user", MAIN, True), ("user", "http", False),
     ("gzip", "upstream", False), ("nonsense", "location", False)],
)  # fmt: skip
def test_where_a_directive_may_stand(name: str, block: str, may: bool) -> None:
    assert may_stand_in(name, block) is may


@pytest.mark.parametrize(
    "text", ["gzip off; listen 0.0.0.0:80", 'return 200 "a"; return 201', "add_header A '\\''; gzip off"]
)
def test_a_change_is_one_directive(text: str) -> None:
    with pytest.raises(UsageError, match="is not a change"):
        changed(LINES, Change.parse(text))


def test_a_semicolon_may_be_quoted() -> None:
    assert added('add_header Set-Cookie "a=b; Secure"')[0]


@pytest.mark.parametrize("text", ["daemon on", "daemon", "master_process off"])
def test_the_second_nginx_stays_a_child_of_the_command(text: str) -> None:
    change = Change.parse(text, drops=" " not in text)
    with pytest.raises(UsageError, match="cannot be changed"):
        changed(["daemon off;", "master_process on;", *LINES], change)


def test_all_addresses_and_files_are_moved_whatever_is_between_the_words() -> None:
    lines = [
        "listen  0.0.0.0:80;",
        "listen\t81\tssl;",
        "error_log   /var/log/error.log debug;",
        "access_log\t/a/b;",
    ]
    made, addresses = moved(lines, "/tmp/x", lambda: 9)
    assert addresses == {"0.0.0.0:80": "127.0.0.1:9", "81": "127.0.0.1:9"}
    assert made == [
        "listen  127.0.0.1:9;",
        "listen\t127.0.0.1:9\tssl;",
        "error_log   /tmp/x/error.log debug;",
        "access_log\t/tmp/x/b;",
    ]
