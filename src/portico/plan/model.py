"""How it will run: processes, files, and the reason for each line. Values only."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from msgspec import Struct

from portico.plan.appserver.kind import AppServer, process_kind
from portico.plan.paths import release_socket
from portico.reading import OURS, Reader
from portico.values import Address

CONF = "{conf}"
"""Stands in a Process for the directory its files were written to; see `Process.at`."""


class Line(Struct, frozen=True):
    """One line of a file, and why it is there. A Struct, as Directive is: a gateway's plan has 250 000 of them.

    `cause` is the option or fact that decided it, `source` a link to read on. `is_users` marks what the
    user placed there; a line without words of its own (a blank, a closing brace) has no reason.
    """

    text: str
    why: str = ""
    source: str = ""
    cause: str = ""
    is_users: bool = False


@dataclass(frozen=True)
class File:
    """A file to write, by its path below the configuration directory."""

    path: str
    lines: tuple[Line, ...]
    mode: int = 0o644
    group: str = ""
    """Who may read it beside its owner, where the mode says so; empty: our own group."""
    is_secret: bool = False
    """What is in it is shown to nobody."""

    @property
    def content(self) -> str:
        return "".join(f"{line.text}\n" for line in self.lines)


@dataclass(frozen=True)
class Directory:
    """A directory that must exist before anything starts; `owner` is a user name, empty for our own."""

    path: str
    mode: int
    owner: str = ""
    group: str = ""
    is_secret: bool = False
    """Nobody but its owner may enter, nginx's user neither."""


@dataclass(frozen=True)
class Process:
    """A program to run: an argv, never a shell line. `env` is added to the inherited environment."""

    name: str
    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str] = field(default_factory=dict)
    why: str = ""
    user: str = ""
    """The user it runs as; empty: the user of Portico."""

    def at(self, conf: str) -> tuple[str, ...]:
        """The argv with the configuration directory filled in."""
        return tuple(word.replace(CONF, conf) for word in self.argv)


@dataclass(frozen=True)
class Ladder:
    """Every time that follows from `request_timeout`, in seconds, each rung above the one before it."""

    read_seconds: float
    """nginx gives up waiting for the app: 504."""
    deadline_seconds: float
    """the worker logs the stack of a request that nginx has given up on."""
    drain_seconds: float
    """a server that was told to leave finishes what it has."""
    stop_seconds: float
    """Portico ends what has not left."""
    service_seconds: float
    """systemd's or Kubernetes' patience with Portico."""
    heartbeat_seconds: float
    """Gunicorn replaces a worker whose main thread was silent; above the deadline, below nothing."""

    @classmethod
    def of(cls, request_seconds: float) -> Ladder:
        return cls(
            read_seconds=request_seconds,
            deadline_seconds=request_seconds + 1,
            drain_seconds=request_seconds + 2,
            stop_seconds=request_seconds + 5,
            service_seconds=request_seconds + 10,
            heartbeat_seconds=max(60.0, 2 * request_seconds),
        )


class PlannedLimit(Struct, frozen=True):
    """A limit on what one client may ask for or hold. `zone` is what the gateway calls its count."""

    zone: str
    limit: str
    of: str
    per: str
    cause: str
    is_dry_run: bool = False


class OldWorkers(Struct, frozen=True):
    """How many workers of configurations before may finish what they have, and their memory together, in bytes."""

    most: int
    memory: int


_FEW = OldWorkers(32, 256 << 20)


@dataclass(frozen=True)
class Health:
    """The question that decides whether an app server is well, asked as nginx would ask it."""

    path: str
    host: str
    scheme: str
    script_name: str
    start_seconds: float
    """how long the app may take to answer it for the first time."""
    gateway_path: str = "/"
    """the path that asks the same through nginx."""
    is_http: bool = False
    """the private socket speaks HTTP, not uwsgi."""
    any_answer: bool = False
    """through nginx, an answer is enough: that nginx is there is the question."""


@dataclass(frozen=True)
class UpstreamServer:
    """One server of the upstream: its line in the file while it is in, and while it is out."""

    name: str
    protocol: str
    """http, https, uwsgi or fastcgi."""
    address: str
    """`host:port` or `unix:/path`."""
    up: Line
    out: Line


@dataclass(frozen=True)
class Upstream:
    """The servers that requests are shared among, and how each is asked whether it is well."""

    FILE: ClassVar[str] = "servers.conf"

    servers: tuple[UpstreamServer, ...]
    check_seconds: float
    """0 is never."""
    path: str
    tls_name: str = ""
    ca: str = ""

    def file(self, out: Collection[str] = ()) -> File:
        """The file nginx includes, with the servers of these names taken out."""
        return File(self.FILE, tuple(item.out if item.name in out else item.up for item in self.servers))


@dataclass(frozen=True)
class Acme:
    """Whom certificates are asked of, and how the domains are proven."""

    server: str
    """URL of the directory."""
    staging: str
    """That of the server for rehearsals, empty for none."""
    email: str = ""
    ca: str = ""
    profile: str = ""
    """What the server calls the kind of certificate; empty for its own choice."""
    may_differ: bool = False
    """Whether its own choice does when it has no such profile: nobody asked for it."""
    eab_kid: str = ""
    eab_hmac_file: str = ""
    dns: str = ""
    dns_credentials: str = ""
    resolvers: tuple[str, ...] = ()
    challenges: str = ""
    """The directory nginx answers the authority's questions from."""
    port: int = 80


@dataclass(frozen=True)
class Tls:
    """HTTPS: for which names, where, and where the certificate comes from.

    Two files beside nginx.conf are none of the plan's: they change by themselves, each by a rename and a reload.
    """

    CERTIFICATE: ClassVar[str] = "certificate.pem"
    HSTS: ClassVar[str] = "hsts.conf"
    FILES: ClassVar[tuple[str, ...]] = (CERTIFICATE, HSTS)

    mode: str
    names: tuple[str, ...]
    listen: tuple[Address, ...]
    directory: str
    """What is kept: keys, certificates, what happened."""
    profile: str = "intermediate"
    hsts: str = "ramp"
    cert: str = ""
    key: str = ""
    acme: Acme | None = None
    client_ca: str = ""
    ca_file: str = ""
    """The authorities that this system trusts."""
    is_behind: bool = False
    """Whether declared proxies say by which scheme a client came."""
    space: str = ""
    """What the site's names begin with beside those of other sites."""
    local_ca: str = ""
    """The directory of the private authority, one for all sites of this user."""
    app_user: str = ""
    """The user who must not read any key; empty when the same user runs the app and reads them."""
    reader: Reader = OURS
    """As whom the files that the site names are read."""
    is_proxied: bool = False
    """Whether connections to `listen` begin with the PROXY protocol."""

    @property
    def insists(self) -> bool:
        """Whether the user named a time for HSTS, whoever signed the certificate."""
        return self.hsts not in ("ramp", "off") and self.mode in ("auto", "files")


@dataclass(frozen=True)
class Logs:
    """When the log files are put aside, and what `portico run` shows of the requests."""

    show: str = "auto"
    """auto, text, json or off."""
    size: int = 0
    """Bytes after which a file is put aside; 0 is never."""
    age_seconds: float = 0.0
    """And after how long; 0 is never."""
    keep: int = 0
    """How many that were put aside stay."""


@dataclass(frozen=True)
class Precompressed:
    """A folder of static files whose compressed copies are at `root`/CODING`url`NAME."""

    url: str
    """The URI under which nginx looks: with both slashes, the mount's prefix included."""
    folder: str
    root: str


@dataclass(frozen=True)
class ObserverEndpoint:
    """Where nginx lets people look at the running site: `listen` its addresses, `socket` where Portico answers."""

    listen: tuple[Address, ...]
    socket: str
    password_file: str = ""
    reader: Reader = OURS

    @property
    def url(self) -> str:
        return f"http://{self.listen[0]}/"


@dataclass(frozen=True)
class Tracing:
    """Every request belongs to a trace; `url` is where its spans are sent, empty for nowhere."""

    url: str
    service: str
    below: str
    """Traces begun here are sampled whose id has less than this in its digits 16 to 19, see `plan.tracing`."""
    headers_file: str = ""
    reader: Reader = OURS
    routes: Mapping[str, str] = field(default_factory=dict)
    """The rule of each endpoint that has exactly one, with the mount."""
    mask: tuple[str, ...] = ()
    """Query parameters whose values are not told, beside those that sound like secrets."""


@dataclass(frozen=True)
class Plan:
    """Everything that will be done: same Site and Place, same Plan.

    `socket` is the live path nginx connects to, another for other rules of who may come (`paths.live_path`); every
    release of the app listens on a path of its own beside it (`release_socket`). `booting` is a flag file: while it
    exists nginx says "starting", not "down". `access_log` holds one JSON line a request.
    """

    name: str
    app: str
    urls: tuple[str, ...]
    listen: tuple[Address, ...]
    server: Process
    gateway: Process
    files: tuple[File, ...]
    directories: tuple[Directory, ...]
    runtime: str
    state: str
    socket: str
    socket_group: str
    backlog: int
    booting: str
    access_log: str
    error_log: str
    nginx: str
    """path of the nginx binary."""
    workers: int
    threads: int
    max_upload: int
    ladder: Ladder
    health: Health
    versions: Mapping[str, str]
    statics: Mapping[str, str] = field(default_factory=dict)
    """The folders that nginx serves, by URL."""
    precompressed: tuple[Precompressed, ...] = ()
    """Those whose files are compressed ahead of time."""
    standby_seconds: float = 300.0
    """How long a release that was replaced is kept running, so that a rollback is at once."""
    old_workers: OldWorkers = _FEW
    limits: tuple[PlannedLimit, ...] = ()
    notes: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()
    """What must be said loudly: severe faults of the nginx in use that this site opens to strangers."""
    """What the user should know about this plan, one sentence each."""
    remedy: str = ""
    """The command of the app's own that makes or updates its database; empty when none is known."""
    endpoints: tuple[str, ...] = ()
    """The names by which the app's routes appear in the log, each once."""
    app_log: str = ""
    """What the app writes, with the ids of its requests; empty when nobody keeps it."""
    masked: tuple[str, ...] = ()
    """Names whose values `portico trace` does not show, beside those that it never shows."""
    logs: Logs = field(default_factory=Logs)
    cache: str = ""
    """The directory of the answers that nginx keeps; empty when it keeps none."""
    metrics: ObserverEndpoint | None = None
    dashboard: ObserverEndpoint | None = None
    tracing: Tracing | None = None
    upstream: Upstream | None = None
    """The servers of [upstream], None when the local app answers alone."""
    shared: str = ""
    """The runtime directory of the gateway whose nginx serves this site, too; empty: one of its own."""
    sites: tuple[str, ...] = ()
    """The runtime directories of the sites whose gateway this is."""

    tls: Tls | None = None
    """HTTPS, None for plain HTTP."""
    proxied: tuple[Address, ...] = ()
    """Those of `listen` where every connection begins with the PROXY protocol."""
    waf_log: str = ""
    """What the firewall found; empty where nothing is inspected."""
    knows_proxies: bool = False
    """Whether `behind` or `node` says which proxies are in front."""

    @property
    def observer_endpoints(self) -> tuple[ObserverEndpoint, ...]:
        return tuple(endpoint for endpoint in (self.metrics, self.dashboard) if endpoint)

    @property
    def listens(self) -> tuple[Address, ...]:
        """Every address nginx listens on; `listen` are those of the site itself."""
        return self.listen + tuple(
            address for endpoint in self.observer_endpoints for address in endpoint.listen
        )

    @property
    def has_app(self) -> bool:
        """Whether an app is run here; without one, `server` has no argv."""
        return bool(self.server.argv)

    @property
    def app_server(self) -> AppServer:
        """What kind of program `server` is, and what it can do."""
        return process_kind(self.server.name, "http" if self.health.is_http else "uwsgi")

    @property
    def upstream_sockets(self) -> tuple[str, ...]:
        """The unix sockets among the servers of [upstream]."""
        servers = self.upstream.servers if self.upstream else ()
        return tuple(
            item.address.removeprefix("unix:") for item in servers if item.address.startswith("unix:")
        )

    def release_socket(self, number: int) -> str:
        return release_socket(self.runtime, number)

    def file(self, path: str) -> File:
        """The file of that path. Raises KeyError."""
        for file in self.files:
            if file.path == path:
                return file
        raise KeyError(path)
