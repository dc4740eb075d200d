"""What every probe compares with: the page as it is, and what is known of who serves it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from portico.check.model import Finding
from portico.check.outside.client import Answer, Client
from portico.check.outside.codes import OUTSIDE
from portico.check.outside.target import Target

_LINKS = re.compile(r"""(?:href|src|action|content)\s*=\s*["']?([^"'\s>]+)""", re.IGNORECASE)
_MOST_PAGES = 3
_ID = re.compile(r"[0-9a-f]{32}")


class Look(Struct, frozen=True):
    """The page that was named, a few of its neighbours, and whether Portico serves them."""

    client: Client
    page: Answer
    is_portico: bool

    @property
    def target(self) -> Target:
        return self.client.target

    def paths(self) -> list[str]:
        """The page and pages of the same site that it links to."""
        found = [self.target.path]
        for link in links(self.page):
            path = own_path(link, self.target)
            if path and "." not in path.rpartition("/")[2] and "logout" not in path.lower():
                found.append(path)
        return list(dict.fromkeys(found))[:_MOST_PAGES]

    def ok(self, what: str, code: str) -> Finding:
        return Finding("ok", self.target.authority, what, "", code)

    def warning(self, where: str, what: str, hint: str, code: str, option: str = "") -> Finding:
        return Finding("warning", where, what, self._hint(hint, option), code, OUTSIDE[code].harm)

    def fault(self, where: str, what: str, hint: str, code: str, option: str = "") -> Finding:
        return Finding("fault", where, what, self._hint(hint, option), code, OUTSIDE[code].harm)

    def _hint(self, hint: str, option: str) -> str:
        return f"portico.toml: {option}" if self.is_portico and option else hint


def look_at(client: Client) -> Look:
    """Raises UnreachableError."""
    page = client.get()
    health = client.get("/-/health")
    is_portico = health.body.strip() == b"ok" and bool(_ID.fullmatch(health.header("X-Request-ID")))
    return Look(client, page, is_portico)


def links(answer: Answer) -> Iterator[str]:
    """The addresses in a page."""
    yield from (found[1] for found in _LINKS.finditer(answer.text))


def own_path(link: str, target: Target) -> str:
    """The path of a link that stays at the site; empty for every other."""
    for start in (f"{target.scheme}://{target.authority}/", f"//{target.authority}/"):
        if link.startswith(start):
            link = link[len(start) - 1 :]
    path = link.partition("#")[0].replace("&amp;", "&")
    is_own = path.startswith("/") and not path.startswith("//")
    return path if is_own and re.fullmatch(r"[!-~]+", path) else ""
