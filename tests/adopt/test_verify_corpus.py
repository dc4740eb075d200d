"""What differs of each case of the corpus stands beside it; `make adopt-corpus` compares it with the live answers."""

from __future__ import annotations

from pathlib import Path

from tests.adopt.test_corpus import CORPUS
from tests.adopt.test_httpd_sites import CORPUS as OF_HTTPD
from tests.adopt.verify_corpus import FILES, golden


def test_every_case_says_what_differs_and_nothing_else_does() -> None:
    there = {path for folder in (CORPUS, OF_HTTPD) for path in Path(folder).rglob("*differs.txt")}
    assert there == {golden(name) for name in FILES}


def test_no_difference_is_without_a_reason() -> None:
    unclear = ("another status", "another body", "another target")
    for name in FILES:
        for line in golden(name).read_text().splitlines():
            assert not line.endswith(unclear), f"{name}: {line}"
