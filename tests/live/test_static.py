"""Files nginx serves itself, and those it must not."""

from __future__ import annotations

import os

import pytest

from tests.live.conftest import MIRROR, STATICS
from tests.support import Served, portico, served, write_files


def test_a_static_file_comes_from_nginx_with_its_type(mirror: Served) -> None:
    answer = mirror.get("/static/app.css", headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.text.startswith("body")
    assert not mirror.line(answer).get("upstream")


def test_a_static_file_revalidates(mirror: Served) -> None:
    first = mirror.get("/static/app.css", headers={"Accept-Encoding": "identity"})
    again = mirror.get(
        "/static/app.css", headers={"If-None-Match": first.headers["ETag"], "Accept-Encoding": "identity"}
    )
    assert again.status_code == 304


def test_a_name_in_unicode_with_a_space(mirror: Served) -> None:
    assert mirror.get("/static/ünï cödé.txt").text == "named"


@pytest.mark.parametrize(
    "target",
    [
        "/static../settings.py",
        "/static/../settings.py",
        "/static/..%2fsettings.py",
        "/static/%2e%2e/settings.py",
        "/static/deep/../../settings.py",
        "/static/.env",
        "/static/%2eenv",
        "/static/.git/config",
        "/static/out/passwd",
        "/static/settings-link.py",
        "/static//etc/passwd",
        "/static/..\\settings.py",
        "//static/.env", "///static/.env", "//static/%2eenv", "//static/%2Eenv", "//static//.env", "/./static/.env",
        "//static/.env/", "//static/.env%2f", "//static/./.env", "//static/deep/../.env", "//static%2f.env",
        "//static/.git/config", "//static/x.py", "///static/x.py/", "//static/x%2epy?v=1", "//static/X.PY",
        "/static/X.PY", "/static/x.py", "/static/x.py/", "/x/..//static/x.py", "//static/page.j2", "//static/app.css~",
        "//static/app.css.bak", "/static/Copy.BAK", "//static/deep/y.pyc", "/%2fstatic/.env", "/%2F%2Fstatic/x.py",
    ],
)  # fmt: skip
def test_static_leaks_source(mirror: Served, target: str) -> None:
    """`alias` without both slashes lets /static../settings.py read the directory above."""
    answer = mirror.raw(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    assert b"SECRET" not in answer
    assert b"root:" not in answer
    assert b"secret" not in answer


def test_what_is_sent_is_sent_however_its_path_is_spelled(mirror: Served) -> None:
    for path in ("/static/deep/er.txt", "//static/deep/er.txt", "/%2fstatic/deep//er.txt"):
        answer = mirror.raw(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 308")), answer


@pytest.mark.parametrize(
    "path", ["/static/", "/static/deep", "/static/nothing.css", "/static/.env", "/static/out/passwd"]
)
def test_what_is_not_there_or_not_meant_is_a_branded_404(mirror: Served, path: str) -> None:
    answer = mirror.get(path, headers={"Accept": "text/html"}, follow_redirects=True)
    assert answer.status_code == 404
    assert "<h1>Not found</h1>" in answer.text


def test_a_declared_folder_beside_the_app_s_own() -> None:
    files = {
        "app.py": MIRROR,
        **STATICS,
        "media/a.txt": "media",
        "50%1 %{of} it/100%.txt": "half",
        "portico.toml": '[static]\n"/media/" = "media"\n"/half/" = "50%1 %{of} it"\n',
    }
    with served(files) as run:
        assert run.get("/media/a.txt").text == "media"
        assert run.get("/half/100%25.txt").text == "half"
        assert run.get("/static/app.css").status_code == 200


def test_a_declared_folder_that_nginx_cannot_read_is_an_error() -> None:
    from tests.support import private_directory

    with private_directory() as home:
        write_files(
            home, {"app.py": MIRROR, "media/a.txt": "x", "portico.toml": '[static]\n"/media/" = "media"\n'}
        )
        (home / "media").chmod(0o700)
        done = portico("plan", cwd=home)
        if not done.stderr:
            pytest.skip("not root: nginx runs as us and may read it")
        assert done.returncode == 2
        assert f"nginx cannot read {home}/media: {home}/media: mode drwx------ keeps user" in done.stderr
        assert f"chmod o+rx {home}/media" in done.stderr


def test_an_undeclared_folder_that_nginx_cannot_read_is_left_to_the_app() -> None:
    from tests.support import private_directory

    with private_directory() as home:
        write_files(home, {"app.py": MIRROR, **STATICS})
        (home / "static").chmod(0o700)
        with served({}, directory=home) as run:
            assert run.get("/static/app.css").status_code == 200
            if os.geteuid() == 0:  # else nginx runs as us and may read it
                assert "the app itself answers /static/" in run.stderr()
            for path in ("/static/.env", "/static//.env", "//static/%2eenv", "/static/x.py/", "/static/X.PY"):
                answer = run.raw(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
                assert answer.startswith(b"HTTP/1.1 404"), path


def test_a_route_inside_the_static_url_stays_the_app_s() -> None:
    code = MIRROR + "\n@app.get('/static/made/<name>')\ndef made(name):\n    return 'made ' + name\n"
    with served({"app.py": code, **STATICS}) as run:
        assert run.get("/static/made/x.css").text == "made x.css"
        assert run.get("/static/app.css").status_code == 200
