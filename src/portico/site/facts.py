"""The app's facts, as the child process that imported it reports them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

DJANGO_STATIC_ROOT = "Django's STATIC_ROOT"
"""The origin of that folder."""


class StaticFolder(msgspec.Struct, frozen=True):
    """A folder of files under a URL. `url` begins and ends with a slash, `folder` is absolute."""

    url: str
    folder: str
    origin: str
    """The origin: `the app's static folder`, `blueprint 'admin'`, `[static]` ..."""
    headers: tuple[tuple[str, str], ...] = ()
    """Headers that the app adds to each of its files: [["X-Frame-Options", "DENY"]]."""
    cache_control: str = ""
    """The app's own Cache-Control, the same for each file; empty: nginx decides by the file's name."""
    is_asked: bool = False
    """The app's own code handles these files: the app answers every method except GET."""


class LeftFolder(msgspec.Struct, frozen=True):
    """A static folder that nginx must not serve because the app may protect it. `why` is a clause."""

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
    """The headers of the folder that the file is from."""
    cache_control: str = ""
    is_asked: bool = False


class Route(msgspec.Struct, frozen=True):
    """One URL rule of the app, in the app's own spelling."""

    rule: str
    methods: list[str] = []
    endpoint: str = ""
    websocket: bool = False
    pattern: str = ""
    """The rule as a regular expression for the whole path; empty if there is no exact one."""
    rank: int = 0
    """Its position when the app looks for a request's route; the first match answers."""
    edge: dict[str, Any] = {}
    """The `portico.edge` settings of its view, as written: {"timeout": "5m"}."""
    where: str = ""
    """Where the view with the settings is: "/srv/shop/shop.py:14"."""


class Rule(msgspec.Struct, frozen=True):
    """Paths that the app answers, or may answer, with something other than its own 404."""

    rule: str
    """In the app's own spelling."""
    pattern: str = ""
    """As a regular expression for the whole path; empty if there is no exact one."""
    methods: list[str] = []
    """The methods that it accepts, with HEAD; empty: all, or unknown."""


class Unrouted(msgspec.Struct, frozen=True):
    """What the app does with a path that matches none of its rules."""

    rules: list[Rule] = []
    """All rules, with those of apps mounted below a prefix."""
    slashes: Literal["", "append", "either"] = ""
    """When it redirects to a rule: to the path with a slash appended, or with the slash added or removed."""
    merges: bool = False
    """It treats repeated slashes as one."""
    answers: list[str] = []
    """Code that may answer such a path with something other than 404, and where it is."""
    page: str = ""
    """The origin of the app's own 404 page; empty: its framework."""


class Risk(msgspec.Struct, frozen=True):
    """A risk in the app: something it exposes, or does once in every worker."""

    kind: Literal[
        "debugger",
        "debug",
        "testing",
        "hosts",
        "scheduler",
        "thread",
        "memory",
        "unknown",
    ]
    """`debugger` lets strangers run code; `memory` matters with several workers."""
    what: str
    hint: str
    name: str = ""
    """The label of the places in a list of such risks: `ITEMS (shop.py:14)`."""


class Secret(msgspec.Struct, frozen=True):
    """Properties of one of the app's secret keys; the key itself never leaves the process that imported the app."""

    name: str
    length: int
    """Its length in bytes."""
    strength: Literal["known", "short", "guessable", "good"]
    digest: str
    """A digest: equal for equal keys within one check, where all processes share the salt."""
    where: str = ""
    """The place of the literal key in a file that git tracks: `settings.py:12`."""


class Cookie(msgspec.Struct, frozen=True):
    """How the app marks a cookie that says who somebody is; `names` are the settings that do so, by the mark."""

    what: str
    """Such as `the session's cookie`."""
    names: dict[str, str]
    secure: bool
    httponly: bool | None
    """None: the framework decides, or scripts may read it by design."""
    samesite: str
    """In lower case; empty when it is not set."""
    domain: str = ""
    path: str = ""
    title: str = ""
    """The cookie's own name: browsers demand more of one that begins with `__Host-` or `__Secure-`."""


class ProxyLayer(msgspec.Struct, frozen=True):
    """Middleware that reads what proxies say, or a setting in its place."""

    name: str
    counts: dict[str, int] = {}
    """How many proxies it counts for each header: {"x_for": 2}."""
    prefix: str | None = None
    """What it takes for the beginning of every path, without a slash at its end; None where it does not say."""
    scheme: str = ""


Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]


class Pool(msgspec.Struct, frozen=True):
    """Connections to a database that the threads of one process share: at most so many, 0 for no bound."""

    name: str
    most: int
    seconds: Seconds
    """How long a thread waits for one."""


class Wait(msgspec.Struct, frozen=True):
    """A time that the app may wait for something of its own."""

    name: str
    seconds: Seconds


class AppSettings(msgspec.Struct, frozen=True):
    """What is right or wrong in the app by what is in front of it; as the app has it, however it was set."""

    cookies: list[Cookie] = []
    hosts: list[str] | None = None
    """Names that it answers; None: any."""
    hosts_name: str = ""
    """The setting that says so."""
    to_https: str = ""
    """What redirects plain HTTP to HTTPS; empty for nothing."""
    scheme_header: list[str] = []
    """The header that says the scheme, as CGI calls it, and its value for HTTPS."""
    layers: list[ProxyLayer] = []
    body: int | None = None
    """The largest body in bytes that it takes, files of forms aside; None: no limit, or MAX_CONTENT_LENGTH has it."""
    pools: list[Pool] = []
    waits: list[Wait] = []
    per_thread: list[str] = []
    """Objects of the app's own modules that have other contents in each thread (threading.local)."""
    databases: dict[str, str] = {}
    """Absolute paths of files that are databases, and where they are named."""
    keyless: str = ""
    """Where a session is used, though there is no key for it."""


Framework = Literal["", "flask", "django", "pyramid", "starlette"]


class AppFacts(msgspec.Struct, frozen=True):
    """The facts of the app. A plain WSGI callable has few; `notes` says so."""

    app: str
    """The resolved reference as Gunicorn takes it: `module:attribute` or `module:factory()`."""
    directory: str
    """The absolute directory that the module is imported from; the server's working directory."""
    kind: Literal["flask", "django", "pyramid", "wsgi", "asgi", "remote"] = "wsgi"
    """`remote`: there is no local app, every server is elsewhere."""
    framework: Framework = ""
    """Where `kind` does not say it: of an ASGI app (FastAPI's is Starlette), or of one elsewhere."""
    version: str = ""
    """The framework's version."""
    unicode: str = "14.0.0"
    r"""The Unicode version of the app's Python, which defines the digits of `\d`."""
    static: list[StaticFolder] = []
    left: list[LeftFolder] = []
    """Static folders that the app serves itself, because nginx cannot give the app's responses to an anonymous
    client.
    """
    never_kept: list[str] = []
    """Patterns of paths whose responses no cache may store: the framework marks protected files public, too."""
    static_versions: list[str] = []
    """Query arguments in the app's own URLs of static files: `v` in /static/app.css?v=1f3a."""
    static_max_age: int | None = None
    """The max-age in seconds that the app sets for static files; None: browsers revalidate."""
    session_cookie: str = ""
    """The app's session cookie, if it is not the framework's default."""
    max_content_length: int | None = None
    downloads: dict[str, str] = {}
    """Directories that the app probably sends files from, and the role of each: `the app's instance folder`."""
    routes: list[Route] = []
    unrouted: Unrouted | None = None
    """None: not all of its rules are known."""
    notes: list[str] = []
    """Questions that could not be answered, one sentence each."""
    remedy: str = ""
    """The app's command that creates or migrates its database, to be run in `directory`."""
    database: str = ""
    """A module that opens connections to a database, if the app has one."""
    one_process: str = ""
    """Why several worker processes would certainly be wrong, as a sentence without its full stop."""
    lost: dict[str, str] = {}
    """Views with `portico.edge` settings that no route reaches: where they are, and their names."""
    risks: list[Risk] = []
    secrets: list[Secret] = []
    """Only if they were asked for, like the next."""
    settings: AppSettings = AppSettings()
    is_known: bool = True
    """False where nobody has asked the app yet: it may have any route."""

    @property
    def router(self) -> Framework:
        """The framework by whose order and patterns routes are chosen; empty if it is not known."""
        match self.kind:
            case "flask" | "django" | "pyramid":
                return self.kind
            case _:
                return self.framework
