"""Rules for headers, in [headers], [cors] and routes. No value can end a header or begin another."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping

from portico.site.checks.https import mode_of
from portico.site.checks.rule import Broken, Rules
from portico.site.options import Options
from portico.site.options.cors import Cors

CSP, CSP_REPORTS = "content-security-policy", "content-security-policy-report-only"
FRAME_OPTIONS, FRAME_ANCESTORS = "x-frame-options", "frame-ancestors"
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?")
_VALUE = re.compile(r"[\x20-\x7e]*")
_MOST = 2000
"""nginx does not read a word of its configuration that is longer than 4096 bytes with its quotes."""
_OF_ONE_ANSWER = {
    **dict.fromkeys(
        ("accept-ranges", "age", "allow", "alt-svc", "cache-status", "connection", "content-disposition",
         "content-encoding", "content-length", "content-location", "content-range", "content-type", "date", "etag",
         "keep-alive", "last-modified", "location", "proxy-authenticate", "retry-after", "set-cookie", "te",
         "trailer", "transfer-encoding", "upgrade", "vary", "www-authenticate"),
        "it describes one answer: leave it to the app and the gateway",
    ),
    **dict.fromkeys(
        ("cache-control", "expires", "pragma"),
        "it describes one answer: set it in the app, or use cache and private of a route (docs/routes.md)",
    ),
    "x-request-id": "Portico sends it with each answer: the ID of the log line",
}  # fmt: skip
"""Headers that cannot have one value for every response, and what to do."""
_DIRECTIVES = frozenset(
    ("default-src", "script-src", "script-src-elem", "script-src-attr", "style-src", "style-src-elem",
     "style-src-attr", "img-src", "font-src", "connect-src", "media-src", "object-src", "child-src", "frame-src",
     "worker-src", "manifest-src", "prefetch-src", "fenced-frame-src", "base-uri", "form-action", FRAME_ANCESTORS,
     "sandbox", "report-uri", "report-to", "upgrade-insecure-requests", "block-all-mixed-content",
     "require-trusted-types-for", "trusted-types", "navigate-to", "plugin-types"),
)  # fmt: skip
_KEYWORDS = frozenset(
    ("self", "none", "unsafe-inline", "unsafe-eval", "unsafe-hashes", "strict-dynamic", "report-sample",
     "wasm-unsafe-eval", "inline-speculation-rules"),
)  # fmt: skip
_BARE = re.compile(r"(?:nonce-|sha(?:256|384|512)-).+")
_ORIGIN = re.compile(
    r"[a-z][a-z0-9+.-]*://(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*"
    r"|\[[0-9a-f:.]+\])(?::[1-9]\d{0,4})?"
)
_DEFAULT_PORT = re.compile(r"http://.*:80|https://.*:443")
_METHOD = re.compile(r"[A-Z]+")
_LONGEST_PREFLIGHT = 86400
"""Browsers cap the age at this."""


def broken_headers(values: Mapping[str, str], *, has_https: bool = False) -> Iterator[tuple[str, str, str]]:
    """For each header that cannot be sent: its name, what is wrong, and what to do."""
    seen: dict[str, str] = {}
    for name, value in values.items():
        low = name.lower()
        for what, hint in [*_broken_name(name, has_https=has_https), *_broken_value(value)]:
            yield name, what, hint
        if low in (CSP, CSP_REPORTS):
            yield from ((name, what, hint) for what, hint in _broken_policy(value))
        if low in seen:
            yield name, f"is set twice, also as {seen[low]}", "header names are case-insensitive: remove one"
        seen[low] = name


def is_name(text: str) -> bool:
    """Whether it is a valid header name."""
    return _NAME.fullmatch(text) is not None


def _broken_name(name: str, *, has_https: bool) -> Broken:
    low = name.lower()
    if not is_name(name):
        yield "is not the name of a header", "expected letters, digits and dashes, such as X-Robots-Tag"
    elif low in _OF_ONE_ANSWER:
        yield "cannot be set here", _OF_ONE_ANSWER[low]
    elif low.startswith("access-control-"):
        yield "cannot be set here", "[cors] sends it to the origins that it names (docs/headers.md)"
    elif low == "strict-transport-security" and has_https:
        yield "is sent already", "set its max-age with https.hsts"
    elif low == "server":
        yield "is the gateway's own", "headers.remove can remove it, if the build supports that"
    elif low.startswith(("x-accel-", "x-portico")):
        yield "is a header between the gateway and the app", "choose another name"


def _broken_value(value: str) -> Broken:
    if "\n" in value or "\r" in value:
        yield "contains a line end, which would begin another header", "write the value on one line"
    elif not _VALUE.fullmatch(value):
        yield (
            "contains a character that is not printable ASCII",
            "expected ASCII letters, digits, spaces and punctuation",
        )
    elif value.lower().startswith("expr="):
        yield (
            "begins with expr=, which Apache httpd would take for an expression",
            "use a value that does not",
        )
    elif "$" in value:
        yield "contains a $, which the gateway would take for a variable", "use a value without one"
    elif value != value.strip():
        yield "begins or ends with a space", "remove it"
    elif len(value) > _MOST:
        yield f"has {len(value)} characters", f"expected at most {_MOST}"


def _broken_policy(policy: str) -> Broken:
    """What a browser would ignore in a policy, or read differently than it was meant."""
    seen = set[str]()
    for directive in filter(None, map(str.strip, policy.split(";"))):
        name, *sources = directive.split()
        low = name.lower()
        if low not in _DIRECTIVES:
            near = difflib.get_close_matches(low, _DIRECTIVES, n=1)
            hint = f"did you mean {near[0]}?" if near else "expected one such as default-src; a `;` ends each"
            yield f'contains "{name}", which is not a CSP directive', hint
        elif low in seen:
            yield f"contains {low} twice; browsers use the first", "write its sources into one"
        seen.add(low)
        for source in sources:
            word = source.lower()
            if word in _KEYWORDS or _BARE.fullmatch(word):
                yield f"has {source} without quotes, which means a host name", f"write '{source}'"
            elif word.startswith("'nonce-"):
                hint = "a nonce must be new in each answer: let the app send the policy"
                yield "contains a nonce, which would be the same in each answer", hint


def _csp(options: Options) -> Broken:
    policy = options.headers.csp
    yield from _broken_value(policy)
    yield from _broken_policy(policy)
    names = {name.lower() for name in options.headers.set}
    if policy and names & {CSP, CSP_REPORTS}:
        yield "headers.set contains the policy, too", "remove one of them"


def _csp_report_only(options: Options) -> Broken:
    headers = options.headers
    if headers.csp_report_only and not headers.csp and headers.preset == "off":
        yield "there is no policy to report on", "add headers.csp, or a preset"


def _frames(options: Options) -> Broken:
    frames = options.headers.frames
    for entry in frames:
        if entry not in ("none", "self"):
            yield from _broken_origin(entry)
    if "none" in frames and len(frames) > 1:
        yield '"none" stands alone', "remove it, or the others"
    names = {name.lower() for name in options.headers.set}
    if frames and FRAME_ANCESTORS in options.headers.csp.lower():
        yield f"headers.csp sets {FRAME_ANCESTORS}, too", "remove it there"
    elif frames and names & {FRAME_OPTIONS, CSP, CSP_REPORTS}:
        yield "headers.set sets the same header, too", "remove it there, or say it there alone"


def _remove(options: Options) -> Broken:
    for name in options.headers.remove:
        if not is_name(name):
            yield f'"{name}" is not the name of a header', "expected one such as X-Runtime"
        elif name.lower() in _OF_ONE_ANSWER:
            yield f"{name} cannot be removed", "clients and caches need it"


def _origins(options: Options) -> Broken:
    origins = options.cors.origins
    if "*" in origins:
        if len(origins) > 1:
            yield '"*" is every origin', "remove the others"
        if options.cors.credentials:
            yield (
                '"*" with credentials would show every site what its visitors see here',
                "name the origins, or remove credentials",
            )
        return
    for entry in origins:
        yield from _broken_origin(entry)
    if not origins and options.cors != Cors():
        yield "no origin is named: the rest of [cors] has no effect", "add origins"


def _broken_origin(entry: str) -> Broken:
    hint = (
        "expected scheme and host as browsers write them, like https://app.example or http://localhost:5173"
    )
    if entry == "null":
        yield (
            '"null" is the origin of every sandboxed frame and local file',
            "name the origins that you mean",
        )
    elif _DEFAULT_PORT.fullmatch(entry):
        yield f'"{entry}" names the default port, which browsers omit', f"write {entry.rpartition(':')[0]}"
    elif not _ORIGIN.fullmatch(entry):
        yield f'"{entry}" is not an origin', hint


def _methods(options: Options) -> Broken:
    for method in options.cors.methods:
        if not _METHOD.fullmatch(method):
            yield f'"{method}" is not a method', "expected one such as GET or DELETE, in capitals"
    if not options.cors.methods:
        yield "no method is named", "name at least GET"


def _cors_headers(options: Options) -> Broken:
    yield from _names_or_all(options.cors.headers)


def _expose(options: Options) -> Broken:
    yield from _names_or_all(options.cors.expose)
    if "*" in options.cors.expose and options.cors.credentials:
        yield '"*" has no meaning for requests with credentials', "name the headers"


def _names_or_all(names: Iterable[str]) -> Broken:
    names = list(names)
    for name in names:
        if name != "*" and not is_name(name):
            yield f'"{name}" is not the name of a header', "expected one such as Authorization, or *"
    if "*" in names and len(names) > 1:
        yield '"*" is every header', "remove the others"


def _max_age(options: Options) -> Broken:
    if not 0 <= options.cors.max_age <= _LONGEST_PREFLIGHT:
        yield f"{options.cors.max_age} is out of range", "expected 0s (never cached) to 1d"


def has_https(options: Options) -> bool:
    """Whether Portico sends Strict-Transport-Security by itself."""
    return mode_of(options) != "off" and options.https.hsts != "off"


HEADER_RULES: Rules = {
    "headers.csp": _csp,
    "headers.csp_report_only": _csp_report_only,
    "headers.frames": _frames,
    "headers.remove": _remove,
    "cors.origins": _origins,
    "cors.methods": _methods,
    "cors.headers": _cors_headers,
    "cors.expose": _expose,
    "cors.max_age": _max_age,
}
