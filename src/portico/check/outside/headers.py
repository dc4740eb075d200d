"""Headers that protect visitors, and those that tell strangers too much."""

from __future__ import annotations

import re
from collections.abc import Iterator

from portico.check.model import Finding
from portico.check.outside.client import Answer
from portico.check.outside.look import Look

_VERSION = re.compile(r"[\w.-]+/\d+(?:\.\d+)+")
_TELLING = ("Server", "X-Powered-By", "X-AspNet-Version", "X-Generator", "Via")
_STRICT = 'headers = "strict"'
_SESSION = re.compile(r"sess|sid|auth|token|login|remember|jwt", re.IGNORECASE)
_READ_BY_SCRIPTS = re.compile(r"csrf|xsrf", re.IGNORECASE)


def header_findings(look: Look) -> Iterator[Finding]:
    found = [*_missing(look), *_versions(look), *_cookies(look), *_cors(look)]
    yield from found
    if not found:
        yield look.ok("headers protect visitors, and tell no versions", "url-headers")


def _missing(look: Look) -> Iterator[Finding]:
    page = look.page
    policy = page.header("Content-Security-Policy")
    wanted = {
        "X-Content-Type-Options: nosniff": "nosniff" in page.header("X-Content-Type-Options").lower(),
        "X-Frame-Options or frame-ancestors": bool(page.header("X-Frame-Options"))
        or "frame-ancestors" in policy,
        "Referrer-Policy": bool(page.header("Referrer-Policy")),
        "Content-Security-Policy": bool(policy or page.header("Content-Security-Policy-Report-Only")),
    }
    missing = [name for name, is_there in wanted.items() if not is_there]
    if missing:
        what = f"missing: {', '.join(missing)}"
        hint = "nginx: add_header ... always, in each block that has an add_header of its own; or let the app send them"
        yield look.warning("headers", what, hint, "url-headers", _STRICT)


def _versions(look: Look) -> Iterator[Finding]:
    told = [
        f"{name}: {value}"
        for name in _TELLING
        for value in look.page.all(name)
        if name == "X-Powered-By" or _VERSION.search(value)
    ]
    if told:
        hint = "nginx: server_tokens off, proxy_hide_header X-Powered-By"
        yield look.warning(
            "headers", f"the answers show what runs here: {'; '.join(told)}", hint, "url-versions", _STRICT
        )


def _cookies(look: Look) -> Iterator[Finding]:
    for cookie in look.page.all("Set-Cookie"):
        name, _, rest = cookie.partition("=")
        flags = {part.strip().partition("=")[0].lower() for part in rest.split(";")[1:]}
        lacks = [
            flag
            for flag, is_wanted in {
                "Secure": look.target.is_secure,
                "HttpOnly": bool(_SESSION.search(name)) and not _READ_BY_SCRIPTS.search(name),
                "SameSite": bool(_SESSION.search(name)),
            }.items()
            if is_wanted and flag.lower() not in flags
        ]
        if lacks:
            what = f"the cookie has no {', no '.join(lacks)}"
            hint = (
                "set it in the app: SESSION_COOKIE_SECURE, SESSION_COOKIE_HTTPONLY, SESSION_COOKIE_SAMESITE"
            )
            yield look.warning(f"cookie {name.strip()}", what, hint, "url-cookies")


def _cors(look: Look) -> Iterator[Finding]:
    origin = f"https://{look.client.mark}.example"
    answer = look.client.get("", f"Origin: {origin}")
    with_cookies = answer.header("Access-Control-Allow-Credentials").lower() == "true"
    if answer.header("Access-Control-Allow-Origin") == origin and with_cookies:
        what = "any site may read answers with a visitor's cookies: its origin is repeated, and credentials are allowed"
        hint = "name the origins, or allow none; never repeat what the client says"
        yield look.fault(
            "Access-Control-Allow-Origin", what, hint, "url-cors", '[cors] origins = ["https://app.example"]'
        )


def missing_there(page: Answer, answer: Answer) -> list[str]:
    """Headers that the page has and this answer has not."""
    names = ("X-Content-Type-Options", "Strict-Transport-Security", "X-Frame-Options")
    return [name for name in names if page.header(name) and not answer.header(name)]
