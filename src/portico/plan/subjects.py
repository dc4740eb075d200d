"""What the plan says about each subject: values that `run` and the observers read, and no file contains them all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import ClassVar

from msgspec import Struct, field

from portico.plan.files import File, Line
from portico.reading import OURS, Reader
from portico.values import Address


class Ladder(Struct, frozen=True):
    """Every timeout that follows from `request_timeout`, in seconds, each above the one before it."""

    read_seconds: float
    """The gateway stops waiting for the app: 504."""
    deadline_seconds: float
    """The worker logs the stack of a request that the gateway has given up on."""
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


class PlannedDevelopment(Struct, frozen=True):
    """What is watched with `--dev`, and begins another release or other workers when it changes."""

    directories: tuple[str, ...]
    """Of the code and its templates."""
    without: tuple[str, ...]
    """Directories in them whose files the gateway sends, for it sees a change itself, and Portico's own."""
    settings: tuple[str, ...]
    """Files that a plan is made of."""


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

    The file of keys beside the gateway's main file is the plan's by name alone: its content changes at run time.
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


class Guards(Struct, frozen=True):
    """What Portico does for the gateway's guards while the site runs."""

    limits: tuple[PlannedLimit, ...] = ()
    bans: PlannedBans | None = None
    """None: nobody is refused for the scanners' paths that it tried."""
    guesses: PlannedBans | None = None
    """Those who guess passwords: refused where one is asked for."""
    claims: PlannedClaims | None = None
    """None: no crawler's name is verified."""
    challenge: PlannedChallenge | None = None
    """None: nobody is asked for a pass."""
    waf_log: str = ""
    """The log of the firewall; empty if nothing is inspected."""


class OldWorkers(Struct, frozen=True):
    """How many workers of previous configurations may finish their transfers, and their total memory in bytes."""

    most: int
    memory: int


class Health(Struct, frozen=True):
    """The request that decides whether an app server is healthy, as the gateway would pass it."""

    path: str
    host: str
    scheme: str
    script_name: str
    start_seconds: float
    """How long the app may take for the first answer."""
    gateway_path: str = "/"
    """The path that asks the same through the gateway."""
    is_http: bool = False
    """The private socket speaks HTTP, not uwsgi."""
    any_answer: bool = False
    """Through the gateway, any answer is enough: the check is for the gateway itself."""


class UpstreamServer(Struct, frozen=True):
    """One server of the upstream: its line in the gateway's file while it is in use, and while it is taken out."""

    name: str
    protocol: str
    """http, https, uwsgi or fastcgi."""
    address: str
    """`host:port` or `unix:/path`."""
    up: Line
    out: Line


class Upstream(Struct, frozen=True):
    """The servers that share the requests, and their health check."""

    FILE: ClassVar[str] = "servers.conf"

    servers: tuple[UpstreamServer, ...]
    check_seconds: float
    """0 disables the check."""
    path: str
    tls_name: str = ""
    ca: str = ""
    names: tuple[str, ...] = ()
    """Hosts that the gateway itself looks up only when it reads its files."""

    def file(self, out: Collection[str] = ()) -> File:
        """The file that the gateway includes, with the servers of these names taken out."""
        return File(self.FILE, tuple(item.out if item.name in out else item.up for item in self.servers))


class Acme(Struct, frozen=True):
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
    """The directory of the challenge files that the gateway serves."""
    port: int = 80


class Tls(Struct, frozen=True):
    """HTTPS: the names, the addresses, and the origin of the certificate.

    Two files beside the gateway's main file are not part of the plan: each changes at run time, by rename and reload.
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


class Logs(Struct, frozen=True):
    """When the log files are rotated, and what `portico run` shows of the requests."""

    show: str = "auto"
    """auto, text, json or off."""
    size: int = 0
    """The size in bytes at which a file is rotated; 0 disables it."""
    age_seconds: float = 0.0
    """The age at which a file is rotated; 0 disables it."""
    keep: int = 0
    """How many rotated files are retained."""


class Precompressed(Struct, frozen=True):
    """A folder of static files whose compressed copies are at `root`/CODING`url`NAME."""

    url: str
    """The URI under which the gateway looks: with both slashes, the mount's prefix included."""
    folder: str
    root: str


class ObserverEndpoint(Struct, frozen=True):
    """An address of the gateway's for people or Prometheus: `listen` its addresses, `socket` where Portico answers."""

    listen: tuple[Address, ...]
    socket: str
    password_file: str = ""
    reader: Reader = OURS

    @property
    def url(self) -> str:
        return f"http://{self.listen[0]}/"


class Tracing(Struct, frozen=True):
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
