"""Exceptions of the firewall, as they are written in portico.toml."""

from __future__ import annotations

import pytest

from portico.site.waf_exception import WafException, is_exception, parse


def test_a_path_alone_or_with_all_that_begin_so() -> None:
    assert parse("/editor 941100 942000-942999") == WafException("/editor", ("941100", "942000-942999"))
    assert parse("/api/* 920420") == WafException("/api/", ("920420",), is_beginning=True)
    assert parse("/hooks/*") == WafException("/hooks/", is_beginning=True)


@pytest.mark.parametrize(
    "text",
    [
        "", "editor", "/editor x", "/a 942999-942000", "/a 1,2", '/a" 1', "/a;b", "/a{", "/$x 1", "/a\\n 1", "/*a",
        "/a 941100'", "/a 12345678", "/%2e%2e/ 941100",
    ],
)  # fmt: skip
def test_anything_else_is_none(text: str) -> None:
    assert not is_exception(text)
