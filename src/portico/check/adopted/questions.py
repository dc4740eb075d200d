"""What is asked of both: paths of the URL map, odd spellings, headers that a client may forge, and bodies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from portico.project.adopt.adopt import Made

_MOST_PATHS = 20
_LARGE = 2 << 20
_ODD = ("//double//slash", "/a%2Fb", "/a/./b/../c", "/q?x=1&y=%20z", "/caf%C3%A9")
FORGED = ("X-Forwarded-For: 198.51.100.66", "X-Real-IP: 198.51.100.66", "X-Forwarded-Proto: https",
          "X-Forwarded-Host: forged.example", "Remote-User: admin")  # fmt: skip
FORGED_WORDS = ("198.51.100.66", "forged.example")


class Question(Struct, frozen=True):
    """One request. `name` is for people."""

    name: str
    method: str
    path: str
    host: str
    is_secure: bool = False
    headers: tuple[str, ...] = ()
    body: int = 0


def questions(made: Made, paths: Sequence[str], files: Mapping[str, str]) -> Iterator[Question]:
    """For one site; `paths` are those of its URL map, `files` URLs of files that are there, by their folder's URL."""
    domains = made.site.value("domains")
    names = domains if isinstance(domains, tuple) else ()
    canonical = made.site.value("canonical")
    plain = [name for name in names if not name.startswith("*.")]
    host = canonical if isinstance(canonical, str) else next(iter(plain), "") or _of(names) or "localhost"
    secure = made.site.value("https", "cert") is not None
    for path in ["/", *paths[:_MOST_PATHS], *_ODD]:
        yield Question(f"GET {path}", "GET", path, host, secure)
    for url, file in files.items():
        yield Question(f"GET {file}", "GET", file, host, secure)
        yield Question(f"GET {url.rstrip('/')}../", "GET", f"{url.rstrip('/')}../", host, secure)
    yield Question("HEAD /", "HEAD", "/", host, secure)
    yield Question("GET / with forged headers", "GET", "/", host, secure, FORGED)
    yield Question("POST a small body", "POST", "/form", host, secure, ("Content-Type: text/plain",), 100)
    yield Question("POST 2 MiB", "POST", "/upload", host, secure, ("Content-Type: text/plain",), _LARGE)
    yield Question("an unknown Host", "GET", "/", "unknown.example", secure)
    for other in plain:
        if other != host:
            yield Question(f"Host {other}", "GET", "/page?x=1", other, secure)
    if secure:
        yield Question("http instead of https", "GET", "/page?x=1", host, is_secure=False)


def _of(names: tuple[str, ...]) -> str:
    return f"a{names[0][1:]}" if names else ""
