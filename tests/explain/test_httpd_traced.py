"""What a trace asks of single lines of httpd's configuration."""

from __future__ import annotations

import pytest

from portico.explain.httpd.traced import files, member
from portico.explain.node import Node


@pytest.mark.parametrize(
    ("name", "args", "folder"),
    [
        ("RewriteRule", ("^/static/(.*)$", "/srv/static/$1", "[L,E=PORTICO_FILE_0:1]"), "/srv/static/"),
        ("RewriteRule", ("^/static/(.*)$", "-", "[R=404,L]"), ""),
        ("RewriteRule", ("^/old$", "/new", "[R=301]"), ""),
        ("RewriteRule", ("^/page$", "/other", "[PT]"), ""),
        ("Alias", ("/static/", "/srv/static/"), "/srv/static/"),
        ("DocumentRoot", ("/var/www",), "/var/www"),
        ("ProxyPass", ("/", "http://127.0.0.1:8000/"), ""),
    ],
)
def test_which_lines_send_files_and_from_where(name: str, args: tuple[str, ...], folder: str) -> None:
    line = Node(name, args, "httpd.conf", 1)
    assert files(line) == ((line, folder) if folder else None)


def test_the_line_about_the_server_that_the_log_names() -> None:
    urls = ("unix:/run/app.sock|uwsgi://app0", "http://10.0.0.2:8000")
    members = tuple(Node("BalancerMember", (url, "timeout=4"), "httpd.conf", n) for n, url in enumerate(urls))
    root = Node("", (), "httpd.conf", 0, (Node("Proxy", ("balancer://app",), "httpd.conf", 1, members),))
    assert [member(root, one) for one in ("uwsgi://app0", "http://10.0.0.2:8000", "uwsgi://app1")] == [
        *members,
        None,
    ]
