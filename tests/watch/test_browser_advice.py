"""What would make a page faster, from its facts: each with its figure, and nothing where nothing is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from portico.protocol.browser import Page, Picture, Resource
from portico.watch.browser.advice import advice

GOOD: dict[str, Any] = {
    "url": "http://shop/", "kind": "Document", "status": 200, "error": "", "id": "1", "begins_us": 0, "sent_us": 10,
    "head_us": 900, "ends_us": 1000, "wire_bytes": 500, "body_bytes": 400, "type": "text/html", "coding": "gzip",
    "caching": "", "is_blocking": False, "gzip_bytes": None, "location": "", "server_timing": {}, "by": "app",
    "cache": "", "gateway_us": 900, "queue_us": 100, "app_us": 700, "endpoint": "home",
}  # fmt: skip
KEPT = {"kind": "Script", "url": "http://shop/a.js", "caching": "public, max-age=31536000, immutable"}
IMAGE = KEPT | {"kind": "Image", "url": "http://shop/big.png"}


def said(*resources: dict[str, Any], pictures: tuple[Picture, ...] = ()) -> str:
    page = Page(
        url="http://shop/", browser="Chrome/1", status=200, error="", ttfb_us=1, fcp_us=2, lcp_us=3, lcp_what="h1",
        loaded_us=4, is_cut=False, resources=tuple(Resource(**(GOOD | one)) for one in resources), pictures=pictures,
    )  # fmt: skip
    return "\n".join(f"{one.text} [{one.see}]" for one in advice(page))


def test_nothing_is_said_of_a_page_without_fault() -> None:
    assert said({}, KEPT, IMAGE) == ""


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        ({"status": 301, "location": "/new", "ends_us": 34_000}, "/ redirects to /new (34 ms and one more way to the"),
        ({"queue_us": 80_000}, "1 request waited for a worker, / 80 ms: all workers were busy. [portico status]"),
        ({"app_us": 312_000}, "The app took 312 ms for / (endpoint home): a trace shows its steps. [portico trace /]"),
        (KEPT | {"is_blocking": True}, "painted nothing until it had /a.js, 1 ms after the start: load scripts with"),
        (KEPT | {"body_bytes": 9000, "gzip_bytes": 3000}, "/a.js came uncompressed: gzip would save 6 KiB of 9 KiB."),
        (KEPT | {"caching": "no-cache"}, "/a.js again with each visit: no max-age says how long it may keep it."),
        (KEPT | {"caching": "max-age=0"}, "asks for /a.js again with each visit"),
        (IMAGE | {"wire_bytes": 300_000}, "/big.png (293 KiB) is a large image"),
        (KEPT | {"status": 404}, "/a.js is 404. [portico trace /a.js]"),
        (KEPT | {"status": 0, "url": "https://fonts.example/f", "error": "net::ERR"}, "what comes from fonts.example."),
    ],
)  # fmt: skip
def test_each_fault_has_its_sentence_and_its_figure(resource: dict[str, Any], words: str) -> None:
    assert words in said(resource)


def test_an_image_that_is_shown_small_is_named_with_both_sizes() -> None:
    shown = Picture("http://shop/big.png", 4000, 3000, 400, 300)
    assert "has 4000 x 3000 pixels and is shown with 400 x 300" in said(IMAGE, pictures=(shown,))
    assert said(IMAGE, pictures=(Picture("http://shop/big.png", 800, 600, 400, 300),)) == ""


def test_many_files_are_one_sentence() -> None:
    many = [KEPT | {"caching": "", "url": f"http://shop/{number}.js"} for number in range(5)]
    assert "/0.js, /1.js, /2.js and 2 more again with each visit" in said(*many)
