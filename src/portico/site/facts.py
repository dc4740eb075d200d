"""What the app says about itself, as it comes from the child process that asked it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class StaticFolder(msgspec.Struct, frozen=True):
    """A folder of files under a URL. `url` begins and ends with a slash, `folder` is absolute."""

    url: str
    folder: str
    origin: str
    """Who said so: `the app's static folder`, `blueprint 'admin'`, `[static]` ..."""
    headers: tuple[tuple[str, str], ...] = ()
    """What the app says with each of its files beyond what every server says: [["X-Frame-Options", "DENY"]]."""
    cache_control: str = ""
    """The app's own Cache-Control, the same for each file; empty: nginx decides by the file's name."""
    is_asked: bool = False
    """Code of the app's own has a say about these files: what is no GET is the app's to answer."""


class LeftFolder(msgspec.Struct, frozen=True):
    """A static folder of the app that nginx must not send, because the app may protect it. `why` is a clause."""

    url: str
    folder: str
    origin: str
    why: str


class RootFile(msgspec.Struct, frozen=True):
    """One file that nginx serves at the root: /favicon.ico. `path` is absolute."""

    url: str
    path: str
    origin: str
    headers: tuple[tuple[str, str], ...] = ()
    """As those of the folder that the file is from."""
    cache_control: str = ""
    is_asked: bool = False


class Route(msgspec.Struct, frozen=True):
    """One URL rule of the app, in the app's own spelling."""

    rule: str
    methods: list[str] = []
    endpoint: str = ""
    websocket: bool = False
    pattern: str = ""
    """The rule as a regular expression for the whole path; empty when it cannot be one."""
    rank: int = 0
    """Its turn when the app looks for the route of a request; the first that matches answers."""
    edge: dict[str, Any] = {}
    """What `portico.edge` noted on its view, as it stands there: {"timeout": "5m"}."""
    where: str = ""
    """Where the view with the notes stands: "/srv/shop/shop.py:14"."""


class Rule(msgspec.Struct, frozen=True):
    """Paths that the app does not answer with 404 of its own, or may not."""

    rule: str
    """In the app's own spelling."""
    pattern: str = ""
    """As a regular expression for the whole path; empty when it cannot be one."""
    methods: list[str] = []
    """Every method that it takes there, HEAD among them; empty: all, or it is not known."""


class Unrouted(msgspec.Struct, frozen=True):
    """What the app does with a path that none of its rules matches."""

    rules: list[Rule] = []
    """All of them, those of apps below a prefix, too."""
    slashes: Literal["", "append", "either"] = ""
    """Where it redirects to a rule: to the path with a slash at its end, or to the one with or without it."""
    merges: bool = False
    """It takes several slashes for one."""
    answers: list[str] = []
    """Code that may give such a path another answer than 404, and where it stands."""
    page: str = ""
    """Who makes the app's own page for 404; empty: its framework."""


class Risk(msgspec.Struct, frozen=True):
    """Something that the app has wide open, or does once in every worker."""

    kind: Literal[
        "debugger",
        "debug",
        "testing",
        "cookie",
        "hosts",
        "header",
        "scheduler",
        "thread",
        "memory",
        "unknown",
    ]
    """`debugger` runs any code for strangers; `cookie` counts with HTTPS only, `memory` with several workers."""
    what: str
    hint: str
    name: str = ""
    """What a list of such risks calls it: `ITEMS (shop.py:14)`."""


class Secret(msgspec.Struct, frozen=True):
    """What a secret key of the app is like; the key itself never leaves the process that imported the app."""

    name: str
    length: int
    """In bytes."""
    strength: Literal["known", "short", "guessable", "good"]
    digest: str
    """Equal for equal keys within one check, where all processes have the same salt."""
    where: str = ""
    """The place in a file that git tracks which has it literally: `settings.py:12`."""


class AppFacts(msgspec.Struct, frozen=True):
    """What the app says about itself; a plain WSGI callable says little, and `notes` say so."""

    app: str
    """The resolved reference, `module:attribute` or `module:factory()`, as Gunicorn takes it."""
    directory: str
    """Absolute directory the module is imported from; the server's working directory."""
    kind: Literal["flask", "django", "pyramid", "wsgi", "asgi", "remote"] = "wsgi"
    """`remote`: there is no local app, every server is elsewhere."""
    version: str = ""
    """The framework's version."""
    unicode: str = "14.0.0"
    """The version of Unicode of the app's Python, which says what a digit is."""
    static: list[StaticFolder] = []
    left: list[LeftFolder] = []
    """Static folders that stay the app's, whose answers to a stranger nginx cannot give."""
    never_kept: list[str] = []
    """Patterns of paths whose answers no cache may keep: the framework marks protected files public, too."""
    static_versions: list[str] = []
    """Query arguments that the app's own URLs of static files carry: `v` for /static/app.css?v=1f3a."""
    static_max_age: int | None = None
    """Seconds for which the app lets browsers keep static files without asking; None: they ask."""
    session_cookie: str = ""
    """The cookie of its sessions, where it has another name than the framework gives it."""
    max_content_length: int | None = None
    downloads: dict[str, str] = {}
    """Directories of files that the app is likely to send, and what each is to it: `the app's instance folder`."""
    routes: list[Route] = []
    unrouted: Unrouted | None = None
    """None: not all of its rules are known."""
    notes: list[str] = []
    """What could not be asked, one sentence each."""
    remedy: str = ""
    """The command of the app's own that makes or updates its database, to be typed in `directory`."""
    one_process: str = ""
    """Why more worker processes than one are wrong for certain, as a sentence without its full stop."""
    lost: dict[str, str] = {}
    """Views with notes of `portico.edge` that no route reaches: where they stand, and their names."""
    risks: list[Risk] = []
    secrets: list[Secret] = []
    """Only when they were asked for."""

    @property
    def is_starlette(self) -> bool:
        """Whether it is an app of Starlette or FastAPI: of ASGI frameworks, their routes alone are read."""
        return self.kind == "asgi" and self.unrouted is not None
