"""A stranger asks for a public page first, and everybody else gets what nginx kept of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

from tests.attack.headers import NAMES
from tests.attack.target import Target

_OTHERS = {
    "If-Match": '"x"',
    "If-None-Match": "*",
    "If-Modified-Since": "Thu, 01 Jan 2099 00:00:00 GMT",
    "If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT",
    "If-Range": '"x"',
    "Range": "bytes=0-0",
    "Accept": "text/x-evil",
    "Upgrade": "websocket",
    "Expect": "100-continue",
    "X-HTTP-Method-Override": "DELETE",
    "X-Portico-Trace": "/tmp/x",
    "X-Accel-Redirect": "/static/.env",
    "X-Accel-Expires": "9999",
    "Cache-Control": "max-stale",
    "Surrogate-Control": "max-age=9",
    "X-Portico": "evil",
    "Transfer-Encoding": "identity",
}
_OF_DOCUMENTS = {
    "Origin": "https://evil.example",
    "Accept-Encoding": "evil",
    "X-Broken": "1",
    "X-Failing": "1",
}
"""Headers that make a page which answers conditions and ranges say something else."""
_TOKENS = ("", "0", " ", "Bearer evil", "Basic ZXZpbDpldmls", "false", "no")
_SURE = (
    "HTTP_HOST",
    "wsgi.url_scheme",
    "scheme",
    "REMOTE_ADDR",
    "client",
    "PATH_INFO",
    "SCRIPT_NAME",
    "root_path",
)


def attack(target: Target) -> Iterator[tuple[str, str]]:
    """(case, finding or "") for each header a stranger may send before others ask."""
    yield from _poisoned(target)
    yield from _shared(target)
    yield from _documents(target)


def _poisoned(target: Target) -> Iterator[tuple[str, str]]:
    clean = target.run.get("/public/clean").json()["told"]
    cases = {name: "6.6.6.6" for name in NAMES if name not in ("Host",)} | _OTHERS
    for number, (name, value) in enumerate(cases.items()):
        path = f"/public/{number}"
        target.get(path, name, value)
        answer = target.run.get(path)
        yield f"{name}: {value}", _wrong(answer.status_code, answer.text, clean, path)


def _wrong(status: int, text: str, clean: dict[str, str], path: str) -> str:
    if status != 200:
        return f"others get {status}"
    told = json.loads(text)["told"]
    differing = [name for name in _SURE if told.get(name) != clean.get(name) and "PATH" not in name]
    if differing:
        return f"others get the attacker's {differing}"
    return (
        "others get the attacker's address"
        if "6.6.6.6" in text and path not in text.split("6.6.6.6")[0]
        else ""
    )


def _shared(target: Target) -> Iterator[tuple[str, str]]:
    """A request with credentials always reaches the app, whatever stands in it, and nothing of it is kept.

    Empty ones are none, if they are none to the app.
    """
    for number, token in enumerate(_TOKENS):
        if not token.strip():
            path = f"/public/empty-{number}"
            is_told = b"HTTP_AUTHORIZATION" in target.get(path, "Authorization", token)
            before = len(target.calls())
            target.run.get(path)
            is_kept = len(target.calls()) == before
            yield (
                f"Authorization: {token!r}",
                "the app sees it, and it is kept" if is_told and is_kept else "",
            )
            continue
        path = f"/public/token-{number}"
        target.run.get(path)
        before = len(target.calls())
        target.get(path, "Authorization", token)
        asked = len(target.calls()) > before
        yield f"Authorization: {token!r} of a kept page", "" if asked else "was answered from the cache"
        fresh = f"/public/fresh-{number}"
        target.get(fresh, "Authorization", token)
        before = len(target.calls())
        target.run.get(fresh)
        asked = len(target.calls()) > before
        yield f"Authorization: {token!r} of a new page", "" if asked else "was kept for others"


def _documents(target: Target) -> Iterator[tuple[str, str]]:
    """A page that answers conditions and ranges, new to the cache and again when it is too old."""
    cases = dict(enumerate((_OTHERS | _OF_DOCUMENTS).items()))
    for number in cases:
        target.get(f"/public/old/doc-{number}", "Accept", "*/*")
    time.sleep(2.5)  # an attack later than this finds nothing wrong either
    for number, (name, value) in cases.items():
        for path in (f"/public/doc-{number}", f"/public/old/doc-{number}"):
            for _ in range(2):
                target.get(path, name, value)
            yield f"{name}: {value} of {path}", _odd(target.get(path, "Accept", "*/*"))


def _odd(answer: bytes) -> str:
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.partition(b" ")[2][:3].decode()
    if status != "200":
        return f"others get {status}"
    if b"evil" in head:
        return "others get headers made for the attacker"
    return "" if body.endswith(b"}") or b"chunked" in head else "others get a part"
