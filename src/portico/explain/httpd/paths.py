"""The path of a request as httpd compares it, and its ways to compare."""

from __future__ import annotations

import re

from portico.explain.pcre import search

_ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")
_WILD = re.compile(r"[*?\[]")


def normalised(target: str, *, slashes: str = "off", merges: bool = True) -> str:
    """The path decoded once, `.` and `..` resolved, slashes merged: ap_normalize_path.

    `slashes` is AllowEncodedSlashes, in small letters. ValueError: httpd answers 400 or 404 itself.
    """
    raw = target.partition("?")[0].partition("#")[0]
    if raw and not raw.startswith("/"):
        raise ValueError("the path does not begin with /")
    if re.search(r"%(?![0-9A-Fa-f]{2})", raw):
        raise ValueError("a % that is not followed by two hexadecimal digits: httpd answers 400")
    if "%00" in raw or (slashes == "off" and re.search("%2f", raw, re.I)):
        raise ValueError("%00, or %2F without AllowEncodedSlashes: httpd answers 404")
    data = raw.encode("utf-8", "surrogateescape")
    keeps = rb"2f" if slashes == "nodecode" else rb"(?!)"
    plain = _ENCODED.sub(
        lambda one: one[0] if re.fullmatch(keeps, one[1], re.I) else bytes([int(one[1], 16)]), data
    )
    return _resolved(plain.decode("utf-8", "surrogateescape"), merges=merges)


def _resolved(text: str, *, merges: bool) -> str:
    parts, kept = text.split("/")[1:], list[str]()
    for number, part in enumerate(parts):
        is_last = number == len(parts) - 1
        if part == "..":
            if not kept:
                raise ValueError("the path leads above /: httpd answers 400")
            kept.pop()
        elif part != "." and (part or is_last or not merges):
            kept.append(part)
            continue
        if is_last and part in (".", ".."):
            kept.append("")
    return "/" + "/".join(kept)


def matched(prefix: str, path: str) -> int | None:
    """How many letters of the path a prefix of Alias or ProxyPass takes, whole parts only; None: it does not match."""
    at, rest = 0, prefix
    while rest and at < len(path):
        if rest[0] == "/":
            if path[at] != "/":
                return None
            rest = rest.lstrip("/")
            at += len(path[at:]) - len(path[at:].lstrip("/"))
        elif rest[0] != path[at]:
            return None
        else:
            rest, at = rest[1:], at + 1
    if rest or (prefix and not prefix.endswith("/") and at < len(path) and path[at] != "/"):
        return None
    return at


def is_wild(pattern: str) -> bool:
    return bool(_WILD.search(pattern))


def fits(pattern: str, text: str, *, parts: bool) -> bool:
    """apr_fnmatch; with `parts`, a wildcard stands for no slash."""
    return search(rf"\A(?:{_regex(pattern, parts=parts)})\Z", text, re.DOTALL)


def _regex(pattern: str, *, parts: bool) -> str:
    one, made, at = "[^/]" if parts else ".", "", 0
    while at < len(pattern):
        sign = pattern[at]
        end = pattern.find("]", at + 2) if sign == "[" else -1
        if sign in "*?":
            made += one + ("*" if sign == "*" else "")
        elif end > 0:
            inner = pattern[at + 1 : end].replace("\\", "\\\\")
            made += "[" + (f"^{inner[1:]}" if inner[0] in "!^" else inner) + "]"
            at = end
        elif sign == "\\" and at + 1 < len(pattern):
            at += 1
            made += re.escape(pattern[at])
        else:
            made += re.escape(sign)
        at += 1
    return made
