"""The scope of an ASGI request, from the uwsgi packet that nginx sends for it.

nginx's own variables come first and are believed. After the last of them come the client's headers, of which the
fence removes those that this sender may not set.
"""

from __future__ import annotations

import time
from collections.abc import MutableMapping
from typing import Any, Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from portico.link.asgi.front import LONGEST, MOST_FRONTS, Front, names_until
from portico.link.fence import LONGEST_KNOWN, MOST_KNOWN, Fence
from portico.link.uwsgi import HEADER_SIZE, BadPacketError

Scope = MutableMapping[str, Any]
Headers = list[tuple[bytes, bytes]]

_LAST: Final = b"PORTICO_MSEC"
"""The last variable of nginx's own."""
_SENDER: Final = b"PORTICO_PROXY"
_VARIABLE: Final = b""
"""In a table of names: no header."""
_DROPPED: Final = b"\0"
"""A header that the app does not get."""
_NEVER: Final = frozenset((
    # nginx sends these two under CGI's names as well, and the worker's own are not for the app.
    *(b"HTTP_CONTENT_LENGTH", b"HTTP_CONTENT_TYPE"),
    *(b"HTTP_X_PORTICO_MSEC", b"HTTP_X_PORTICO_BEGAN", b"HTTP_X_PORTICO_PROXY"),
    b"HTTP_X_PORTICO_PEER",
))  # fmt: skip
TRACE: Final = b"HTTP_X_PORTICO_TRACE"
"""Kept among the variables: the header that asks for a trace."""
_VERSIONS: Final = {b"HTTP/1.0": "1.0", b"HTTP/1.1": "1.1", b"HTTP/2.0": "2", b"HTTP/3.0": "3"}
_METHODS: Final = {
    name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
}
_ASGI: Final = {"version": "3.0", "spec_version": "2.3"}
"""From 2.4 on frameworks expect that a send fails, and listen for no disconnect: a silent stream would never end."""
_SECONDS_BETWEEN: Final = 10.0
_PLAIN: Final = "/:@!$&'()*+,;=~"
"""What a path may contain as it is, beside letters, digits and `-._` (RFC 3986 3.3)."""


class _Names(dict[bytes, bytes]):
    """What becomes of variables, by name; `sender` None: nginx itself set them."""

    def __init__(self, sender: bytes | None) -> None:
        super().__init__()
        self.sender = sender


class Packets:
    """Reads packets. `mount` is the site's own prefix; a request's may begin with that of a proxy."""

    def __init__(self, fence: Fence | None, mount: str = "") -> None:
        self._fence = fence
        self._mount = mount
        self._own = _Names(None)
        self._of_sender = dict[bytes, _Names]()
        self._fronts: list[Front] = []
        """Those that were seen; the last used one first."""
        self._learns = 0.0
        """When another may take the place of the one that was not used for longest (time.monotonic)."""

    def read(self, data: bytes, end: int) -> tuple[dict[bytes, bytes], Headers]:
        """The variables and the headers of a packet that ends at `end`. BadPacketError if it is malformed."""
        fronts = self._fronts
        for number, front in enumerate(fronts if end <= LONGEST else ()):
            if found := front.read(data, end):
                if number:
                    fronts.insert(0, fronts.pop(number))
                at, variables, headers = found
                if at == end:
                    return variables, headers
                return self._rest(data, at, end, variables, headers, is_own=False)
        pair = self._rest(data, HEADER_SIZE, end, {}, [], is_own=True)
        if end <= LONGEST and (len(fronts) < MOST_FRONTS or time.monotonic() >= self._learns):
            self._remember(names_until(data, end, _LAST))
        return pair

    def _remember(self, names: tuple[bytes, ...]) -> None:
        """Clients choose some orders: those may not keep the usual ones out, nor cost much (10 ms to learn one)."""
        if not names or any(front.names == names for front in self._fronts):
            return
        if len(self._fronts) == MOST_FRONTS:
            self._fronts.pop()
            self._learns = time.monotonic() + _SECONDS_BETWEEN
        self._fronts.append(Front(names, self._kind))

    def _kind(self, name: bytes) -> bytes | None:
        kind = self._own.get(name)
        if kind is None:
            kind = self._learn(name, self._own)
        return None if kind is _DROPPED else kind

    def _rest(
        self, data: bytes, at: int, end: int, variables: dict[bytes, bytes], headers: Headers, *, is_own: bool
    ) -> tuple[dict[bytes, bytes], Headers]:
        """Reads on at `at`; `is_own`: nginx's own variables are not all read yet."""
        # The hottest loop of the link.
        known = self._own if is_own else self._names(variables.get(_SENDER, b"0"))
        try:
            while at < end:
                name_end = at + 2 + (data[at] | data[at + 1] << 8)
                name = data[at + 2 : name_end]
                at = name_end + 2 + (data[name_end] | data[name_end + 1] << 8)
                header = known.get(name)
                if header is None:
                    header = self._learn(name, known)
                if header == _VARIABLE:
                    variables[name] = data[name_end + 2 : at]
                    if name == _LAST and is_own:
                        is_own, known = False, self._names(variables.get(_SENDER, b"0"))
                elif header is not _DROPPED and (at > name_end + 2 or not is_own):
                    headers.append((header, data[name_end + 2 : at]))
        except IndexError:
            at = -1
        if at != end:
            raise BadPacketError(f"a uwsgi packet of {end} bytes whose lengths do not add up")
        if is_own and self._fence:
            # Nobody has said where the client's begin.
            headers = [pair for pair in headers if self._may(b"0", pair[0])]
        return variables, headers

    def scope(self, variables: dict[bytes, bytes], headers: Headers, state: dict[str, Any]) -> Scope:
        """The scope of an HTTP request. BadPacketError without a method."""
        get = variables.get
        method = get(b"REQUEST_METHOD")
        if not method:
            raise BadPacketError("a uwsgi packet without REQUEST_METHOD")
        if value := get(b"CONTENT_TYPE"):
            headers.append((b"content-type", value))
        if value := get(b"CONTENT_LENGTH"):
            headers.append((b"content-length", value))
        path, prefix, sent = get(b"PATH_INFO", b""), "", get(b"REQUEST_URI", b"")
        if mounted := get(b"SCRIPT_NAME"):
            prefix = mounted.rstrip(b"/").decode("latin-1")
        if prefix:
            outer = prefix.removesuffix(self._mount).encode("latin-1") if prefix != self._mount else b""
            raw_path = outer + _raw_path(sent, path.removeprefix(outer))
        else:
            raw_path = _raw_path(sent, path)
        return {
            "type": "http",
            "asgi": _ASGI.copy(),
            "http_version": _VERSIONS.get(get(b"SERVER_PROTOCOL", b""), "1.1"),
            "method": _METHODS.get(method) or method.decode("latin-1"),
            "scheme": get(b"REQUEST_SCHEME", b"http").decode("latin-1"),
            "path": path.decode("utf-8", "replace"),
            "raw_path": raw_path,
            "query_string": get(b"QUERY_STRING", b""),
            "root_path": prefix,
            "headers": headers,
            "client": (get(b"REMOTE_ADDR", b"").decode("latin-1"), _number(get(b"REMOTE_PORT", b""))),
            "server": (
                get(b"SERVER_NAME", b"localhost").decode("latin-1"),
                _number(get(b"SERVER_PORT", b"")),
            ),
            "state": state.copy(),
        }

    def _names(self, sender: bytes) -> _Names:
        return self._of_sender.setdefault(sender, _Names(sender))

    def _learn(self, name: bytes, known: _Names) -> bytes:
        """What becomes of a variable of this name: the name of its header, or one of the two marks."""
        if not name:
            raise BadPacketError("a uwsgi packet with a variable that has no name")
        header = _VARIABLE
        if name.startswith(b"HTTP_") and name != TRACE:
            header = name[5:].lower().replace(b"_", b"-")
            if name in _NEVER or not header or not self._may(known.sender, header):
                header = _DROPPED
        if len(known) < MOST_KNOWN and len(name) <= LONGEST_KNOWN:
            known[name] = header
        return header

    def _may(self, sender: bytes | None, header: bytes) -> bool:
        return self._fence is None or sender is None or self._fence.may(sender, header)


def _raw_path(sent: bytes, judged: bytes) -> bytes:
    """The path as the client wrote it, if it means the one that nginx has judged; else that one, quoted.

    Apps may choose the route by either: `/private/../open` must be the same place in both.
    """
    if sent == judged and b"?" not in sent and b"%" not in sent:
        return sent
    raw = sent.partition(b"?")[0]
    if (unquote_to_bytes(raw) if b"%" in raw else raw) == judged:
        return raw
    return quote_from_bytes(judged, _PLAIN).encode()


def content_length(variables: dict[bytes, bytes]) -> int:
    """The length of the body after the packet; BadPacketError if it is not a number."""
    text = variables.get(b"CONTENT_LENGTH")
    if not text:
        return 0
    if not text.isdigit() or len(text) > 18:
        raise BadPacketError(f"a uwsgi packet with CONTENT_LENGTH {text[:30]!r}")
    return int(text)


def _number(text: bytes) -> int:
    return int(text) if text.isdigit() else 0
