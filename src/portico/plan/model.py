"""How the site runs: processes, files, and the reason for each line. Values only."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from msgspec import Struct

from portico.app_servers.kind import AppServer
from portico.plan.appserver.kind import process_kind
from portico.plan.paths import release_socket
from portico.reading import OURS, Reader
from portico.values import Address

CONF = "{conf}"
"""A placeholder in a Process for the directory of its files; see `Process.at`."""


class Line(Struct, frozen=True):
    """One line of a file, and its reason. A Struct, as Directive is: a gateway's plan has 250 000 of them.

    `cause` is the option or fact that decided it, `source` a link to read on. `is_users` marks the user's own
    lines; a line without content (a blank, a closing brace) has no reason.
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
    """The group that may read it, if the mode says so; empty: Portico's own."""
    is_secret: bool = False
    """Its content is never shown."""

    @property
    def content(self) -> str:
        return "".join(f"{line.text}\n" for line in self.lines)


@dataclass(frozen=True)
class Directory:
    """A directory that must exist before anything starts; `owner` is a user name, empty for Portico's own."""

    path: str
    mode: int
    owner: str = ""
    group: str = ""
    is_secret: bool = False
    """Only its owner may enter, not even nginx's user."""


@dataclass(frozen=True)
class Process:
    """A program to run: an argv, never a shell line. `env` is added to the inherited environment."""

    name: str
    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str] = field(default_factory=dict)
    why: str = ""
    user: str = ""
    """The user that it runs as; empty: the user of Portico."""

    def at(self, conf: str) -> tuple[str, ...]:
        """The argv with the configuration directory filled in."""
        return tuple(word.replace(CONF, conf) for word in self.argv)


@dataclass(frozen=True)
class Ladder:
    """Every timeout that follows from `request_timeout`, in seconds, each above the one before it."""

    read_seconds: float
    """nginx stops waiting for the app: 504."""
    deadline_seconds: float
    """The worker logs the stack of a request that nginx has given up on."""
    drain_seconds: float
    """A stopping server finishes its requests."""
    stop_seconds: float
    """Portico kills what is still running."""
    service_seconds: float
    """systemd or Kubernetes kills Portico."""
    heartbeat_seconds: float
    """Gunicorn replaces a worker whose main thread was silent; above the deadline, independent of the others."""

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
    """A limit for each client. `zone` is the gateway's name of the counter."""

    zone: str
    limit: str
    of: str
    per: str
    cause: str
    is_dry_run: bool = False


class PlannedClaims(Struct, frozen=True):
    """Whose claims to be a crawler are verified by DNS, and how the gateway looks for those that are false.

    `domains` are those of each crawler's addresses, by its name. `directory` has the file of a client, `plan.web.bans`
    its name. Clients of a network of `never` are not asked about.
    """

    directory: str
    domains: Mapping[str, tuple[str, ...]]
    server: str
    """The name server: `system`, or its address."""
    never: tuple[str, ...]
    by_network: bool
    """An IPv6 client is its network of 64 bits; else its address."""


class PlannedBans(Struct, frozen=True):
    """Which clients are refused everything for a while, and how the gateway looks for them.

    Whoever tries `after` paths of scanners within a minute is banned for `seconds`, unless it comes from a network of
    `never`; each further time within a day twice as long. `directory` has its file, `plan.web.unwanted.bans` its name.
    """

    directory: str
    after: int
    seconds: float
    is_dry_run: bool
    never: tuple[str, ...]
    by_network: bool
    """An IPv6 client is its network of 64 bits; else its address."""
    cause: str


class PlannedChallenge(Struct, frozen=True):
    """Passes for costly routes: where the puzzles and the keys are, and how pressure is seen.

    The file of keys beside nginx.conf is the plan's by name alone: what is in it changes by itself.
    """

    FILE: ClassVar[str] = "challenge.conf"

    directory: str
    socket: str
    keys: str
    path: str
    """Where passes hold: the mount, with a slash at its end."""
    is_always: bool
    says_crowd: bool
    """The workers say themselves when more requests come than they answer."""
    cpus: float


class OldWorkers(Struct, frozen=True):
    """How many workers of previous configurations may finish their transfers, and their total memory in bytes."""

    most: int
    memory: int


_FEW = OldWorkers(32, 256 << 20)


@dataclass(frozen=True)
class Health:
    """The request that decides whether an app server is healthy, as nginx would pass it."""

    path: str
    host: str
    scheme: str
    script_name: str
    start_seconds: float
    """How long the app may take for the first answer."""
    gateway_path: str = "/"
    """The path that asks the same through nginx."""
    is_http: bool = False
    """The private socket speaks HTTP, not uwsgi."""
    any_answer: bool = False
    """Through nginx, any answer is enough: the check is for nginx itself."""


@dataclass(frozen=True)
class UpstreamServer:
    """One server of the upstream: its line in nginx's file while it is in use, and while it is taken out."""

    name: str
    protocol: str
    """http, https, uwsgi or fastcgi."""
    address: str
    """`host:port` or `unix:/path`."""
    up: Line
    out: Line


@dataclass(frozen=True)
class Upstream:
    """The servers that share the requests, and their health check."""

    FILE: ClassVar[str] = "servers.conf"

    servers: tuple[UpstreamServer, ...]
    check_seconds: float
    """0 disables the check."""
    path: str
    tls_name: str = ""
    ca: str = ""

    def file(self, out: Collection[str] = ()) -> File:
        """The file that nginx includes, with the servers of these names taken out."""
        return File(self.FILE, tuple(item.out if item.name in out else item.up for item in self.servers))


@dataclass(frozen=True)
class Acme:
    """The ACME directory, and how the domains are validated."""

    server: str
    """The directory's URL."""
    staging: str
    """The URL of the server for rehearsals, empty for none."""
    email: str = ""
    ca: str = ""
    profile: str = ""
    """The profile, by the server's name for it; empty for the server's default."""
    may_differ: bool = False
    """Whether the default is acceptable if the server lacks this profile: the user did not ask for it."""
    eab_kid: str = ""
    eab_hmac_file: str = ""
    dns: str = ""
    dns_credentials: str = ""
    resolvers: tuple[str, ...] = ()
    challenges: str = ""
    """The directory of the challenge files that nginx serves."""
    port: int = 80


@dataclass(frozen=True)
class Tls:
    """HTTPS: the names, the addresses, and the origin of the certificate.

    Two files beside nginx.conf are not part of the plan: they change at run time, each by a rename and a reload.
    """

    CERTIFICATE: ClassVar[str] = "certificate.pem"
    HSTS: ClassVar[str] = "hsts.conf"
    FILES: ClassVar[tuple[str, ...]] = (CERTIFICATE, HSTS)

    mode: str
    names: tuple[str, ...]
    listen: tuple[Address, ...]
    directory: str
    """The state directory: keys, certificates, history."""
    profile: str = "intermediate"
    hsts: str = "ramp"
    cert: str = ""
    key: str = ""
    acme: Acme | None = None
    client_ca: str = ""
    ca_file: str = ""
    """The authorities that this system trusts."""
    is_behind: bool = False
    """Whether declared proxies set the client's scheme."""
    space: str = ""
    """The prefix of the site's names on a shared gateway."""
    local_ca: str = ""
    """The directory of the private authority, one for all sites of this user."""
    app_user: str = ""
    """The user who must not read any key; empty if the same user runs the app and reads them."""
    reader: Reader = OURS
    """The user whose rights apply to the files that the site names."""
    is_proxied: bool = False
    """Whether connections to `listen` begin with the PROXY protocol."""

    @property
    def insists(self) -> bool:
        """Whether the user set a time for HSTS, whoever signed the certificate."""
        return self.hsts not in ("ramp", "off") and self.mode in ("auto", "files")


@dataclass(frozen=True)
class Logs:
    """When the log files are rotated, and what `portico run` shows of the requests."""

    show: str = "auto"
    """auto, text, json or off."""
    size: int = 0
    """The size in bytes at which a file is rotated; 0 disables it."""
    age_seconds: float = 0.0
    """The age at which a file is rotated; 0 disables it."""
    keep: int = 0
    """How many rotated files are retained."""


@dataclass(frozen=True)
class Precompressed:
    """A folder of static files whose compressed copies are at `root`/CODING`url`NAME."""

    url: str
    """The URI under which nginx looks: with both slashes, the mount's prefix included."""
    folder: str
    root: str


@dataclass(frozen=True)
class ObserverEndpoint:
    """An address of nginx's for people or Prometheus: `listen` its addresses, `socket` where Portico answers."""

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
    """Traces that begin here are sampled if digits 16 to 19 of their ID are below this, see `plan.tracing`."""
    headers_file: str = ""
    reader: Reader = OURS
    routes: Mapping[str, str] = field(default_factory=dict)
    """The rule of each endpoint that has exactly one, with the mount."""
    mask: tuple[str, ...] = ()
    """Query parameters whose values are masked, beside those whose names look secret."""


@dataclass(frozen=True)
class Plan:
    """Everything that will be done: same Site and Place, same Plan.

    `socket` is the live path nginx connects to, another for other access rules (`paths.live_path`); every
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
    """The path of the gateway's binary."""
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
    """How long a replaced release stays on standby, so that a rollback is immediate."""
    old_workers: OldWorkers = _FEW
    limits: tuple[PlannedLimit, ...] = ()
    bans: PlannedBans | None = None
    claims: PlannedClaims | None = None
    guesses: PlannedBans | None = None
    """The same of those who guess passwords: refused where one is asked for."""
    challenge: PlannedChallenge | None = None
    """None where nobody is asked for a pass."""
    notes: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()
    """Warnings: severe faults of the nginx in use that this site exposes."""
    """Notes for the user, one sentence each."""
    remedy: str = ""
    """The app's command that creates or migrates its database; empty if unknown."""
    endpoints: tuple[str, ...] = ()
    """The names of the app's routes in the log, each once."""
    app_log: str = ""
    """The app's output, with request IDs; empty if it is not stored."""
    masked: tuple[str, ...] = ()
    """Names whose values `portico trace` masks, beside those that it always masks."""
    logs: Logs = field(default_factory=Logs)
    cache: str = ""
    """The directory of nginx's cache; empty without one."""
    metrics: ObserverEndpoint | None = None
    dashboard: ObserverEndpoint | None = None
    tracing: Tracing | None = None
    upstream: Upstream | None = None
    """The servers of [upstream], None if only the local app answers."""
    shared: str = ""
    """The runtime directory of the shared gateway; empty: the site has its own."""
    sites: tuple[str, ...] = ()
    """The runtime directories of the sites of this gateway."""

    tls: Tls | None = None
    """HTTPS, None for plain HTTP."""
    proxied: tuple[Address, ...] = ()
    """The addresses of `listen` where every connection begins with the PROXY protocol."""
    routed: tuple[str, ...] = ()
    """The sockets at which other sites of the gateway reach this one, which then has no address."""
    waf_log: str = ""
    """The log of the firewall; empty if nothing is inspected."""
    knows_proxies: bool = False
    """Whether `behind` or `node` declares proxies."""

    @property
    def observer_endpoints(self) -> tuple[ObserverEndpoint, ...]:
        return tuple(endpoint for endpoint in (self.metrics, self.dashboard) if endpoint)

    @property
    def listens(self) -> tuple[Address, ...]:
        """Every address that nginx listens on; `listen` are those of the site itself."""
        return self.listen + tuple(
            address for endpoint in self.observer_endpoints for address in endpoint.listen
        )

    @property
    def has_app(self) -> bool:
        """Whether Portico runs an app; without one, `server` has no argv."""
        return bool(self.server.argv)

    @property
    def app_server(self) -> AppServer:
        """The kind of program in `server`, and its features."""
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
        """The file with that path. Raises KeyError."""
        for file in self.files:
            if file.path == path:
                return file
        raise KeyError(path)
