"""Pages of other origins: the answer to a browser's question before a request, and the headers of every answer."""

from __future__ import annotations

from collections.abc import Iterator

from portico.plan.gateway.httpd.entry.trust import setting
from portico.plan.gateway.httpd.names import OWN
from portico.plan.gateway.httpd.syntax import Directive, directive, regex, value
from portico.plan.web.headers import Cors
from portico.plan.web.model import Web

_FETCH = "https://fetch.spec.whatwg.org/#http-cors-protocol"
_ALLOW = "Access-Control-Allow-Origin"
_ORIGIN, _PREFLIGHT, _ASKED = "PORTICO_ORIGIN", "PORTICO_PREFLIGHT", "PORTICO_CORS_ASKED"
_UNLESS = f"-z resp('{_ALLOW}')"
"""The app has not said itself who may read its answer."""


def cors_settings(web: Web) -> list[Directive]:
    """In a virtual host: the origin that may read the answers, and whether this request only asks for that."""
    cors = web.headers.cors
    return [] if cors is None else [*_origins(cors), *_questions(cors)]


def preflight_rules(web: Web) -> list[Directive]:
    """Rules before every guard: the app, limits and passwords have no part in the answer."""
    cors = web.headers.cors
    if cors is None:
        return []
    why = "a browser asks before a request of another origin; the answer is in the head"
    return [
        directive("RewriteCond", f"%{{ENV:{_PREFLIGHT}}}", "=1", why=why, cause=cors.cause, source=_FETCH),
        directive("RewriteRule", "^", "-", "[R=204,L]", why=why, cause=cors.cause, source=_FETCH),
    ]


def cors_headers(web: Web) -> list[Directive]:
    """In a virtual host: the headers of every answer, and those of the answer to such a question."""
    cors = web.headers.cors
    if cors is None:
        return []
    made = list[Directive]()
    allowed, own = f"-n reqenv('{_ORIGIN}')", "httpd's own answers without a page have it, too"
    for name, text, reason in _said(cors):
        # Allow-Origin is the last: the others ask whether the app has said it.
        made.append(_header(cors, "set", name, text, f"expr={allowed} && {_UNLESS}", reason))
        made.append(
            _header(cors, "always", "set", name, text, f"expr={allowed} && {OWN}", f"{reason}; {own}")
        )
    if cors.origins:
        apart = "caches must keep the answers to different origins apart"
        made.append(_header(cors, "merge", "Vary", "Origin", apart))
        made.append(_header(cors, "always", "set", "Vary", "Origin", f"expr={OWN}", f"{apart}; {own}"))
    return [*made, *_answer(cors)]


def _answer(cors: Cors) -> list[Directive]:
    """The headers of the answer to such a question alone."""
    why = "what a page of that origin may ask, and how many seconds the browser need not ask again"
    asked = ", ".join(cors.headers)
    said = {
        "Access-Control-Allow-Methods": (value(", ".join(cors.methods)), f"env={_PREFLIGHT}"),
        "Access-Control-Allow-Headers": (
            (value(asked), f"env={_PREFLIGHT}")
            if asked
            else (f"%{{{_ASKED}}}e", f"expr=-n reqenv('{_PREFLIGHT}') && -n reqenv('{_ASKED}')")
        ),
        "Access-Control-Max-Age": (str(cors.max_age), f"env={_PREFLIGHT}"),
    }
    return [_header(cors, "always", "set", name, text, when, why) for name, (text, when) in said.items()]


def _said(cors: Cors) -> Iterator[tuple[str, str, str]]:
    if cors.has_credentials:
        yield "Access-Control-Allow-Credentials", "true", "with cookies and Authorization"
    if cors.expose:
        yield (
            "Access-Control-Expose-Headers",
            value(", ".join(cors.expose)),
            "headers that the page may read",
        )
    yield _ALLOW, f"%{{{_ORIGIN}}}e", "the page's origin, where it may read the answer"


def _header(cors: Cors, *words: str) -> Directive:
    *args, why = words
    return directive("Header", *args, why=why, cause=cors.cause, source=_FETCH)


def _origins(cors: Cors) -> Iterator[Directive]:
    why = "the origin of the page that asks, where it may read the answers"
    if not cors.origins:
        yield setting("true", f"{_ORIGIN}=*", "every origin may read the answers", cors.cause)
    for one in cors.origins:
        pattern = regex(one)
        if "*." in one:  # a wildcard stands for one or more labels, unlike in a certificate
            start, end = (regex(part) for part in one.split("*.", 1))
            pattern = rf"{start}(?:[a-z0-9_-]+\.)+{end}"
        yield setting(f"req_novary('Origin') =~ m#^({pattern})$#", f"{_ORIGIN}=$1", why, cors.cause)


def _questions(cors: Cors) -> Iterator[Directive]:
    asks = "%{REQUEST_METHOD} == 'OPTIONS' && -n req_novary('Access-Control-Request-Method')"
    lets_in = f"-n reqenv('{_ORIGIN}') && -n req_novary('Origin')"
    why = "a question before a request, from an origin that may; the app gets any other"
    yield setting(f"{asks} && {lets_in}", f"{_PREFLIGHT}=1", why, cors.cause)
    if not cors.headers:
        why = "the request headers that the browser asks about: any may be sent"
        condition = "req_novary('Access-Control-Request-Headers') =~ /^([A-Za-z0-9, -]+)$/"
        yield setting(condition, f"{_ASKED}=$1", why, cors.cause)
