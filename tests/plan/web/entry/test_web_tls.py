from __future__ import annotations

import pytest

from portico.plan.web.ability import Ability
from portico.plan.web.entry.tls import Http2, http2

ALL = frozenset({Ability.HTTP2, Ability.SAFE_HTTP2})
UNSAFE = frozenset({Ability.HTTP2})


@pytest.mark.parametrize(
    ("wanted", "abilities", "spoken"),
    [
        ("auto", ALL, Http2.ON),
        ("auto", UNSAFE, Http2.UNSAFE),
        ("on", UNSAFE, Http2.ON),
        ("off", ALL, Http2.OFF),
        ("on", frozenset({Ability.SAFE_HTTP2}), Http2.UNKNOWN),
    ],
)
def test_http2_is_spoken_unless_a_published_fault_or_the_user_forbids_it(
    wanted: str, abilities: frozenset[Ability], spoken: Http2
) -> None:
    assert http2(wanted, abilities) is spoken
