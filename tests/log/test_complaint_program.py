"""Whose line of an error log it is."""

from __future__ import annotations

import msgspec

from portico.log.errors.kinds import complaints

NGINX = (
    "2026/11/29 10:50:36 [error] 25854#25854: *326 client intended to send too large body: 9 bytes, client: 1.2.3.6, "
    'server: localhost, request: "GET / HTTP/1.1", host: "localhost"'
)
HTTPD = (
    "[Sun Nov 29 10:50:36.123456 2026] [core:error] [pid 12:tid 13] [client 1.2.3.6:4711] [id "
    + "0a" * 16
    + "] AH00126: Invalid URI in "
    "request GET /%00 HTTP/1.1"
)


def test_a_complaint_names_its_program_and_the_request_or_its_id() -> None:
    found = [msgspec.to_builtins(one) for one in complaints([NGINX, HTTPD])]
    assert [(one["program"], one["request"]) for one in found] == [
        ("nginx", "GET / HTTP/1.1"),
        ("apache", ""),
    ]
    assert set(found[0]) == {"time", "level", "connection", "text", "request", "program", "id"}
    assert [(one["id"], one["connection"]) for one in found] == [("", 326), ("0a" * 16, 4711)]
    assert found[1]["text"] == "AH00126: Invalid URI in request GET /%00 HTTP/1.1"
