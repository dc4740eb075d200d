"""httpd's form of the log line: what is no JSON in it is read as what it means."""

from __future__ import annotations

import json

import pytest

from portico.log.request import Request, as_json


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (rb"caf\xc3\xa9", "café"),
        (rb"bell \x07 rubout \x7f", "bell \x07 rubout \x7f"),
        (rb"vertical \v tab \t", "vertical \x0b tab \t"),
        (rb"a client's own \\x41 and \\\\v", "a client's own \\x41 and \\\\v"),
        (rb"quoted \" and \x22", 'quoted " and "'),
        (rb"no UTF-8: \xff", "no UTF-8: \N{REPLACEMENT CHARACTER}"),
    ],
)
def test_escapes_are_read(written: bytes, meant: str) -> None:
    line = b'{"time":"2026-11-29T18:38:06+0000","status":200,"seconds":382e-6,"agent":"' + written + b'"}'
    request = Request.parse(line)
    assert request is not None
    assert (request.agent, request.seconds) == (meant, 0.000382)
    assert json.loads(as_json(line))["agent"] == meant


@pytest.mark.parametrize(
    "line", [b'{"status":200,"agent":"\\x4"}', b'{"status":200,"agent":"cut \\x', b"\\x41"]
)
def test_anything_else_stays_unreadable(line: bytes) -> None:
    assert Request.parse(line) is None
