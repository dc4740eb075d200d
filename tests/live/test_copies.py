"""Compressed copies of static files: who gets which, and that nobody gets an old one. On both builds of nginx."""

from __future__ import annotations

import gzip
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import brotli
import httpx
import pytest
import zstandard

from tests.live.conftest import MIRROR
from tests.support import Served, portico, served
from tests.support.until import until

pytestmark = pytest.mark.timeout(600)
SCRIPT = "".join(f"export const name{number} = {number * 7};\n" for number in range(400))
FILES = {
    "app.py": MIRROR,
    "static/app.js": SCRIPT,
    "static/app.3f9c1b2a.css": "body { color: teal }\n" * 200,
    "static/small.css": "a {}",
    "static/deep/page.html": "<p>hello</p>\n" * 300,
    "static/theirs.js": SCRIPT + "// theirs",
    "static/tool.py": "SECRET = 1",
    "static/page.j2": "SECRET",
    "static/notes.txt~": "SECRET",
    "static/app.js.br": "SECRET",
    "static/app.js.map": "{}",
    "static/module.mjs": "export default 1",
    "static/m.wasm": "x",
    "static/f.woff2": "x",
    "static/p.avif": "x",
    "static/p.webp": "x",
    "static/app.webmanifest": "{}",
    "static/favicon.ico": "icon",
    "static/robots.txt": "User-agent: *",
    "static/assets/main-DiwrgTda.js": SCRIPT,
    "static/assets/plain.js": SCRIPT,
    "static/.vite/manifest.json": json.dumps(
        {
            "src/main.js": {"file": "assets/main-DiwrgTda.js", "isEntry": True},
            "src/plain.js": {"file": "assets/plain.js"},
        }
    ),
    "declared/index.html": "the folder's own page",
    "portico.toml": '[static]\n"/docs/" = "declared"\n',
}
BROWSER = "gzip, deflate, br, zstd"
_REMEMBERS_SECONDS = 2
"""For a second each worker of nginx remembers that it has found no copy (`open_file_cache_valid`)."""


def compressed(run: Served) -> dict[str, object]:
    done = portico("status", "--json", cwd=run.directory)
    found: dict[str, object] = json.loads(done.stdout)["compressed"] if done.returncode == 0 else {}
    return found


def raw(run: Served, path: str, accept: str = "identity", **headers: str) -> tuple[httpx.Response, bytes]:
    """The answer, and its bytes as they were sent."""
    head = {"Accept-Encoding": accept, **{key.replace("_", "-"): text for key, text in headers.items()}}
    with run.client.stream("GET", run.url + path, headers=head) as answer:
        return answer, b"".join(answer.iter_raw())


def is_copied(run: Served, path: str, content: str) -> bool:
    """A copy, and not what a brotli module makes as it goes, whose ETag is weak, or has a suffix of httpd's."""
    answer, body = raw(run, path, "br")
    return (
        not re.search(r'^W/|-br"$', answer.headers.get("ETag", ""))
        and answer.headers.get("Content-Encoding") == "br"
        and body != b""
        and brotli.decompress(body) == content.encode()
    )


@pytest.fixture(scope="module")
def site(front: tuple[str, str]) -> Iterator[Served]:
    code = MIRROR.replace('@app.route("/<path:path>"', '@app.route("/mirror/<path:path>"')
    with served(FILES | {"app.py": code}, *front) as run:
        until(lambda: is_copied(run, "/static/app.js", SCRIPT), "a copy of app.js")
        until(
            lambda: is_copied(run, "/static/deep/page.html", FILES["static/deep/page.html"]),
            "a copy of page.html",
        )
        until(
            lambda: is_copied(run, "/static/app.3f9c1b2a.css", FILES["static/app.3f9c1b2a.css"]),
            "a copy of the css",
        )
        until(lambda: compressed(run).get("left") == 0, "every coding of every file")
        time.sleep(_REMEMBERS_SECONDS)
        yield run


UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "br": brotli.decompress,
    "zstd": lambda packed: zstandard.ZstdDecompressor().decompress(packed, max_output_size=1 << 20),
    "gzip": gzip.decompress,
    "": bytes,
}


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        (BROWSER, "br"),
        ("gzip, deflate, br", "br"),
        ("br", "br"),
        ("BR;Q=1", "br"),
        ("br;q=0.001", "br"),
        ("gzip;q=1.0 , br;q=0.5", "br"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0.000, zstd", "zstd"),
        ("br; q=0 ,zstd;q=0,gzip", "gzip"),
        ("zstd, gzip", "zstd"),
        ("gzip, deflate", "gzip"),
        ("x-gzip", "gzip"),
        ("*", "gzip"),
        ("*;q=0.1, br;q=0", "gzip"),
        ("*, gzip;q=0", ""),
        ("*;q=0", ""),
        ("gzip;q=0", ""),
        ("identity", ""),
        ("", ""),
        ("brotli", ""),
        ("abr, xbr, br2", ""),
        ("deflate", ""),
        ("br\t;\tq=1", "br"),
    ],
)
def test_a_client_gets_a_form_that_it_takes(site: Served, accept: str, coding: str) -> None:
    answer, body = raw(site, "/static/app.js", accept)
    assert answer.status_code == 200
    assert answer.headers.get("Content-Encoding", "") == coding
    assert UNPACK[coding](body) == SCRIPT.encode()
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["ETag"].startswith('"'), "a copy is bytes that stay, not made as it goes"


def test_no_copy_is_sent_for_what_cannot_be_understood(site: Served) -> None:
    """What nginx makes of it as it goes is a matter of its own: Debian's brotli module reads `zero` as 1."""
    answer, body = raw(site, "/static/app.js", "br;q=zero")
    assert UNPACK[answer.headers.get("Content-Encoding", "")](body) == SCRIPT.encode()
    assert body != raw(site, "/static/app.js", "br")[1]


@pytest.mark.parametrize("accept", [BROWSER, "gzip", "identity", "br;q=0, gzip", "identity;q=0, gzip"])
def test_what_the_app_sends_is_made_smaller_as_it_goes(site: Served, accept: str) -> None:
    """By brotli where nginx has it, which Debian's has as a module."""
    answer, body = raw(site, f"/mirror/{'a' * 2000}", accept)
    best = "br" if site.is_apache or "'system'" in str(site.process.args) else "gzip"
    coding = {"identity": "", BROWSER: best}.get(accept, "gzip")
    assert answer.headers.get("Content-Encoding", "") == coding
    assert b"a" * 2000 in UNPACK[coding](body)
    assert "Accept-Encoding" in answer.headers["Vary"]


@pytest.mark.parametrize(("coding", "unpack"), [("gzip", gzip.decompress), ("identity", bytes)])
def test_what_the_app_encoded_itself_is_left_as_it_is(
    site: Served, coding: str, unpack: Callable[[bytes], bytes]
) -> None:
    """Flask-Compress and whoever calls the body `identity` to keep a secret page from being compressed."""
    answer, body = raw(site, f"/encoded/{coding}", BROWSER)
    assert answer.headers["Content-Encoding"] == coding
    assert unpack(body) == b"a" * 3000


def test_each_form_has_an_etag_of_its_own(site: Served) -> None:
    tags = {
        accept: raw(site, "/static/app.js", accept)[0].headers["ETag"]
        for accept in ("br", "zstd", "gzip", "identity")
    }
    assert len(set(tags.values())) == 4
    times = {raw(site, "/static/app.js", accept)[0].headers["Last-Modified"] for accept in tags}
    assert len(times) == 1
    for accept, tag in tags.items():
        answer, body = raw(site, "/static/app.js", accept, If_None_Match=tag)
        assert (answer.status_code, body) == (304, b"")
        assert answer.headers["ETag"] == tag
        assert site.is_apache or "Content-Encoding" not in answer.headers
        assert raw(site, "/static/app.js", accept, If_None_Match='"other"')[0].status_code == 200
    assert raw(site, "/static/app.js", "gzip", If_None_Match=tags["br"])[0].status_code == 200


def test_ranges_are_of_the_form_that_is_sent(site: Served) -> None:
    whole = raw(site, "/static/app.js", "br")[1]
    answer, part = raw(site, "/static/app.js", "br", Range="bytes=10-19")
    assert (answer.status_code, part) == (206, whole[10:20])
    assert answer.headers["Content-Encoding"] == "br"
    assert answer.headers["Content-Range"] == f"bytes 10-19/{len(whole)}"
    answer, part = raw(site, "/static/app.js", "identity", Range="bytes=-5")
    assert (answer.status_code, part) == (206, SCRIPT.encode()[-5:])
    for accept in (BROWSER, "identity"):
        answer, body = raw(site, "/static/app.js", accept, Range="bytes=999999-")
        assert answer.status_code == 416
        assert body == b"" or "Content-Encoding" not in answer.headers, "a page is not what it says"
        if not site.is_apache:  # httpd's page of an error is not about the file
            assert answer.headers["Content-Range"].startswith("bytes */")
            assert len(answer.headers.get_list("ETag")) == 1


@pytest.mark.parametrize(
    ("path", "life"),
    [
        ("/static/app.3f9c1b2a.css", "public, max-age=31536000, immutable"),
        ("/static/app.js", "no-cache"),
        ("/static/app.js?v=1", "no-cache"),
        ("/static/deep/page.html", "no-cache"),
        ("/static/assets/main-DiwrgTda.js", "public, max-age=31536000, immutable"),
        ("/static/assets/plain.js", "no-cache"),
    ],
)
def test_how_long_a_browser_may_keep_it(site: Served, path: str, life: str) -> None:
    for accept in ("identity", BROWSER):
        assert raw(site, path, accept)[0].headers["Cache-Control"] == life


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("app.js.map", "application/json"),
        ("module.mjs", "text/javascript; charset=utf-8"),
        ("m.wasm", "application/wasm"),
        ("f.woff2", "font/woff2"),
        ("p.avif", "image/avif"),
        ("p.webp", "image/webp"),
        ("app.webmanifest", "application/manifest+json"),
    ],
)
def test_types(site: Served, name: str, kind: str) -> None:
    answer, _ = raw(site, f"/static/{name}")
    told = answer.headers["Content-Type"]
    if site.is_apache:  # it says of JSON what JSON always is
        told = told.replace("json; charset=utf-8", "json")
    assert (answer.status_code, told) == (200, kind)


@pytest.mark.parametrize(
    "name", ["tool.py", "page.j2", "notes.txt~", "app.js.br", "deep/", "deep", "%2e%2e/app.py"]
)
def test_sources_and_folders_are_not_sent(site: Served, name: str) -> None:
    for accept in ("identity", BROWSER):
        answer, body = raw(site, f"/static/{name}", accept, Accept="text/html")
        assert answer.status_code in (400, 404)
        assert b"SECRET" not in body
        assert "Location" not in answer.headers, "which would tell that there is a folder"


def test_a_declared_folder_has_its_own_page(site: Served) -> None:
    assert raw(site, "/docs/")[1] == b"the folder's own page"


@pytest.mark.parametrize(("path", "content"), [("/favicon.ico", b"icon"), ("/robots.txt", b"User-agent: *")])
def test_what_is_asked_for_at_the_root(site: Served, path: str, content: bytes) -> None:
    assert raw(site, path)[1] == content


def test_a_file_that_changes_is_sent_anew(site: Served) -> None:
    """In place, by a rename, with its time set back; and a file that goes is gone."""
    file = site.directory / "static/changing.js"
    file.write_text(SCRIPT)
    until(lambda: is_copied(site, "/static/changing.js", SCRIPT), "a copy")
    before = file.stat()
    other = SCRIPT.replace("name1 ", "eman1 ")
    file.write_text(other)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # same name, size and time
    until(lambda: raw(site, "/static/changing.js", "identity")[1] == other.encode(), "the new file")
    until(lambda: is_copied(site, "/static/changing.js", other), "a copy of the new one")
    newer = site.directory / "static/newer.js"
    newer.write_text(SCRIPT + "// newer")
    newer.rename(file)
    until(
        lambda: is_copied(site, "/static/changing.js", SCRIPT + "// newer"),
        "a copy of what was renamed over it",
    )
    file.unlink()
    until(lambda: raw(site, "/static/changing.js", "br")[0].status_code == 404, "404 for a file that is gone")


def test_nothing_is_written_beside_the_files(site: Served) -> None:
    names = {
        str(path.relative_to(site.directory))
        for path in (site.directory / "static").rglob("*")
        if path.is_file()
    }
    assert names <= {name for name in FILES if name.startswith("static/")}


def test_status_tells_of_the_copies(site: Served) -> None:
    # A test before this one may just have changed a file.
    until(lambda: compressed(site).get("left") == 0, "no file that is left to compress")
    assert compressed(site)["files"]
    assert "files with compressed copies, " in portico("status", cwd=site.directory).stdout


def test_a_copy_that_a_build_made_is_taken_when_it_is_one() -> None:
    """A copy beside the file is used if it holds the same bytes, and only then."""
    made = brotli.compress(SCRIPT.encode(), quality=11, mode=brotli.MODE_TEXT, lgwin=16)
    from tests.support import private_directory, write_files

    with private_directory() as home:
        write_files(home, {"app.py": MIRROR, "static/mine.js": SCRIPT, "static/wrong.js": SCRIPT + "//"})
        Path(home, "static/mine.js.br").write_bytes(made)
        Path(home, "static/wrong.js.br").write_bytes(made)
        with served({}, directory=home) as run:
            until(lambda: is_copied(run, "/static/mine.js", SCRIPT), "a copy")
            until(lambda: is_copied(run, "/static/wrong.js", SCRIPT + "//"), "a copy of its own")
            until(lambda: raw(run, "/static/mine.js", "br")[1] == made, "that copy, by each worker of nginx")
