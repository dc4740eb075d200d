"""How the site runs: processes, files, and the reason for each line. Values only."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from portico.app_servers.kind import AppServer
from portico.plan.app_servers.chosen import process_kind
from portico.plan.files import Directory, File, Process
from portico.plan.paths import release_socket
from portico.plan.subjects import (
    Guards,
    Health,
    Ladder,
    Logs,
    ObserverEndpoint,
    OldWorkers,
    PlannedDevelopment,
    Precompressed,
    Tls,
    Tracing,
    Upstream,
)
from portico.values import Address

_FEW = OldWorkers(32, 256 << 20)
NO_GUARDS = Guards()
STANDBY_SECONDS = 300.0


class Plan(Struct, frozen=True):
    """Everything that will be done: same Site and Place, same Plan.

    `socket` is the live path that the gateway connects to, another for other access rules (`paths.live_path`); every
    release of the app listens on a path of its own beside it (`release_socket`). `booting` is a flag file: while it
    exists the gateway says "starting", not "down". `access_log` holds one JSON line a request.
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
    binary: str
    """The path of the gateway's binary."""
    workers: int
    threads: int
    """Of a worker, at its start."""
    max_upload: int
    ladder: Ladder
    health: Health
    versions: Mapping[str, str]
    python: str = ""
    """The interpreter that runs the app; empty if no app runs here."""
    python_version: str = ""
    most_threads: int = 0
    """How many threads a worker may have while requests wait."""
    statics: Mapping[str, str] = field(default_factory=dict)
    """The folders that the gateway serves, by URL."""
    precompressed: tuple[Precompressed, ...] = ()
    """Those whose files are compressed ahead of time."""
    standby_seconds: float = STANDBY_SECONDS
    """How long a replaced release stays on standby, so that a rollback is immediate."""
    before: Process | None = None
    """The command that runs before a release is started."""
    after: Process | None = None
    """The command that runs once a release serves."""
    background: Mapping[str, Process] = {}
    """The background processes, by their names in [processes]."""
    old_workers: OldWorkers = _FEW
    guards: Guards = NO_GUARDS
    notes: tuple[str, ...] = ()
    """Notes for the user, one sentence each."""
    alarms: tuple[str, ...] = ()
    """Warnings: severe faults of the gateway's build that this site exposes."""
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
    """The directory of the gateway's cache; empty without one."""
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
    knows_proxies: bool = False
    """Whether `behind` or `node` declares proxies."""
    development: PlannedDevelopment | None = None
    """With `--dev`; None in production."""
    mode: str = ""
    """The mode of the app server in `server`, where its program has several."""

    @property
    def observer_endpoints(self) -> tuple[ObserverEndpoint, ...]:
        return tuple(endpoint for endpoint in (self.metrics, self.dashboard) if endpoint)

    @property
    def listens(self) -> tuple[Address, ...]:
        """Every address that the gateway listens on; `listen` are those of the site itself."""
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
        return process_kind(self.server.name, self.mode)

    @property
    def upstream_sockets(self) -> tuple[str, ...]:
        """The unix sockets among the servers of [upstream]."""
        servers = self.upstream.servers if self.upstream else ()
        return tuple(
            item.address.removeprefix("unix:") for item in servers if item.address.startswith("unix:")
        )

    @property
    def has_gateway(self) -> bool:
        """Whether clients reach it through a gateway of this Portico, its own or a shared one."""
        return bool(self.gateway.argv or self.shared)

    @property
    def sockets(self) -> str:
        """The directory of the app's sockets."""
        return self.runtime if self.has_gateway else self.socket.rpartition("/")[0]

    def release_socket(self, number: int) -> str:
        return release_socket(self.sockets, number)

    def file(self, path: str) -> File:
        """The file with that path. Raises KeyError."""
        for file in self.files:
            if file.path == path:
                return file
        raise KeyError(path)
