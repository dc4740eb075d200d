"""The status of a running site: `GET /status`, and a part of the live feed. Times are Unix times.

Every field that some state lacks has a default, so that versions that differ by such a field understand one
another.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import UNSET, Struct, UnsetType

from portico.decoding import Count, Pid, Seconds


class Worker(Struct, frozen=True):
    pid: int
    up_seconds: float
    memory: int
    """Bytes; memory shared by workers is divided among them."""


class GatewayStatus(Struct, frozen=True):
    """`status` as in `run.machine.state.Status`; `memory` is that of all its processes, `name` the program's."""

    status: str
    pid: int | None = None
    since_seconds: float = 0.0
    crashes: int = 0
    memory: int = 0
    workers: tuple[Worker, ...] = ()
    name: str = ""


class Failing(Struct, frozen=True):
    """The app's answer at its health path, and what may help."""

    answer: str
    hint: str = ""


class OtherCode(Struct, frozen=True):
    """The workers with other code than their release began with, and the files that differ."""

    pids: tuple[int, ...] = ()
    files: tuple[str, ...] = ()


class ReleaseStatus(Struct, frozen=True):
    """`wanted_workers` is None for one that does not run; `cannot_load` is empty, or why new workers cannot load
    the app; `memory_limit` in bytes replaces a `max_memory` that is too small, 0 for none. `python` is the interpreter.
    """

    number: int
    status: str
    pid: int | None = None
    since_seconds: float = 0.0
    crashes: int = 0
    failing: Failing | None = None
    memory: int = 0
    workers: tuple[Worker, ...] = ()
    wanted_workers: int | None = None
    cannot_load: str = ""
    other_code: OtherCode = OtherCode()
    memory_limit: int = 0
    python: str = ""
    python_version: str = ""


class BackgroundStatus(Struct, frozen=True):
    """A background process: `status` is "running", "resting" (it ended, and waits for its next start) or "leaving"."""

    name: str
    release: int
    status: str
    pid: int | None = None
    since_seconds: float = 0.0
    crashes: int = 0
    memory: int = 0
    """Bytes of it and of what it forked."""


class Tally(Struct, frozen=True):
    """Requests of one release, `failed` of them answered 5xx; in `left` of them the client left before its answer
    began.

    Times are the app's milliseconds.
    """

    requests: int
    failed: int
    left: int
    p50_ms: float
    p99_ms: float


class Canary(Struct, frozen=True):
    """Which release gets which share since when (Unix time), and over which sockets: the log tells the two apart by
    them.
    """

    number: int
    share: float
    since: float
    sockets: tuple[str, ...] = ()
    canary: Tally | UnsetType = UNSET
    """The log's numbers of its requests, and under `live` of the others; `portico status` adds them."""
    live: Tally | UnsetType = UNSET
    unread: str | UnsetType = UNSET


class PlanInForce(Struct, frozen=True):
    """The directory of the gateway's files, and since when (Unix time)."""

    directory: str = ""
    since: float | None = None


class StartedProcess(Struct, frozen=True):
    argv: tuple[str, ...]
    cwd: str
    env: dict[str, str]


class Queue(Struct, frozen=True):
    """Requests that wait for a worker, and those in progress."""

    waiting: int = 0
    with_app: int = 0


class BodyFiles(Struct, frozen=True):
    count: int = 0
    bytes: int = 0


class Bodies(Struct, frozen=True):
    """Bodies on the gateway's disk: uploads in progress, and answers that wait for slow clients."""

    uploads: BodyFiles = BodyFiles()
    answers: BodyFiles = BodyFiles()


class Frame(Struct, frozen=True):
    file: str
    line: Count | None
    name: str
    text: str


class SlowRequest(Struct, frozen=True):
    """A slow request in progress, as `link.slow` writes it; the innermost frame is the last."""

    method: str
    path: str
    endpoint: str
    id: str
    age_seconds: Seconds
    silent_seconds: Seconds
    pid: Pid
    thread: Count
    stack: tuple[Frame, ...]


class ServerStatus(Struct, frozen=True):
    """A server of the upstream."""

    name: str
    status: str
    answer: str = ""
    since_seconds: float | None = None


class Maintenance(Struct, frozen=True):
    """The message for visitors, the admitted addresses, and since when (Unix time)."""

    message: str
    allow: tuple[str, ...]
    since: float


class PauseStatus(Struct, frozen=True):
    left_seconds: float


class CertificateAddress(Struct, frozen=True):
    """Whether that address shows the certificate; `words` say why not."""

    address: str
    is_served: bool
    words: str = ""


class CertificateStatus(Struct, frozen=True):
    """The certificate in force, and what is planned. Times are seconds since 1970."""

    mode: str
    source: str
    refused: bool
    phase: str
    names: tuple[str, ...]
    missing: tuple[str, ...]
    issuer: str
    serial: str
    fingerprint: str
    trusted: bool
    not_before: float
    not_after: float
    warn_at: float
    urgent_at: float
    days_left: float
    server: str | None
    next_attempt: float | None
    last_attempt: float | None
    last_success: float | None
    failures: int
    problems: tuple[str, ...]
    addresses: tuple[CertificateAddress, ...]
    hsts_seconds: int
    well_since: float | None
    authority: str | None


class CompressedStatus(Struct, frozen=True):
    """Static files with a copy and their bytes, the bytes of the copies by coding, what is in progress and left out."""

    files: int = 0
    bytes: int = 0
    copies: Mapping[str, int] = {}
    best_bytes: int = 0
    left: int = 0
    too_large: tuple[str, ...] = ()
    left_out: int = 0


class WatcherStatus(Struct, frozen=True):
    """A failing background task. Times are seconds since 1970."""

    name: str
    error: str
    since: float
    last: float
    failures: int
    next_try: float | None


class RequestCounts(Struct, frozen=True):
    """Since the start, and in the last minute. `left`: the client left before its answer began."""

    total: int = 0
    failed: int = 0
    left: int = 0
    unread: int = 0
    maintenance: int = 0
    last_minute: int = 0
    last_minute_failed: int = 0
    last_minute_left: int = 0
    last_minute_maintenance: int = 0


class ProxyInFront(Struct, frozen=True):
    """A proxy that `behind` does not name: "cloudflare", "aws" or "proxy"."""

    by: str
    addresses: tuple[str, ...] = ()


class SiteRow(Struct, frozen=True, kw_only=True):
    """A site in a list: one of a gateway's, with the gateway's information, or one of all that run here.

    `retry_seconds` is None if no start is planned.
    """

    name: str
    status: str
    urls: tuple[str, ...]
    runtime: str
    pid: int | None
    since_seconds: float
    origin: str | UnsetType = UNSET
    memory: int | UnsetType = UNSET
    failures: int | UnsetType = UNSET
    code: int | UnsetType | None = UNSET
    retry_seconds: float | UnsetType | None = UNSET
    reason: str | UnsetType = UNSET
    requests: RequestCounts | UnsetType = UNSET


class StartingSite(Struct, frozen=True):
    """A site that does not answer yet; `stage` is its current step."""

    app: str
    urls: tuple[str, ...]
    stage: str
    pid: int
    up_seconds: float
    phase: str = "starting"


class LimitInForce(Struct, frozen=True):
    """A limit for each client: how much, of what, by which key. `zone` is the gateway's name for it."""

    zone: str
    limit: str
    of: str
    per: str
    cause: str
    is_dry_run: bool


class Ban(Struct, frozen=True):
    """A client that is refused everything for a while: an IPv4 address, or an IPv6 network of 64 bits.

    Moments are seconds since 1970. `probes` is how many paths of scanners it tried in a minute, `times` how often it
    was banned, each time within a day after the one before.
    """

    client: str
    since: float
    until: float
    probes: int
    times: int


class BansStatus(Struct, frozen=True):
    """How many are banned now, and were since the start; `latest` are the last. A full list bans nobody more."""

    banned: int = 0
    total: int = 0
    is_full: bool = False
    is_dry_run: bool = False
    latest: tuple[Ban, ...] = ()


class SiteStatus(Struct, frozen=True, kw_only=True):
    """A site and its processes. `host_runtime` is the directory of a shared gateway, empty for none."""

    name: str
    app: str
    phase: str
    live: int
    pid: int
    gateway: GatewayStatus
    urls: tuple[str, ...] = ()
    listen: tuple[str, ...] = ()
    proxied: tuple[str, ...] = ()
    up_seconds: float = 0.0
    socket: str = ""
    """Where a gateway elsewhere finds the app; empty if the gateway is this one's, or shared."""
    host_runtime: str = ""
    releases: tuple[ReleaseStatus, ...] = ()
    background: tuple[BackgroundStatus, ...] = ()
    canary: Canary | None = None
    files: str = ""
    plan: PlanInForce = PlanInForce()
    processes: Mapping[str, StartedProcess] = {}
    access_log: str = ""
    error_log: str = ""
    app_log: str = ""
    user: str = ""
    masked: tuple[str, ...] = ()
    versions: Mapping[str, str] = {}
    limits: tuple[LimitInForce, ...] = ()
    bans: BansStatus | None = None
    memory: int = 0
    bodies: Bodies = Bodies()
    queue: Queue = Queue()
    connections: int = 0
    slow: tuple[SlowRequest, ...] = ()
    full_disks: tuple[str, ...] = ()
    servers: tuple[ServerStatus, ...] = ()
    restarts: Mapping[str, int] = {}
    maintenance: Maintenance | None = None
    pause: PauseStatus | None = None
    certificate: CertificateStatus | None = None
    compressed: CompressedStatus = CompressedStatus()
    watchers: tuple[WatcherStatus, ...] = ()
    workers_started: int | UnsetType = UNSET
    """In the live feed: workers that were seen to start."""


class Status(SiteStatus, frozen=True, kw_only=True):
    """The answer to `portico status`: also what is counted and looked up for the command."""

    requests: RequestCounts = RequestCounts()
    changed_on_disk: tuple[str, ...] = ()
    forwarded: ProxyInFront | None = None
    sites: tuple[SiteRow, ...] | UnsetType = UNSET
    """For a gateway of several sites."""
