"""What the rules of several options compare with."""

from __future__ import annotations

import pytest

from portico.site.checks.rule import can_be_asked


@pytest.mark.parametrize("target", ["/", "/healthz", "/a/b~c@d:e+f", "/h?deep=1&x=%20", "/h?"])
def test_the_path_of_a_request_may_have_a_query(target: str) -> None:
    assert can_be_asked(target)


@pytest.mark.parametrize(
    "target", ["", "healthz", "?x=1", "/a b", "/a\nb", "/a?b c", "/a$b", "/a;b", "/a?b#c", "/é"]
)
def test_what_is_no_path_cannot_be_asked(target: str) -> None:
    assert not can_be_asked(target)
