"""Names with a hash in them, and names that only look like it: by examples and by property."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.site.facts import StaticFolder
from portico.site.front.fingerprints import PATTERN, is_fingerprinted
from portico.site.front.manifests import read
from tests.support import write_files


@pytest.mark.parametrize(
    "name",
    [
        "app.3f9c1b2a.css",
        "app.3f9c1b2a.css.map",
        "main.2c9f1b0e.chunk.js",
        "index-BxY12abc.js",
        "css/base.55e7cbb9ba48.css",
        "main-9c68d5e8de1b810a80e4.js",
        "logo-5d41402abc4b2a76b9719d911017c592.png",
        "main-GH5J2K7Q.js",
        "inter_1a2b3c4d.woff2",
    ],
)
def test_a_hash_is_recognised(name: str) -> None:
    assert re.search(PATTERN, f"/static/{name}")


@pytest.mark.parametrize(
    "name",
    [
        "report-20240101.css",
        "IMG-20240101.jpg",
        "jquery-3.12.0.min.js",
        "bootstrap.bundle.min.js",
        "photo-facade01.jpg",
        "clip-1080cafe.mp4",
        "x-deadbeef.js",
        "logo-1024x768.png",
        "hero-iPhone15.png",
        "use-darkMode.js",
        "page-Section2.js",
        "index-Overview.js",
        "my-page-2-B.js",
        "img-3f2504e0-4f89-11d3-9a0c-0305e82c3301.png",  # a UUID
        "p-507f1f77bcf86cd799439011.jpg",  # a MongoDB id
        "page.3f9c1b2a.html",  # a page is never fingerprinted
        "backup-3f9c1b2a.zip",
        "3f9c1b2a/app.js",
    ],
)
def test_what_looks_like_one_by_accident_is_none(name: str) -> None:
    assert not re.search(PATTERN, f"/static/{name}")


_WORDS = st.from_regex(r"[A-Z]?[a-z]{2,12}", fullmatch=True)


@given(st.lists(_WORDS, min_size=1, max_size=4), st.integers(0, 99_999_999), st.sampled_from("-._"))
def test_words_and_a_number_are_never_a_hash(words: list[str], number: int, separator: str) -> None:
    for name in (words, [*words, str(number)], [str(number), *words]):
        assert not re.search(PATTERN, f"/static/{separator.join(name)}.js")
        assert not re.search(PATTERN, f"/static/{''.join(name)}.js")


@given(st.text("0123456789abcdef", min_size=20, max_size=20))
def test_a_long_hash_is_recognised_whatever_its_digits(digits: str) -> None:
    changes = sum(a.isdigit() != b.isdigit() for a, b in itertools.pairwise(digits))
    if changes >= 2:
        assert re.search(PATTERN, f"/static/app.{digits}.js")


def test_a_manifest_names_files_without_a_hash_too() -> None:
    assert is_fingerprinted("assets/main-DiwrgTda.js", "src/main.js")
    assert not is_fingerprinted("assets/main.js", "src/main.js")
    assert not is_fingerprinted("vendor-production.js", "vendor.js")
    assert not is_fingerprinted("assets/main.js")


VITE = {
    "src/main.js": {"file": "assets/main-DiwrgTda.js", "css": ["assets/main-BrbkGbXk.css"], "isEntry": True},
    "src/plain.js": {"file": "assets/plain.js"},
}
CASES = {
    "vite/.vite/manifest.json": (VITE, {"vite/assets/main-DiwrgTda.js", "vite/assets/main-BrbkGbXk.css"}),
    "webpack/manifest.json": (
        {"main.js": "/static/webpack/main.abcde4fb.js", "logo.png": "/static/webpack/logo.png"},
        {"webpack/main.abcde4fb.js"},
    ),
    "staticfiles.json": (
        {"paths": {"a.css": "a.55e7cbb9ba48.css"}, "version": "1.1"},
        {"a.55e7cbb9ba48.css"},
    ),
    "cache_manifest.json": (
        {"hello.txt": "hello-5d41402abc4b2a76b9719d911017c592.txt"},
        {"hello-5d41402abc4b2a76b9719d911017c592.txt"},
    ),
    "cra/asset-manifest.json": (
        {"files": {"main.js": "/static/cra/main.abcde4fb.js"}, "entrypoints": ["main.abcde4fb.js"]},
        {"cra/main.abcde4fb.js"},
    ),
    "manifest.json": ({"name": "A web app", "icons": [{"src": "icon.png"}], "start_url": "/"}, set()),
}


@pytest.mark.parametrize("path", CASES)
def test_manifests(path: str, tmp_path: Path) -> None:
    content, hashed = CASES[path]
    plain = ["a.css", "hello.txt", "vite/assets/plain.js", "webpack/logo.png", "icon.png"]
    write_files(tmp_path, dict.fromkeys((*hashed, *plain), "x") | {path: json.dumps(content)})
    found = read(StaticFolder("/static/", str(tmp_path), "test"))
    assert found.hashed == hashed
    assert not found.plain & hashed


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"a": "../../etc/passwd"}', '{"a.js": "gone.3f9c1b2a.js"}', "[" * 9999]
)
def test_a_manifest_that_says_nothing(text: str, tmp_path: Path) -> None:
    write_files(tmp_path, {"manifest.json": text})
    assert not read(StaticFolder("/static/", str(tmp_path), "test")).hashed
