"""What keeps a log line valid: JSON is UTF-8, and its numbers have no leading zeros.

nginx's escape=json passes bytes above 0x7f through as they are. So what a client may choose freely is logged by a map:
text that is valid UTF-8 is logged unchanged, other text up to its first wrong byte, with U+FFFD in that byte's place.
https://www.rfc-editor.org/rfc/rfc8259#section-8.1 and #section-6 say what JSON allows.
"""

from __future__ import annotations

from portico.plan.nginx.conf import Directive, entries

STATUS = "$portico_log_status"
TEXTS = {
    "$host": "$portico_log_host",
    "$request_uri": "$portico_log_uri",
    "$http_user_agent": "$portico_log_agent",
    "$http_referer": "$portico_log_referer",
    "$http_traceparent": "$portico_log_traceparent",
    "$upstream_http_x_portico": "$portico_log_worker",
}
"""Variables with bytes that somebody else chose, and what is logged for each."""
_IS_ASCII = "$portico_is_ascii"
_ASCII = r"~^[\x01-\x7f]*$"
_WRONG = "|".join(
    (
        r"[\xc0\xc1\xf5-\xff]",
        r"[\xc2-\xdf](?![\x80-\xbf])",
        r"\xe0(?![\xa0-\xbf][\x80-\xbf])",
        r"[\xe1-\xec\xee\xef](?![\x80-\xbf][\x80-\xbf])",
        r"\xed(?![\x80-\x9f][\x80-\xbf])",
        r"\xf0(?![\x90-\xbf][\x80-\xbf][\x80-\xbf])",
        r"[\xf1-\xf3](?![\x80-\xbf][\x80-\xbf][\x80-\xbf])",
        r"\xf4(?![\x80-\x8f][\x80-\xbf][\x80-\xbf])",
        r"(?<![\x80-\xbf\xc2-\xf4])[\x80-\xbf]",
        r"(?<=[\xc2-\xdf][\x80-\xbf])[\x80-\xbf]",
        r"(?<=[\xe0-\xef][\x80-\xbf][\x80-\xbf])[\x80-\xbf]",
        r"(?<=[\xf0-\xf4][\x80-\xbf][\x80-\xbf][\x80-\xbf])[\x80-\xbf]",
    )
)
"""A byte that is no UTF-8 where it stands; table 3-7 of the Unicode standard, turned round. Without repetition: a
long address costs the regular expression no stack."""
_NOT_UTF8 = rf"~^(?<portico_utf8>[\x00-\xff]*?)(?:{_WRONG})"
_GONE = r"~^(?:0:[23]\d\d|\d+:000)$"


def text_maps() -> list[Directive]:
    """The variables of a line whose own text may be no JSON, at `http` level.

    One look at all texts together decides for nearly every request; six looks cost it 4 us.
    """
    is_ascii = entries(
        "map", "".join(TEXTS), _IS_ASCII, table=[("default", ""), (_ASCII, "1")], cause="D4",
        why="1 where every text of the line is ASCII, as it nearly always is: such texts need no other look",
    )  # fmt: skip
    return [is_ascii, *(each for source in TEXTS for each in _text(source)), _status()]


def _text(source: str) -> list[Directive]:
    logged = TEXTS[source]
    looked_at = logged.replace("_log_", "_utf8_")
    return [
        entries(
            "map", source, looked_at, cause="D4",
            table=[("default", source), (_NOT_UTF8, "$portico_utf8\N{REPLACEMENT CHARACTER}")],
            why="a log line is UTF-8: other text is cut at its first wrong byte, where U+FFFD stands",
        ),
        entries(
            "map", _IS_ASCII, logged, table=[("default", looked_at), ("1", source)], cause="D4",
            why="what the line has; only texts that are not ASCII are looked at byte by byte",
        ),
    ]  # fmt: skip


def _status() -> Directive:
    """nginx has 000 where it sent no answer, and the status of an answer that it made for a client that was gone."""
    return entries(
        "map", "$bytes_sent:$status", STATUS, table=[("default", "$status"), (_GONE, "499")], cause="D4",
        why="499 for a client that left before a byte of its answer was sent: nginx says 200 when it reads on for its "
        "cache, and 000, which is no number in JSON, when the head was not complete",
    )  # fmt: skip
