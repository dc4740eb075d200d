"""The path a client sends and the path the app gets: mounts, slashes, encodings."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.conftest import MIRROR, STATICS
from tests.support import Served, served


def test_over_apache_a_path_of_a_route_with_a_time_of_its_own_is_the_same() -> None:
    files = {"app.py": MIRROR, "portico.toml": '[routes."/<path:path>"]\ntimeout = "60s"\n'}
    with served(files, "--gateway", "apache") as run:
        assert "PORTICO_DEADLINE" in run.get("/x").json()["environ"], "the route has its time"
        for target, path in (("/a%3Fb", "/a?b"), ("/a%2Fb%3F?x=1", "/a/b?"), ("/a%25//b;c", "/a%//b;c")):
            assert seen(run, target) == ("", path, target)


@pytest.fixture(scope="module")
def mounted() -> Iterator[Served]:
    with served({"app.py": MIRROR, **STATICS}, "--mount", "/app") as run:
        yield run


def seen(run: Served, target: str) -> tuple[str, str, str]:
    head = f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
    answer = run.raw(head)
    assert answer.startswith(b"HTTP/1.1 200"), answer
    import json

    told = json.loads(answer.partition(b"\r\n\r\n")[2].decode())
    return told["script_name"], told["path_info"], told["uri"]


@pytest.mark.parametrize(
    ("target", "path_info"),
    [
        ("/", "/"),
        ("/a", "/a"),
        ("/a/", "/a/"),
        ("/a//b", "/a//b"),
        ("//a", "//a"),
        ("/a%2Fb", "/a/b"),
        ("/a%20b", "/a b"),
        ("/%E2%82%AC", "/\u00e2\u0082\u00ac"),
        ("/a?x=/../y", "/a"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a;b=c", "/a;b=c"),
        ("/a+b", "/a+b"),
        ("/%25", "/%"),
        ("/static..%2Fx", "/static../x"),
    ],
)
def test_a_path_reaches_the_app(mirror: Served, target: str, path_info: str) -> None:
    assert seen(mirror, target) == ("", path_info, target)


@pytest.mark.parametrize(
    ("target", "path_info"),
    [
        ("/app/", "/"),
        ("/app/a", "/a"),
        ("/app/a/", "/a/"),
        ("/app//a", "//a"),
        ("/app/a//b", "/a//b"),
        ("/app/a%2Fb", "/a/b"),
        ("/app/a%20b?q=1%2F2", "/a b"),
        ("/app/app/x", "/app/x"),
        ("/app/%E2%82%AC", "/\u00e2\u0082\u00ac"),
    ],
)
def test_a_path_reaches_the_app_under_its_prefix(mounted: Served, target: str, path_info: str) -> None:
    assert seen(mounted, target) == ("/app", path_info, target)


@pytest.mark.parametrize("target", ["/", "/apple", "/other/app/", "/APP/"])
def test_nothing_lives_outside_the_prefix(mounted: Served, target: str) -> None:
    assert mounted.get(target).status_code == 404


def test_the_prefix_without_its_slash_leads_to_it(mounted: Served) -> None:
    answer = mounted.client.post(mounted.url + "/app?x=1")
    assert answer.status_code == 308
    assert answer.headers["Location"].removeprefix(mounted.url if mounted.is_apache else "") == "/app/?x=1"


def test_redirects_cookies_and_statics_know_the_prefix(mounted: Served) -> None:
    assert mounted.get("/app/redirect").headers["Location"] == "/app/there"
    assert (
        "Path=/app" in mounted.get("/app/cookie").headers["Set-Cookie"]
        or "Path=/" in mounted.get("/app/cookie").headers["Set-Cookie"]
    )
    assert mounted.get("/app/static/app.css").status_code == 200
    assert mounted.get("/static/app.css").status_code == 404


@pytest.mark.parametrize(
    "target", ["/app//static/.env", "/app///static/%2eenv", "/app//static/x.py/", "//app/static/x.py"]
)
def test_no_spelling_under_the_prefix_leads_to_what_is_never_sent(mounted: Served, target: str) -> None:
    answer = mounted.raw(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404"), answer
