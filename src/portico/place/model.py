"""Where the site will run: the facts from `probe`, as values for `plan`."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field


class Package(Struct, frozen=True):
    """The distribution's package of a binary.

    `manager` is "dpkg", "rpm" or "apk". `fixes` are the CVE IDs in its changelog; `has_changelog` says whether
    there was a changelog to read, which slim containers omit.
    """

    name: str
    version: str
    manager: str
    fixes: frozenset[str] = frozenset()
    has_changelog: bool = False


class Build(Struct, frozen=True):
    """One binary of a web server: its version and what it was compiled with.

    `program` is as its process is called in a plan (`plan.gateway.kind`). `origin` is "embedded", "system" or "path";
    `modules` are the names of those compiled in, `without` those left out, as the program itself calls them.
    `openssl` is the version of OpenSSL it runs with, empty for another library.
    """

    program: str
    path: str
    version: tuple[int, ...]
    modules: frozenset[str] = frozenset()
    origin: str = "embedded"
    loadable: Mapping[str, str] = field(default_factory=dict)
    """Dynamic modules that Portico uses and this binary loads: name to file."""
    without: frozenset[str] = frozenset()
    openssl: tuple[int, ...] = ()
    package: Package | None = None

    @property
    def number(self) -> str:
        return ".".join(map(str, self.version))

    @property
    def described(self) -> str:
        """The build for people: `1.22.1 (system, package nginx 1.22.1-9+deb12u11)`."""
        package = f", package {self.package.name} {self.package.version}" if self.package else ""
        return f"{self.number} ({self.origin}{package})"

    def since(self, *version: int) -> bool:
        return self.version >= version


class RuleSet(Struct, frozen=True):
    """The OWASP Core Rule Set of this machine: its version, and its files."""

    version: str
    setup: str
    """The file that must be read before its rules."""
    rules: str
    """The directory of its rules."""
    unicode: str = ""
    """ModSecurity's table for characters in other encodings; empty for none."""


class Linked(Struct, frozen=True):
    """Symbolic links in a folder: how many, the first ones with their targets, and whether one is a folder."""

    count: int
    shown: tuple[tuple[str, str], ...]
    has_folder: bool = False


class Place(Struct, frozen=True):
    """One machine, as far as a plan depends on it.

    `runtime` is the private directory of sockets and configuration, `state` the one of logs and temporary
    files; both absolute. `cpus` is what the cgroup quota leaves, `memory` in bytes likewise, each with the
    place it was read from. `gateway_user` is empty unless Portico runs as root and nginx's workers need one.
    """

    gateway: Build
    runtime: str
    state: str
    python: str
    app_servers: Mapping[str, str]
    """The versions of those that are installed, by `app_servers.kind.AppServer.name`."""
    cpus: float
    cpus_source: str
    memory: int
    memory_source: str
    somaxconn: int
    file_limit: int
    user: str
    gateway_user: str = ""
    gateway_group: str = ""
    app_user: str = ""
    """The app's user, if it is not Portico's."""
    app_user_why: str = ""
    app_groups: frozenset[str] = frozenset()
    """That user's groups."""
    app_env: Mapping[str, str] = field(default_factory=dict)
    """That user's environment: HOME and the like."""
    has_ipv6: bool = True
    otlp: str = ""
    """The version of OpenTelemetry's messages; empty if they are not installed."""
    disk: int = 0
    """The size in bytes of the file system of `state`; 0 if unknown."""
    ends_with_session: bool = False
    """The runtime directory is removed when the user logs out."""
    variables_of_tools: tuple[str, ...] = ()
    """Variables in the environment that would change an app server or nginx."""
    unknown_options: tuple[str, ...] = ()
    """Variables of the environment that look like options and are none, with what was probably meant."""
    app_python: str = ""
    """The interpreter that runs the app, if it is not Portico's own (`place.interpreter`)."""
    app_python_why: str = ""
    """Where it is named, or found."""
    app_packages: Mapping[str, str] = field(default_factory=dict)
    """The versions of packages in its environment, as far as they matter."""
    python_version: str = ""
    """The whole version of the interpreter that runs the app, whichever it is; empty if unknown."""
    app_path: tuple[str, ...] = ()
    """Where it finds the app's packages."""
    package_path: tuple[str, ...] = ()
    """Where it finds Portico's packages, Portico's first."""
    unusable_venv: str = ""
    """A virtual environment beside the app whose Python leads nowhere."""
    is_container: bool = False
    """Loopback listeners here cannot be reached from outside."""
    port_of_platform: str = ""
    """`PORT` of the environment, as platforms set it; empty for none."""
    shared_memory: str = ""
    """A writable directory in memory for Gunicorn's heartbeat files; empty if there is none."""

    rule_set: RuleSet | None = None
    """The rules of a web application firewall; None if there are none."""
    resolvers: tuple[str, ...] = ()
    """The name servers of /etc/resolv.conf, in nginx's syntax."""
    known_hosts: frozenset[str] = frozenset()
    """Names with an address in /etc/hosts, which a name server may not know."""
    ca_file: str = ""
    """This system's trusted certificates; empty if there is no such file."""

    host_runtime: str = ""
    """The runtime directory of the gateway whose nginx serves this site beside others; empty: an nginx of its own."""
    others: tuple[Build, ...] = ()
    """Further builds that may be taken instead of `nginx`; empty when one was named or the choice was made."""
    gateway_why: str = ""
    """Why `nginx` was taken, in half a line; empty when the user named it."""
    gateway_named: str = ""
    """The word by which the user named `nginx`; empty when Portico chooses."""
    gateway_note: str = ""
    """Why a build that is there cannot be used at all."""
    systems: tuple[str, ...] = ()
    """ID and ID_LIKE of /etc/os-release, or "macos"."""
    real_state: str = ""
    """`state` without symbolic links on the way; empty if it is the same."""

    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Folders that nginx's user cannot read, and what prevents it: set once the app's folders are known."""

    withheld: Mapping[str, str] = field(default_factory=dict)
    """Folders that nginx could read and does not serve, because the app's own user may not read them; and why."""
    linked: Mapping[str, Linked] = field(default_factory=dict)
    """Folders with links, which nginx does not follow."""
    fences: Mapping[str, str] = field(default_factory=dict)
    """For a folder that others than root can move: the part of its path that they cannot change."""
    exposed: str = ""
    """Who else can change Portico itself if root runs it; empty if no one can."""

    def serves(self, folder: str) -> bool:
        """Whether nginx may and can read that folder."""
        return folder not in self.unreadable and folder not in self.withheld

    def fence(self, folder: str) -> str:
        """The part of a folder's path, with its trailing slash, below which nginx follows no link."""
        return self.fences.get(folder.rstrip("/"), folder).rstrip("/") + "/"

    @property
    def hides_bodies(self) -> bool:
        """Whether the app may not read what nginx's workers write: they are somebody else."""
        return self.app_user not in ("", self.gateway_user)

    @property
    def entangled(self) -> str:
        """Why the app's user is not separate from nginx's workers, in words; empty if it is."""
        if not self.app_user:
            return ""
        if self.app_user == self.gateway_user:
            why = f"the app and {self.gateway.program}'s workers run as '{self.app_user}', both"
        elif self.gateway_group in self.app_groups:
            why = f"the app runs as '{self.app_user}', who is in {self.gateway.program}'s group '{self.gateway_group}'"
        else:
            return ""
        return f"{why}: it can read the access log, and talk to the sockets of every other site"

    @property
    def runs_app(self) -> str:
        """The interpreter that runs the app."""
        return self.app_python or self.python

    @property
    def is_root(self) -> bool:
        return self.user == "root"
