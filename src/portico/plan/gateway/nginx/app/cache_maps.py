"""The maps of every cache: which answers may be stored, by the headers of request and answer."""

from __future__ import annotations

from portico.plan.gateway.nginx.syntax import Directive, entries
from portico.plan.web.app.cache import FORBIDDING

_MARKED = r"~*(?:^|[\s,;])(?:public(?:[\s,;]|$)|s-maxage=\d)"
_SAID = "$upstream_http_cache_control$upstream_http_cdn_cache_control$upstream_http_surrogate_control"
_REFUSED = f"~*{'|'.join(FORBIDDING)}"
STATUS = r"~(?:^|[\s,:])(?:20[034]|30[012378]|404|410)$"
"""STATUSES; if there are several servers, the last one counts."""
_SHOWN = (
    ("origin", "Origin", "$upstream_http_access_control_allow_origin", ("", "*")),
    ("coding", "Accept-Encoding", "$upstream_http_content_encoding", ("", "identity")),
)
"""A client's header, the header of an answer that depends on it, and its values that make no difference."""
_WORDS = {
    "HIT": "Portico; hit",
    "STALE": "Portico; hit; detail=stale",
    "UPDATING": "Portico; hit; detail=updating",
    "MISS": "Portico; fwd=uri-miss",
    "EXPIRED": "Portico; fwd=stale",
    "REVALIDATED": "Portico; fwd=stale; fwd-status=304",
    "BYPASS": "Portico; fwd=request",
}


def of_request() -> list[Directive]:
    """What the client wants of the cache."""
    return [
        entries(
            "map", "$http_cache_control", "$portico_asks_anew",
            table=[("default", "0"), ("", "0"), ("~*no-cache|no-store", "1")],
            why="1 when the client wants a new answer",
        ),
        entries(
            "map", "$http_cache_control", "$portico_not_asked",
            table=[("default", "0"), ("", "0"), ("~*no-store", "1")],
            why="1 when the client does not want the answer stored",
        ),
        entries(
            "map", "$request_method", "$portico_is_head", table=[("default", "0"), ("HEAD", "1")],
            why="1 for an answer without its body; a stored one answers HEAD, too",
        ),
    ]  # fmt: skip


def of_answer() -> list[Directive]:
    """Whether an answer may be stored."""
    return [
        entries(
            "map", "$upstream_http_cache_control", "$portico_unmarked",
            table=[("default", "1"), ("", "1"), (_MARKED, "0")],
            why="0 for an answer that the app marks as public, by public or s-maxage",
        ),
        entries(
            "map", _SAID, "$portico_refused",
            table=[("default", "0"), ("", "0"), (_REFUSED, "1")],
            why="1 for an answer that the app forbids to store, or to send when it is too old",
        ),
        entries(
            "map", "$upstream_status", "$portico_is_odd",
            table=[("default", "1"), ("200", "0"), (STATUS, "0")],
            why="1 for an answer that a header of one client may have caused: a part (206, 416), the result of a "
            "condition (304, 412), any error but a page that is not there (404, 410)",
        ),
        entries(
            "map", "$upstream_http_vary", "$portico_any_vary",
            table=[("default", "0"), ("", "0"), (r"~\*", "1")],
            why="1 for an answer that depends on more than its request",
        ),
        *_of_one_client(),
        entries(
            "map", "$upstream_http_age:$upstream_http_x_accel_expires", "$portico_is_timed",
            table=[("default", "1"), (":", "0"), ("0:", "0")],
            why="1 for an answer that another cache has stored already, whose age nginx would count from now, "
            "and for one with a time for nginx alone, where nginx ignores a Cache-Control: private",
        ),
    ]  # fmt: skip


def _of_one_client() -> list[Directive]:
    """Answers that show that they depend on a header outside of their key."""
    made = []
    for name, header, said, harmless in _SHOWN:
        made += [
            entries(
                "map", "$upstream_http_vary", f"$portico_not_by_{name}",
                table=[("default", "1"), (rf"~*(?:^|[\s,]){header}(?:[\s,]|$)", "0")],
                why=f"0 where Vary names {header}: then it is in the key",
            ),
            entries(
                "map", said, f"$portico_shows_{name}",
                table=[("default", f"$portico_not_by_{name}"), *((value, "0") for value in harmless)],
                why=f"1 for an answer made for the {header} of one client, where Vary does not say so",
            ),
        ]  # fmt: skip
    return made


def longer(limit: int) -> str:
    """A pattern for every number above the limit, digit by digit; nginx cannot compare numbers."""
    digits = f"{limit:d}"
    more = [
        f"{digits[:at]}[{int(digit) + 1}-9]" + _any(len(digits) - at - 1)
        for at, digit in enumerate(digits)
        if digit != "9"
    ]
    more.append(rf"\d{{{len(digits) + 1},}}")
    return f"~^(?:{'|'.join(more)})$"


def _any(count: int) -> str:
    return rf"\d{{{count}}}" if count else ""


def of_client() -> list[Directive]:
    """What a client is told about the cache."""
    return [
        entries(
            "map", "$upstream_cache_status", "$portico_cache_words",
            table=[("default", "Portico; fwd=bypass"), *_WORDS.items()],
            why="how the cache took part, in the words of RFC 9211",
        ),
        entries(
            "map", "$http_cache_status", "$portico_cache_status",
            table=[("default", "$portico_cache_words"), ("", "")],
            why="sent only to a client that asks for it",
        ),
    ]  # fmt: skip
