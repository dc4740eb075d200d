"""What the user wants, resolved: the options, the app's facts, and who said what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from portico.reading import OURS, Reader
from portico.site.access.rule import AccessRule
from portico.site.facts import AppFacts, LeftFolder, RootFile, StaticFolder
from portico.site.options import BELIEVED, DEFAULT_MAX_UPLOAD, Options
from portico.site.options.edge import Edge
from portico.site.options.https import HTTPS_FILES, HTTPS_PORTS_UP
from portico.site.own import Own, OwnFile
from portico.site.upstream_server import Server
from portico.values import Address, Duration, Size

_SESSION_COOKIES = {"flask": "session", "django": "sessionid", "pyramid": "session"}
"""What frameworks call it unless the app says otherwise."""


@dataclass(frozen=True)
class Routed:
    """A URL rule with settings of its own, from the app or from [routes].

    `pattern` matches whole paths below the mount; `causes` says who set each key of `edge`.
    """

    rule: str
    pattern: str
    rank: tuple[int, ...]
    edge: Edge
    causes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Root:
    """A folder whose files nginx may send when the app says so: its real path, links resolved."""

    folder: str
    origin: str
    """Who said so: `the app's instance folder`, `portico.toml:3: downloads.roots`."""
    is_declared: bool = False


@dataclass(frozen=True)
class Site:
    """What the user wants, resolved: the options, the app's facts, and who said what.

    `directory` is the absolute directory that relative paths mean; `causes` maps a dotted key to the place
    that set it ("portico.toml:3", "--listen"); what is not there is a default.
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
    """URLs below the mount whose name a build's manifest gave a hash of the content."""
    unhashed: frozenset[str] = frozenset()
    """URLs that the same manifest says have none."""
    pages: Mapping[str, str] = field(default_factory=dict)
    """The user's own error pages, by file name ("502.html")."""
    unused_pages: tuple[str, ...] = ()
    """Names of pages beside them that nginx never shows ("500.html")."""
    nginx_http: tuple[Own, ...] = ()
    nginx_server: tuple[Own, ...] = ()
    """The user's own nginx directives, read from their files where they are in files."""
    own_files: Sequence[OwnFile] = ()
    """What those directives name and nginx's workers read."""

    roots: tuple[Root, ...] = ()
    """The folders of [downloads], or those the app is likely to send files from."""
    password_file: str = ""
    """The file of [dashboard], made absolute; empty for none."""
    metrics_password_file: str = ""
    """That of [metrics]."""

    routed: tuple[Routed, ...] = ()
    """The routes with settings of their own, in the order in which they are tried."""

    access: tuple[AccessRule, ...] = ()
    """Who may come to which paths, the inner rule before the outer."""

    before: Mapping[str, str] = field(default_factory=dict)
    """The static folders of the release that this one replaces, by URL: its pages may still ask for their files."""
    origin: str = ""
    """What a gateway of several sites calls this one to people: its file, else its directory."""
    reader: Reader = OURS
    """As whom the files are read that the options name."""

    @property
    def listen(self) -> Address:
        return self.options.listen or (
            Address("*", 80) if self.options.domains else Address("127.0.0.1", 8080)
        )

    @property
    def https_mode(self) -> str:
        """Where the certificate comes from: auto, local or files; off for plain HTTP."""
        https = self.options.https
        if https.mode is not None:
            return https.mode
        return "auto" if self.options.email else "files" if https.cert else "off"

    @property
    def has_https(self) -> bool:
        return self.https_mode != "off"

    @property
    def https_listen(self) -> Address:
        """Where HTTPS is spoken, when it is."""
        return self.options.https.listen or Address(self.listen.host, self.listen.port + HTTPS_PORTS_UP)

    @property
    def public(self) -> Address:
        """Where people come to see the site."""
        return self.https_listen if self.has_https else self.listen

    @property
    def https_files(self) -> dict[str, str]:
        """The files that [https] names, by their keys."""
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
        # The app's 0 refuses every body; nginx's 0 would refuse none.
        return DEFAULT_MAX_UPLOAD if said is None else Size(max(1, said))

    @property
    def session_cookie(self) -> str:
        """The cookie that tells the app's sessions apart; empty where it is not known."""
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
        """The longest that any request may take: what draining and stopping wait for."""
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
        """Who in front may say who the client is: what `behind` names, and the gateways of a node."""
        return [*self.options.behind, *self.options.node.gateways]

    @property
    def believed(self) -> frozenset[str]:
        """What a declared proxy may say in headers, beside the client's address."""
        if not self.proxies:
            return frozenset()
        if self.options.behind_headers is not None:
            return frozenset(self.options.behind_headers)
        return frozenset(() if self.has_proxy_protocol else BELIEVED)

    @property
    def has_proxy_protocol(self) -> bool:
        """Whether each connection to the site's addresses begins with the client's address (PROXY protocol)."""
        return self.options.behind_protocol == "proxy"

    @property
    def has_http_proxies(self) -> bool:
        """Whether proxies in front write HTTP headers. A TCP balancer passes on those of the client."""
        return bool(self.proxies) and (not self.has_proxy_protocol or bool(self.believed))

    @property
    def is_traced(self) -> bool:
        """Whether every request belongs to a trace."""
        return bool(self.options.tracing.endpoint)

    @property
    def own_directives(self) -> tuple[Own, ...]:
        """All directives of the user's own, wherever they stand."""
        return (*self.nginx_http, *self.nginx_server)

    @property
    def has_app(self) -> bool:
        """Whether an app is run here."""
        return self.facts.kind != "remote"

    def is_wanted(self, folder: StaticFolder) -> bool:
        """Whether the user asked for that folder: one that cannot be served is an error then."""
        return folder in self.declared or folder in self.spa_folders

    @property
    def static(self) -> list[StaticFolder]:
        """Folders nginx serves; what the user declares wins over what the app says, and the single-page app is last."""
        found: dict[str, StaticFolder] = {}
        for folder in (*self.declared, *self.facts.static, *self.spa_folders):
            found.setdefault(folder.url, folder)
        left = {folder.url for folder in self.left}
        return [folder for folder in found.values() if folder.url not in left]

    @property
    def left(self) -> list[LeftFolder]:
        """Folders that stay the app's; one that [static] names is public, because its owner says so."""
        declared = {folder.url for folder in self.declared}
        return [folder for folder in self.facts.left if folder.url not in declared]

    def cause(self, key: str) -> str:
        """Who decided `key`: `portico.toml:3: max_upload = 64MiB`, or `max_upload: default`."""
        place = self.causes.get(key)
        return f"{place}: {key}" if place else f"{key}: default"
