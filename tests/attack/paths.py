"""A stranger asks for files that are not meant for the network, in every spelling of a path."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from tests.attack.target import SECRET, Target

HIDDEN = (
    ".env",
    ".git/config",
    "x.py",
    "x.pyc",
    "page.j2",
    "app.css.bak",
    "app.css~",
    "deep/.htpasswd",
    "deep/y.py",
    "settings.txt",
    "out/settings.py",
    "out/.env",
)
"""Below the static folder."""
LINKS = ("settings.txt",)
ABOVE = ("settings.py", ".env", "app.py", "portico.toml", "instance/app.db", "stdout.txt", "stderr.txt")
"""Beside it."""
FRONT = (
    "/static/",
    "//static/",
    "///static/",
    "/./static/",
    "/x/../static/",
    "/%73tatic/",
    "/static//",
    "/static/./",
    "/static/deep/../",
    "//static//",
    "/static%2F",
    "/STATIC/",
    "/static;/",
    "/static/%2e/",
)
UP = (
    "/static../",
    "/static/../",
    "/static/..%2f",
    "/static/%2e%2e/",
    "/static/%2e%2e%2f",
    "/static/deep/../../",
    "/static/..\\",
    "//static/../",
    "/static//../",
    "/static/..;/",
    "/static/%252e%252e/",
    "/static/.%2e/",
    "/static/out/",
    "/static/%c0%ae%c0%ae/",
    "/",
)
TAIL = ("", "/", "%00", "%20", ".", "?x=1", "%2f")
INTERNAL = (
    "/-/download/",
    "/-/download/0/",
    "/-/file/",
    "/-/copies/",
    "/-/errors/",
    "/-/",
    "/@portico_down",
    "/-/health/app/",
    "//-/download/",
    "/%2d/download/",
    "/-/Download/",
)
BOUND = (".env", "settings.py", "etc/passwd", "app.py", "../settings.py", "..%2fsettings.py")


def attack(target: Target) -> Iterator[tuple[str, str]]:
    """(case, finding or "") for each path."""
    for path in dict.fromkeys(_paths()):
        answer = target.run.raw(
            f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode("latin-1")
        )
        leaks = any(word in answer for word in (SECRET.encode(), b"root:x:", b"def saw(", b"[static]"))
        yield path, "its content was sent" if leaks else ""


def _paths() -> Iterator[str]:
    for front, name, tail in product(FRONT, HIDDEN, TAIL):
        if name in LINKS and front.startswith("//"):
            continue  # the app's own static view answers these, and follows its own links (docs/static.md)
        yield front + name + tail
        yield front + name.replace(".", "%2e") + tail
    for up, name in product(UP, ABOVE):
        yield up + name
        yield up + name.replace(".", "%2E")
    for inside, name in product(INTERNAL, BOUND):
        yield inside + name
