"""A routing rule: the requests that it takes, and where they go."""

from __future__ import annotations

import re

from msgspec import Struct

from portico.site.options.route import Route
from portico.site.upstream_server import APP, Server

REDIRECTS = (301, 302, 303, 307, 308)
PAGES = (200, 400, 401, 403, 404, 410, 429, 451, 500, 501, 503)
_NOT_FOUND = 404
_SITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,40}")
_URL = re.compile(
    r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9.-]*)(:\d{1,5})?(?P<path>/[!#%&-;=?-Z_a-z~@]*)?"
)
_PATH = re.compile(r"/(?!/)[!#%&-;=?-Z_a-z~@]*")
_SHARE = re.compile(r"(\d{1,2}(?:\.\d{1,2})?)%", re.ASCII)
_SERVER = re.compile(r"(https?|uwsgi|fastcgi)://|unix:")
_EXPECTED = (
    'expected the name of a site ("api"), a server ("http://10.0.0.2:8000", "unix:/run/api.sock", '
    '"uwsgi://10.0.0.2:3031", "fastcgi://10.0.0.2:9000"), '
    'a folder ("./public/"), a redirect ("308 /new/"), a page ("410 gone.html") or "404"'
)


class ToSite(Struct, frozen=True):
    """Another site that the same gateway runs."""

    name: str


class ToServer(Struct, frozen=True):
    """A server that Portico does not run."""

    server: Server


class ToFolder(Struct, frozen=True):
    """The files of a folder, as in [static]."""

    folder: str


class ToRedirect(Struct, frozen=True):
    """A redirect; `url` is a path or a URL. One without a path keeps that of the request, and its query."""

    status: int
    url: str

    @property
    def keeps_path(self) -> bool:
        found = _URL.fullmatch(self.url)
        return found is not None and not found["path"]


class ToPage(Struct, frozen=True):
    """The same page for every request; without a file it is the site's own page of that status."""

    status: int
    file: str
    text: str = ""
    """The content of the file, once it was read."""


RouteTarget = ToSite | ToServer | ToFolder | ToRedirect | ToPage


class Conditions(Struct, frozen=True):
    """What a request must have beside the path; `*` is any value. `share` is a percentage, 0 for all clients."""

    hosts: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    cookies: tuple[tuple[str, str], ...] = ()
    share: float = 0.0

    @property
    def count(self) -> int:
        """How many there are."""
        return (
            bool(self.hosts) + bool(self.methods) + len(self.headers) + len(self.cookies) + bool(self.share)
        )


class RouteRule(Struct, frozen=True):
    """`path` is "/" or has no slash at its end: the rule takes it and everything below it. `number` counts the tables
    of the file from 1.
    """

    number: int
    path: str
    target: RouteTarget
    strips: bool = False
    cause: str = ""
    conditions: Conditions = Conditions()

    @property
    def is_elsewhere(self) -> bool:
        """Whether it leads away from the site's own files."""
        return not isinstance(self.target, ToFolder)

    @property
    def is_plain(self) -> bool:
        """Whether the path alone decides."""
        return not self.conditions.count

    @property
    def word(self) -> str:
        """What people call it."""
        match self.target:
            case ToSite(name):
                return name
            case ToServer(server):
                return server.name
            case ToFolder(folder):
                return folder
            case ToRedirect(status, url):
                return f"{status} {url}"
            case ToPage(status, file):
                return f"{status} {file}".rstrip()


def target(text: str) -> RouteTarget:
    """The target of `to`. Raises ValueError with what was expected."""
    status, space, rest = text.partition(" ")
    if space and status.isascii() and status.isdigit():
        return _answer(int(status), rest.strip())
    if _SERVER.match(text):
        server = Server.parse(text)
        if server.weight != 1 or server.is_backup:
            raise ValueError(
                "expected one server; several share requests with [upstream] of a site of their own"
            )
        return ToServer(server)
    if text == str(_NOT_FOUND):
        return ToPage(_NOT_FOUND, "")
    if re.fullmatch("[0-9]{3}", text):
        raise ValueError('expected where it leads after the status, like "308 /new/" or "410 gone.html"')
    if text.endswith("/"):
        return ToFolder(text)
    if _SITE.fullmatch(text) and text != APP:
        return ToSite(text)
    raise ValueError(_EXPECTED)


def _answer(status: int, rest: str) -> RouteTarget:
    if status in REDIRECTS:
        if not _URL.fullmatch(rest) and not _PATH.fullmatch(rest):
            raise ValueError(
                'expected a path or a URL after the status, like "308 /new/" or "301 https://new.example"'
            )
        return ToRedirect(status, rest)
    if status not in PAGES:
        known = ", ".join(map(str, (*REDIRECTS, *PAGES)))
        raise ValueError(f"expected one of these statuses: {known}")
    if not rest.endswith((".html", ".json")):
        raise ValueError('expected a .html or .json file after the status, like "410 gone.html"')
    return ToPage(status, rest)


def rule(number: int, said: Route, cause: str = "") -> RouteRule:
    """The rule of one [[route]]. Raises ValueError for a target that is none."""
    conditions = Conditions(
        hosts=tuple(map(str.lower, said.host)),
        methods=tuple(dict.fromkeys([*said.method, *(["HEAD"] if "GET" in said.method else [])])),
        headers=tuple(said.header.items()),
        cookies=tuple(said.cookie.items()),
        share=percentage(said.share) if said.share else 0.0,
    )
    return RouteRule(number, said.path.rstrip("/") or "/", target(said.to), said.strip, cause, conditions)


def percentage(text: str) -> float:
    """The number of "10%". Raises ValueError."""
    found = _SHARE.fullmatch(text)
    if not found or not 0 < (share := float(found[1])) < 100:
        raise ValueError('expected a percentage between 0 and 100, with two decimals at most, like "10%"')
    return share


def answers_everything(said: Route) -> bool:
    """Whether a [[route]] takes all that no other takes: a site with one has no app of its own."""
    has_conditions = any((said.host, said.method, said.header, said.cookie, said.share))
    return said.path == "/" and not has_conditions


def page_name(one: RouteRule) -> str:
    """The name of the rule's page among the error pages."""
    assert isinstance(one.target, ToPage)
    return f"route-{one.number}.{one.target.file.rpartition('.')[2]}"


def by_rank(rules: tuple[RouteRule, ...]) -> tuple[RouteRule, ...]:
    """The rules in the order in which they are tried: the longest path first, then more conditions, then the order of
    the file.
    """
    return tuple(sorted(rules, key=lambda one: (-len(one.path), -one.conditions.count, one.number)))


def is_below(path: str, rule: str) -> bool:
    """Whether the rule's path is this one, or contains it."""
    return rule == "/" or path == rule or path.startswith(f"{rule}/")
