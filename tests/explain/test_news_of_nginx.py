"""What nginx 1.29 to 1.31 brought: words for it, and findings where the nginx in use is older, or a tunnel is open.

From nginx's list of changes (docs/xml/nginx/changes.xml of github.com/nginx/nginx).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from portico.explain.nginx.findings.all import findings
from portico.explain.nginx.read import read
from portico.explain.nginx.words import words
from portico.place.model import Build

GUARD = "allow 10.0.0.0/8; deny all;"


def codes(directory: Path, http: str, number: tuple[int, int, int]) -> list[str]:
    path = directory / "nginx.conf"
    path.write_text(f"events {{}}\nhttp {{\n{http}\n}}\n")
    return [one.code for one in findings(read(path), Build("nginx", "/n", number), ())]


@pytest.mark.parametrize(
    ("http", "first"),
    [
        ("server { listen 80 multipath; }", (1, 29, 7)),
        ("upstream a { server 10.0.0.1:80; keepalive 8 local; }", (1, 29, 7)),
        ("upstream a { server 10.0.0.1:80 route=a; server 10.0.0.2:80; }", (1, 29, 6)),
        ("upstream a { server 10.0.0.1:80 drain; server 10.0.0.2:80; }", (1, 29, 6)),
        ("upstream a { zone a 64k; server a.example:80 resolve; }", (1, 27, 3)),
        (
            "server { listen 80; location / { proxy_http_version 2; proxy_pass http://10.0.0.1; } }",
            (1, 29, 4),
        ),
        (
            "server { listen 80; location / { uwsgi_socket_sndbuf 8k; uwsgi_pass 10.0.0.1:3031; } }",
            (1, 31, 3),
        ),
        ("upstream a { least_time header; server 10.0.0.1:80; }", (1, 31, 0)),
        ("server { listen 80; client_body_early_read on; }", (1, 31, 5)),
        ("server { listen 80; location $beta { return 404; } }", (1, 31, 5)),
    ],
)
def test_what_an_older_nginx_does_not_know_is_found(
    http: str, first: tuple[int, int, int], tmp_path: Path
) -> None:
    assert "too-new" not in codes(tmp_path, http, first)
    assert "too-new" in codes(tmp_path, http, (first[0], first[1], first[2] - 1))


def test_the_same_words_elsewhere_are_not_new(tmp_path: Path) -> None:
    passed = "location / { proxy_http_version 1.1; proxy_pass http://a; }"
    http = f"server {{ listen 80; server_name resolve drain; {passed} }}"

    assert "too-new" not in codes(tmp_path, http, (1, 22, 1))


@pytest.mark.parametrize(
    ("inner", "is_open"),
    [
        ("tunnel_pass;", True),
        ("tunnel_pass $host:$request_port;", True),
        (f"tunnel_pass; {GUARD}", False),
        ("tunnel_pass 10.0.0.9:22;", False),
    ],
)
def test_a_tunnel_for_everybody_is_an_open_proxy(inner: str, is_open: bool, tmp_path: Path) -> None:
    found = codes(tmp_path, f"server {{ listen 3128; location / {{ {inner} }} }}", (1, 31, 3))

    assert ("open-proxy" in found) == is_open


@pytest.mark.parametrize(
    "name",
    [
        "tunnel_read_timeout",
        "http3_max_concurrent_streams",
        "quic_host_key",
        "mp4_start_key_frame",
        "degrade",
    ],
)
def test_a_directive_of_the_newest_nginx_has_words(name: str) -> None:
    assert words(name) is not None
