"""Headers that an app adds to its static files beyond the usual ones: nginx must send them, too."""

from __future__ import annotations

import mimetypes
import re
from typing import NamedTuple

from portico.plan.web.files.mime import TYPES

_OF_THE_FILE = frozenset(
    ("content-length", "content-type", "etag", "last-modified", "date", "server", "connection", "keep-alive",
     "accept-ranges", "expires", "age", "transfer-encoding")
)  # fmt: skip
"""nginx sends these for a file by itself."""
_OF_THE_REQUEST = re.compile(
    r"x-request-id|x-correlation-id|x-trace-id|traceparent|tracestate|server-timing|x-runtime|x-response-time"
    r"|x-process-time|(?:x-)?ratelimit(?:-.*)?|x-portico|x-accel-.*"
)
"""They describe one request in the app, and there is none when nginx sends the file."""
_NAME = re.compile(r"[!#%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x20-\x23\x25-\x7e]*")
"""Printable ASCII without `$`, which nginx would take for a variable."""
_CORS = "access-control-"
STRANGE_ORIGIN = "https://elsewhere.invalid"
"""The Origin of the test requests: no app lists it (RFC 6761)."""
_BY_SUFFIX = {suffix: kind for kind, *suffixes in TYPES for suffix in suffixes}


class Said(NamedTuple):
    """Headers in their own spelling, sorted; `cache_control` is empty if it is the framework's own."""

    headers: list[tuple[str, str]]
    cache_control: str = ""
    cookies: tuple[str, ...] = ()
    problem: str = ""
    """Why nginx cannot send the same headers, or empty."""

    @property
    def is_open(self) -> bool:
        """Whether pages of every other site may read the answer."""
        return any((name.lower(), value) == (_CORS + "allow-origin", "*") for name, value in self.headers)

    @property
    def varies_by_origin(self) -> bool:
        """Whether the answer depends on the Origin."""
        listed = [value for name, value in self.headers if name.lower() == "vary"]
        return any(word.strip().lower() == "origin" for value in listed for word in value.split(","))

    def differs(self, other: Said) -> str:
        """The name of a header that the other lacks, or has with another value."""
        if self.cache_control != other.cache_control:
            return "Cache-Control"
        different = set(self.headers) ^ set(other.headers)
        return min((name for name, _ in different), default="")

    def depends_on_origin(self, near: Said) -> str:
        """The name of a header that depends on the request's Origin; `near` had none.

        CORS headers that do not echo the Origin are the same for every other site, and harmless without one.
        """
        cors = [pair for pair in self.headers if pair[0].lower().startswith(_CORS)]
        echoed = [name for name, value in cors if STRANGE_ORIGIN in value]
        is_open = any(value == "*" for _, value in cors)
        here, there = (
            [pair for pair in said.headers if pair not in cors and not (is_open and _is_vary(pair))]
            for said in (self, near)
        )
        return echoed[0] if echoed else self._replace(headers=here).differs(near._replace(headers=there))


def said_with(headers: list[tuple[str, str]], life: str) -> Said:
    """Reads the headers of one answer; `life` is a pattern of the framework's own Cache-Control."""
    found: list[tuple[str, str]] = []
    cookies: list[str] = []
    cache_control = problem = ""
    for name, value in headers:
        low = name.lower()
        if low == "set-cookie":
            cookies.append(value.partition("=")[0].strip())
        elif low == "cache-control":
            cache_control = value if not cache_control else f"{cache_control}, {value}"
        elif low == "content-encoding" and value.lower() != "identity":
            problem = f"the app sends its files encoded ({value}) to a client that asked for no coding"
        elif not _is_nginxs(low, value):
            found += [(name, value)] if low != "vary" else _vary(value)
    wrong = [name for name, value in found if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value))]
    if wrong or not _VALUE.fullmatch(cache_control):
        problem = problem or f"nginx cannot write its header {(wrong or ['Cache-Control'])[0]}"
    found = _for_any_origin(found)
    if life and re.fullmatch(life, cache_control):
        cache_control = ""
    return Said(sorted(found), cache_control, tuple(cookies), problem)


def _is_nginxs(name: str, value: str) -> bool:
    return (
        name in _OF_THE_FILE
        or _OF_THE_REQUEST.fullmatch(name) is not None
        or (name == "x-content-type-options" and value.strip().lower() == "nosniff")
        or (name == "content-disposition" and value.strip().lower().startswith("inline"))
        or name == "content-encoding"
    )


def _for_any_origin(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """An app that echoes an invented Origin lets any other site read: `*` means the same.

    With credentials it does not, and the answer stays unchanged.
    """
    said = {name.lower(): value for name, value in found}
    if said.get(_CORS + "allow-origin") != STRANGE_ORIGIN or _CORS + "allow-credentials" in said:
        return found
    made = [(name, "*" if name.lower() == _CORS + "allow-origin" else value) for name, value in found]
    return [pair for pair in made if not _is_vary(pair)]


def _is_vary(pair: tuple[str, str]) -> bool:
    """Whether the header says that the answer depends on the Origin and nothing else."""
    return (pair[0].lower(), pair[1].lower()) == ("vary", "origin")


def _vary(value: str) -> list[tuple[str, str]]:
    """Vary without Accept-Encoding, which nginx adds if it compresses."""
    names = [name.strip() for name in value.split(",")]
    left = [name for name in names if name and name.lower() != "accept-encoding"]
    return [("Vary", ", ".join(left))] if left else []


def type_problem(name: str, headers: list[tuple[str, str]]) -> str:
    """The Content-Type of an answer if neither nginx nor the framework would give it to a file with that name."""
    said = next((value for header, value in headers if header.lower() == "content-type"), "")
    kind = said.partition(";")[0].strip().lower()
    usual = mimetypes.guess_type(name)[0] or "application/octet-stream"
    own = _BY_SUFFIX.get(name.rpartition(".")[2].lower(), "application/octet-stream")
    return "" if not kind or kind in (usual, own) else kind
