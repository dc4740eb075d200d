"""What the user wants, resolved: the options, the app's facts, and the origin of each setting."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from portico.reading import OURS, Reader
from portico.site.access.rule import AccessRule
from portico.site.environment import Environment
from portico.site.facts import AppFacts, LeftFolder, RootFile, StaticFolder
from portico.site.options import BELIEVED, DEFAULT_MAX_UPLOAD, Options
from portico.site.options.edge import Edge
from portico.site.options.https import HTTPS_FILES, HTTPS_PORTS_UP
from portico.site.own.model import OwnText
from portico.site.proxies import ROUTED
from portico.site.routing import RouteRule, answers_everything, is_below
from portico.site.upstream_server import Server
from portico.values import Address, Duration, Size

_SESSION_COOKIES = {"flask": "session", "django": "sessionid", "pyramid": "session"}
"""The frameworks' defaults."""


class Routed(Struct, frozen=True):
    """A URL rule with settings of its own, from the app or from [routes].

    `pattern` matches whole paths below the mount; `causes` has the origin of each key of `edge`.
    """

    rule: str
    pattern: str
    rank: tuple[int, ...]
    edge: Edge
    causes: Mapping[str, str] = field(default_factory=dict)


class Development(Struct, frozen=True):
    """How a site differs from itself in production (`site.variants.development`)."""

    set_aside: tuple[str, ...] = ()
    """The keys that the user has set and that do not hold, with their places."""


class Root(Struct, frozen=True):
    """A folder whose files the app may have nginx send: its real path, links resolved."""

    folder: str
    origin: str
    """The origin: `the app's instance folder`, `portico.toml:3: downloads.roots`."""
    is_declared: bool = False


class Site(Struct, frozen=True):
    """What the user wants, resolved: the options, the app's facts, and the origin of each setting.

    Relative paths start at `directory`, which is absolute; `causes` maps a dotted key to the place that set it
    ("portico.toml:3", "--listen"); a missing key is a default.
    """

    options: Options
    facts: AppFacts
    directory: str
    name: str
    causes: Mapping[str, str] = field(default_factory=dict)
    declared: tuple[StaticFolder, ...] = ()
    """The folders of [static], made absolute."""
    spa: str = ""
    """The absolute directory of the single-page app; empty when there is none."""
    spa_folders: tuple[StaticFolder, ...] = ()
    """The directories in it."""
    root_files: tuple[RootFile, ...] = ()
    """Files that nginx serves at the root: those of the single-page app, and the favicon."""
    hashed: frozenset[str] = frozenset()
    """URLs below the mount whose names contain a hash, by a build's manifest."""
    unhashed: frozenset[str] = frozenset()
    """URLs whose names contain none, by the same manifest."""
    pages: Mapping[str, str] = field(default_factory=dict)
    """The user's own error pages, by file name ("502.html")."""
    unused_pages: tuple[str, ...] = ()
    """Names of pages in the same directory that nginx never shows ("500.html")."""
    own: OwnText = field(default_factory=OwnText)
    """The user's own directives, with those read from files."""

    roots: tuple[Root, ...] = ()
    """The folders of [downloads], or those that the app probably sends files from."""
    password_file: str = ""
    """The file of [dashboard], absolute; empty for none."""
    metrics_password_file: str = ""
    """The file of [metrics], absolute; empty for none."""

    routed: tuple[Routed, ...] = ()
    """The routes with settings of their own, in the order in which they are tried."""

    access: tuple[AccessRule, ...] = ()
    """The access rules, the more specific before the general."""

    crawler_networks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By the name of a crawler, the networks that it really comes from."""

    before: Mapping[str, str] = field(default_factory=dict)
    """The static folders of the previous release, by URL: its pages may still request their files."""
    rules: tuple[RouteRule, ...] = ()
    """The rules of [[route]], in the order in which they are tried."""
    environment: Environment = field(default_factory=Environment)
    """The app's variables, from [env] and files."""
    origin: str = ""
    """The site's name for people on a gateway of several sites: its file, else its directory."""
    development: Development | None = None
    """With `--dev`; None in production."""
    reader: Reader = OURS
    """As whom the files are read that the options name."""

    @property
    def listen(self) -> Address:
        return self.options.listen or (
            Address("*", 80) if self.options.domains else Address("127.0.0.1", 8080)
        )

    @property
    def https_mode(self) -> str:
        """The origin of the certificate: auto, local or files; off for plain HTTP."""
        https = self.options.https
        if self.is_routed:
            return "off"
        if https.mode is not None:
            return https.mode
        return "auto" if self.options.email else "files" if https.cert else "off"

    @property
    def is_routed(self) -> bool:
        """Whether other sites of the gateway send it its requests: it has no address of its own."""
        return bool(self.options.routed_by)

    @property
    def has_https(self) -> bool:
        return self.https_mode != "off"

    @property
    def https_listen(self) -> Address:
        """The address for HTTPS; None without HTTPS."""
        return self.options.https.listen or Address(self.listen.host, self.listen.port + HTTPS_PORTS_UP)

    @property
    def public(self) -> Address:
        """The site's URL for people."""
        return self.https_listen if self.has_https else self.listen

    @property
    def https_files(self) -> dict[str, str]:
        """The files that [https] names, by key."""
        names = ("cert", "key", *HTTPS_FILES)
        return {name: self.path(text) for name in names if (text := getattr(self.options.https, name))}

    def path(self, text: str) -> str:
        """The absolute path that an option means, empty for none."""
        return text if not text or text.startswith("/") else f"{self.directory}/{text}"

    @property
    def max_upload(self) -> Size:
        if self.options.max_upload is not None:
            return self.options.max_upload
        said = self.facts.max_content_length
        # The app's 0 refuses every body; nginx's 0 allows any.
        return DEFAULT_MAX_UPLOAD if said is None else Size(max(1, said))

    @property
    def session_cookie(self) -> str:
        """The name of the app's session cookie; empty if unknown."""
        return (
            self.options.limits.session_cookie
            or self.facts.session_cookie
            or _SESSION_COOKIES.get(self.facts.kind, "")
        )

    @property
    def largest_upload(self) -> Size:
        """The largest body that any request may have; 0 is no limit."""
        sizes = [
            self.max_upload,
            *(item.edge.max_upload for item in self.routed if item.edge.max_upload is not None),
        ]
        return Size(0) if 0 in sizes else max(sizes)

    @property
    def longest_timeout(self) -> Duration:
        """The longest timeout of any request: draining and stopping wait for it."""
        own = [item.edge.timeout for item in self.routed if item.edge.timeout is not None]
        return max([self.options.request_timeout, *own])

    @property
    def prefix(self) -> str:
        """The mount without its trailing slash: "" or "/shop"."""
        return self.options.mount.rstrip("/")

    @property
    def is_asgi(self) -> bool:
        return self.facts.kind == "asgi"

    @property
    def servers(self) -> tuple[Server, ...]:
        """The servers of [upstream]; none when the local app answers alone."""
        return tuple(map(Server.parse, self.options.upstream.servers))

    @property
    def proxies(self) -> list[str]:
        """The proxies whose headers name the client: those of `behind` and the gateways of a node, or the site that
        routes here.
        """
        return [ROUTED] if self.is_routed else [*self.options.behind, *self.options.node.gateways]

    @property
    def believed(self) -> frozenset[str]:
        """The headers that a declared proxy may set, beside the client's address."""
        if not self.proxies:
            return frozenset()
        if self.options.behind_headers is not None:
            return frozenset(self.options.behind_headers)
        if self.is_routed:  # the site that routes here removes listed names, the worker whole families
            return frozenset({"scheme"})
        return frozenset(() if self.has_proxy_protocol else BELIEVED)

    @property
    def has_proxy_protocol(self) -> bool:
        """Whether each connection to the site's addresses begins with the client's address (PROXY protocol)."""
        return self.options.behind_protocol == "proxy" and not self.is_routed

    @property
    def has_http_proxies(self) -> bool:
        """Whether proxies in front set HTTP headers. A TCP balancer passes on the client's own."""
        return bool(self.proxies) and (not self.has_proxy_protocol or bool(self.believed))

    @property
    def is_traced(self) -> bool:
        """Whether every request belongs to a trace."""
        return bool(self.options.tracing.endpoint)

    @property
    def has_app(self) -> bool:
        """Whether Portico runs an app."""
        return self.facts.kind != "remote"

    @property
    def has_gateway(self) -> bool:
        """Whether Portico runs a web server for it; else one in another container opens the socket of [node]."""
        return not self.options.node.socket

    @property
    def is_ruled(self) -> bool:
        """Whether [[route]] answers everything: then the site has neither an app nor servers of its own."""
        return any(map(answers_everything, self.options.route))

    def is_wanted(self, folder: StaticFolder) -> bool:
        """Whether the user asked for that folder: then it is an error if nginx cannot serve it."""
        return folder in self.declared or folder in self.spa_folders

    @property
    def static(self) -> list[StaticFolder]:
        """The folders that nginx serves; the user's win over the app's, and the single-page app is last."""
        found: dict[str, StaticFolder] = {}
        for folder in (*self.declared, *self.facts.static, *self.spa_folders):
            found.setdefault(folder.url, folder)
        left = {folder.url for folder in self.left}
        return [
            folder for folder in found.values()
            if folder.url not in left and (folder in self.declared or not self.goes_elsewhere(folder.url))
        ]  # fmt: skip

    def goes_elsewhere(self, url: str) -> bool:
        """Whether a rule sends every request of that URL, which is below the mount, somewhere else."""
        path = self.prefix + url.rstrip("/") or "/"
        rules = (one for one in self.rules if one.is_plain and one.is_elsewhere and one.path != "/")
        return any(is_below(path, one.path) for one in rules)

    @property
    def left(self) -> list[LeftFolder]:
        """The folders that the app serves itself; one that [static] names is public, because its owner says so."""
        declared = {folder.url for folder in self.declared}
        return [folder for folder in self.facts.left if folder.url not in declared]

    def cause(self, key: str) -> str:
        """The origin of `key`: `portico.toml:3: max_upload = 64MiB`, or `max_upload: default`."""
        place = self.causes.get(key)
        return f"{place}: {key}" if place else f"{key}: default"
