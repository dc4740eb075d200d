"""What a rule answers by itself, a redirect or a page, is for those who may come to its path."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from portico.site.access.sha512_crypt import hashed
from tests.support import Served, end, private_directory, start, until_ready, write_files

TOML = """
[access."/"]
users = "everybody.users"
methods = ["GET"]
[[route]]
path = "/old/"
to = "308 https://new.example/there"
[[route]]
path = "/gone"
to = "410 gone.html"
[[route]]
path = "/gone"
to = "200 gone.html"
header = { X-New = "1" }
[[route]]
to = "404"
"""
BOB = ("bob", "correct horse")


@pytest.fixture(scope="module", params=["embedded", "system"])
def site(request: pytest.FixtureRequest) -> Iterator[Served]:
    with private_directory() as home:
        files = {"portico.toml": TOML, "gone.html": "the page", "everybody.users": f"bob:{hashed(BOB[1])}\n"}
        write_files(home, files)
        run = start(home, "--nginx", request.param)
        try:
            until_ready(run, 120)
            yield run
        finally:
            end(run)


@pytest.mark.parametrize(
    ("path", "new", "status"),
    [
        ("/old/", "", 308),
        ("/old/x?y=1", "", 308),
        ("/gone", "", 410),
        ("/gone", "1", 200),
        ("/gone/x/", "", 410),
        ("/g%6fne//x", "1", 200),
    ],
)
def test_a_rule_answers_who_may_come(site: Served, path: str, new: str, status: int) -> None:
    headers = {"X-New": new} if new else {}
    stranger = site.get(path, headers=headers)
    assert stranger.status_code == 401
    assert "the page" not in stranger.text
    assert "new.example" not in f"{stranger.headers}"
    wrong = site.get(path, headers=headers, auth=("bob", "wrong"))
    assert wrong.status_code == 401
    known = site.get(path, headers=headers, auth=BOB)
    assert known.status_code == status
    assert known.headers.get("Location", "the page") in ("https://new.example/there", known.text.strip())


@pytest.mark.parametrize("path", ["/old/", "/gone", "/gone/x/"])
def test_a_method_that_is_not_taken_is_405(site: Served, path: str) -> None:
    """No status of nginx's own use reaches a client."""
    assert site.client.post(f"{site.url}{path}", auth=BOB).status_code == 405
