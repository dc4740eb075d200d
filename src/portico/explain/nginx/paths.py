"""The path of a request as nginx compares it."""

from __future__ import annotations

import re

_ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")


def normalised(target: str, *, merges: bool = True) -> str:
    """The path as nginx compares it: decoded once, `.` and `..` resolved, slashes merged. ValueError: answered 400."""
    if target.partition("?")[0] and not target.startswith("/"):
        raise ValueError("the path does not begin with /")
    raw = target.partition("?")[0].partition("#")[0]
    if re.search(r"%(?![0-9A-Fa-f]{2})", raw) or "%00" in raw:
        raise ValueError("a % that is not followed by two hexadecimal digits, or %00: nginx answers 400")
    plain = _ENCODED.sub(lambda found: bytes([int(found[1], 16)]), raw.encode("utf-8", "surrogateescape"))
    text = plain.decode("utf-8", "surrogateescape")
    out, parts = "/", text[1:].split("/")
    for number, part in enumerate(parts):
        is_last = number == len(parts) - 1
        if part == "..":
            out = _up(out)
        elif part == "" and not is_last:
            out += "" if merges and out.endswith("/") else "/"
        elif part not in (".", ""):
            out += part + ("" if is_last else "/")
    return out


def _up(out: str) -> str:
    """One directory up, as ngx_http_parse_complex_uri walks back."""
    at = len(out) - 2
    if at < 0:
        raise ValueError("the path leads above /: nginx answers 400")
    while at > 0 and out[at - 1] != "/":
        at -= 1
    return out[:at]
