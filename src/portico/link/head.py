"""The head of a response: what an app may put into it, and the worker's numbers for nginx.

Every line is checked before anything is sent: a line break from user input would otherwise add a header, or a whole
response, of the attacker's choice.
"""

from __future__ import annotations

import re
import time
from email.utils import formatdate
from typing import Any, Final
from urllib.parse import unquote

_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 5.6.2, a token
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # RFC 9110 5.5: none but the tab is part of a value
_STATUS: Final = re.compile(r"[1-9][0-9]{2}(?: [^\x00-\x08\x0a-\x1f\x7f]*)?")
_UNPRINTABLE: Final = re.compile(r"[^\x21-\x7e]")
_PLAIN, _DROPPED, _LENGTH, _SENDFILE, _REDIRECT, _TYPE, _BUFFERING, _DATE, _CACHING = range(9)
JOINED: Final = (
    *("Cache-Control", "Vary", "CDN-Cache-Control", "Surrogate-Control", "X-Accel-Expires", "Age"),
    *("Access-Control-Allow-Origin", "Content-Encoding"),
)
"""Headers that decide about caching. Several lines become one: nginx before 1.23 reads only one of them."""
_SPECIAL: Final = {
    "content-length": _LENGTH,
    "content-type": _TYPE,
    "x-accel-buffering": _BUFFERING,
    "date": _DATE,
    "x-sendfile": _SENDFILE,
    "x-accel-redirect": _REDIRECT,
} | {name.lower(): kind for kind, name in enumerate(JOINED, _CACHING)} | dict.fromkeys(
    (
        # RFC 2616 13.5.1: hop-by-hop, which PEP 3333 forbids to apps. Gunicorn ignores them, too.
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "trailers"),
        *("transfer-encoding", "upgrade"),
        *("x-portico", "x-portico-timing"),  # only the worker may set them
    ),
    _DROPPED,
)  # fmt: skip
_SHARED: Final = re.compile(r"public|s-maxage", re.IGNORECASE)
_OURS: Final = re.compile(r"/+-(?:/|$)")
"""The prefix of Portico's own locations."""
_END: Final = "\r\n"
LARGEST: Final = 64 << 10
"""The gateway's buffer for response headers in bytes (plan/web/entry/transfer.py)."""
STREAMED: Final = (
    r"(?:application/(?:(?:x-)?ndjson|(?:x-)?jsonl|(?:x-)?jsonlines|json-seq|stream\+json)"
    r"|multipart/x-mixed-replace|text/plain)"
)
"""Types whose parts should be sent as they are made, if the app gives no length: JSON lines, camera images, output
of a language model.
"""
_CHOSEN: Final = re.compile(r"(?:^|\n)x-accel-buffering:", re.IGNORECASE)
_STREAMED: Final = re.compile(rf"(?:^|\n)content-type:[ \t]*{STREAMED}[ \t]*[;\r]", re.IGNORECASE)
_EVENTS: Final = re.compile(r"(?:^|\n)content-type:[ \t]*text/event-stream", re.IGNORECASE)
_MOST_KNOWN: Final = 1000
"""The size of the cache of names; an app that invents more pays for the check each time."""
_known_names: dict[str, int] = {}
_known_endpoints: dict[str, str] = {}


TOO_LONG: Final = "the body was longer than its Content-Length: the rest of it was not sent"


class BrokenAppError(Exception):
    """The app broke PEP 3333 or HTTP; the message says how."""


def check_status(status: str) -> None:
    """BrokenAppError unless `status` is three digits, a space and a reason."""
    if status != "200 OK" and not _STATUS.fullmatch(status):
        raise BrokenAppError(f"{status!r} is not a status")


def render(  # one loop without calls: every response pays for it
    headers: list[tuple[str, str]],
) -> tuple[str, int | None, str | None]:
    """The lines of `headers`, each ending in CR LF, the Content-Length if there is one, and the path of X-Sendfile.

    Hop-by-hop headers are left out. BrokenAppError for a name or value that HTTP cannot carry.
    """
    lines: list[str] = []
    length = sendfile = None
    special: dict[int, str] = {}
    for name, value in headers:
        kind = _known_names.get(name)
        if kind is None:
            kind = _kind(name)
        if kind:
            if kind == _DROPPED:
                continue
            if kind == _LENGTH:
                length = _parse_length(value, length)
            elif kind == _SENDFILE:
                sendfile = value
                continue  # clients must not see a path of this machine
            elif kind == _REDIRECT:
                _check_redirect(value)
            else:
                special[kind] = f"{special[kind]}, {value}" if kind in special else value
                if kind >= _CACHING:
                    continue
        lines.append(name + ": " + value)
    _add(lines, special)
    return _checked(lines), length, sendfile


def _checked(lines: list[str]) -> str:
    # One check of the whole is cheaper than a pattern for each value, and nearly every head is printable.
    text = "".join(lines)
    if not text.isprintable() and (found := _CONTROL.search(text)):
        raise BrokenAppError(
            f"a response header holds a line break or another control character: {found[0]!r}"
        )
    head = _END.join(lines) + _END if lines else ""
    if len(head) > LARGEST:
        raise BrokenAppError(too_large(len(head)))
    return head


def too_large(size: int) -> str:
    """The sentence about a head that nginx would refuse."""
    return f"the answer has {size} bytes of headers, the limit is {LARGEST}: set fewer or smaller cookies"


def _add(lines: list[str], special: dict[int, str]) -> None:
    """Headers for nginx beside the app's own; `special` contains the values of each kind."""
    if special.get(_TYPE, "")[:17].lower() == "text/event-stream" and _BUFFERING not in special:
        lines.append("X-Accel-Buffering: no")  # nginx would wait for 4 or 8 kB of events
    for kind, value in special.items():
        if kind >= _CACHING:
            lines.append(f"{JOINED[kind - _CACHING]}: {value}")
    if _CACHING in special and _DATE not in special and _SHARED.search(special[_CACHING]):
        lines.append(
            f"Date: {formatdate(usegmt=True)}"
        )  # browsers compute the age of a cached answer from it


def is_events(head: str) -> bool:
    """Whether a rendered head is that of an event stream."""
    return _EVENTS.search(head) is not None


def streamed(head: str) -> bool:
    """Whether the parts of a body of this rendered head are sent as they are made, and the app has not said so."""
    return not _CHOSEN.search(head) and _STREAMED.search(head) is not None


def split(head: str) -> list[str]:
    """The lines of a rendered head, each with its CR LF. Other line separators of Python's are text."""
    return [line + _END for line in head.split(_END)[:-1]]


def field(line: str) -> tuple[str, str]:
    """Name, in lower case, and value of a line. HTTP strips blanks and tabs around a value, no other white space."""
    name, _, value = line.removesuffix(_END).partition(":")
    return name.lower(), value.strip(" \t")


def _check_redirect(value: str) -> None:
    """An app's X-Accel-Redirect may lead to a path of the site, never to a location of Portico's or a named one.

    nginx strips blanks from the value, decodes it and obeys: a value without a leading slash is refused as it is.
    """
    path = unquote(value, "latin-1")
    if value[:1] != "/" or _OURS.match(path):
        raise BrokenAppError(
            f"X-Accel-Redirect leads to {value!r}: it must be a path of the site, and paths under /-/ are Portico's own"
        )


def numbers(started_ns: int, label: str, sent: str | bytes | None, route: str) -> str:
    """The value of X-Portico: queue time and app time in microseconds, `label` (pid and thread), the endpoint
    `route`.

    The queue time runs from `sent`, nginx's `$msec` (the variable PORTICO_MSEC), to `started_ns` (time.monotonic_ns),
    with nginx's resolution of 1 ms; without the variable it is "-", and so is an unknown endpoint.
    """
    app_us = (time.monotonic_ns() - started_ns) // 1000
    return f"{queue_us(sent, app_us) if sent else '-'} {app_us} {label} {route}"


def queue_us(sent: str | bytes, app_us: int) -> int:
    """The time in the queue until `app_us` ago, since the gateway's `$msec`; 0 for text that is no time."""
    try:
        return max(0, int((time.time() - float(sent)) * 1e6) - app_us)
    except (ValueError, OverflowError):
        return 0


def endpoint(environ: dict[str, Any]) -> str:
    """The name of the Flask route that serves this request, in printable ASCII without spaces, or "-".

    Flask removes its request from the environ when the view has returned: call it before that.
    """
    request = environ.get("werkzeug.request")
    if request is None:
        return "-"
    try:
        name = request.endpoint
        return _known_endpoints.get(name) or _printable(name)
    except Exception:  # noqa: BLE001  whatever else calls itself werkzeug.request has no route
        return "-"


def _kind(name: str) -> int:
    if not _NAME.fullmatch(name):
        raise BrokenAppError(f"{name!r} is not a header name")
    kind = _SPECIAL.get(name.lower(), _PLAIN)
    if len(_known_names) < _MOST_KNOWN:
        _known_names[name] = kind
    return kind


def _parse_length(value: str, before: int | None) -> int:
    if before is not None:
        raise BrokenAppError(f"the answer has two Content-Length headers: {before} and {value}")
    text = value.strip(" \t")
    if not (text.isascii() and text.isdecimal()):
        raise BrokenAppError(f"{value!r} is not a Content-Length")
    return int(text)


def _printable(name: str | None) -> str:
    if not name:
        return "-"
    clean = _UNPRINTABLE.sub("_", str(name))[:200]
    if len(_known_endpoints) < _MOST_KNOWN:
        _known_endpoints[name] = clean
    return clean
