"""Where it will run: what `probe` found on the machine, as values that `plan` can be given."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Package:
    """The distribution's package that a binary belongs to.

    `manager` is "dpkg", "rpm" or "apk". `fixes` are the CVE ids that its changelog names; `has_changelog` says whether
    there was a changelog to read, which slim containers leave out.
    """

    name: str
    version: str
    manager: str
    fixes: frozenset[str] = frozenset()
    has_changelog: bool = False


@dataclass(frozen=True)
class Build:
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
    """Dynamic modules that Portico has a use for and this binary takes: name to file."""
    without: frozenset[str] = frozenset()
    openssl: tuple[int, ...] = ()
    package: Package | None = None

    @property
    def number(self) -> str:
        return ".".join(map(str, self.version))

    @property
    def described(self) -> str:
        """The build as people know it: `1.22.1 (system, package nginx 1.22.1-9+deb12u11)`."""
        package = f", package {self.package.name} {self.package.version}" if self.package else ""
        return f"{self.number} ({self.origin}{package})"

    def since(self, *version: int) -> bool:
        return self.version >= version


@dataclass(frozen=True)
class RuleSet:
    """The OWASP Core Rule Set of this machine: its number, and where its parts are."""

    version: str
    setup: str
    """The file that its rules expect to be read first."""
    rules: str
    """The directory of its rules."""
    unicode: str = ""
    """The table by which ModSecurity reads letters that are written in other ways; empty for none."""


@dataclass(frozen=True)
class Linked:
    """Symbolic links in a folder: how many, the first of them with where each leads, and if one is a folder."""

    count: int
    shown: tuple[tuple[str, str], ...]
    has_folder: bool = False


@dataclass(frozen=True)
class Place:
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
    """The user of the app, where that is not the user of Portico."""
    app_user_why: str = ""
    app_groups: frozenset[str] = frozenset()
    """The groups of that user."""
    app_env: Mapping[str, str] = field(default_factory=dict)
    """What that user's environment says of it: HOME and the like."""
    has_ipv6: bool = True
    otlp: str = ""
    """The version of OpenTelemetry's messages; empty when they are not installed."""
    disk: int = 0
    """Bytes of the file system that holds `state`, used or not; 0 when it does not tell."""
    ends_with_session: bool = False
    """The runtime directory is removed when the user logs out."""
    variables_of_tools: tuple[str, ...] = ()
    """In our environment: variables that would decide for an app server or nginx."""
    unused_venv: str = ""
    """A virtual environment beside the app that is not the one that Portico runs in."""
    is_container: bool = False
    """What listens on loopback here is reached by nobody outside."""
    port_of_platform: str = ""
    """`PORT` of the environment, as platforms set it; empty for none."""
    shared_memory: str = ""
    """A writable directory in memory for Gunicorn's heartbeat files; empty when there is none."""

    rule_set: RuleSet | None = None
    """What a web application firewall compares requests with; None when there is none."""
    resolvers: tuple[str, ...] = ()
    """The name servers of /etc/resolv.conf, as nginx takes them."""
    known_hosts: frozenset[str] = frozenset()
    """Names that /etc/hosts gives an address, which no name server may know."""
    ca_file: str = ""
    """The certificates this system trusts; empty when there is no such file."""

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
    """`state` without symbolic links on the way; empty when that is the same."""

    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Folders nginx's user cannot read, and what keeps it out: filled in when the app's folders are known."""

    withheld: Mapping[str, str] = field(default_factory=dict)
    """Folders that nginx could read and does not serve, because the app's own user may not read them; and why."""
    linked: Mapping[str, Linked] = field(default_factory=dict)
    """Folders that have links, which nginx does not follow."""
    fences: Mapping[str, str] = field(default_factory=dict)
    """For a folder that others than root can move: the beginning of its path that they cannot."""
    exposed: str = ""
    """Who else can change Portico itself, which root runs; empty when nobody can, or nobody is root."""

    def serves(self, folder: str) -> bool:
        """Whether nginx may and can read that folder."""
        return folder not in self.unreadable and folder not in self.withheld

    def fence(self, folder: str) -> str:
        """Behind which part of a folder's path, with its last slash, nginx follows no link."""
        return self.fences.get(folder.rstrip("/"), folder).rstrip("/") + "/"

    @property
    def hides_bodies(self) -> bool:
        """Whether the app may not read what nginx's workers write: they are somebody else."""
        return self.app_user not in ("", self.gateway_user)

    @property
    def entangled(self) -> str:
        """Why the app's user is not apart from nginx's workers, in words; empty when it is."""
        if not self.app_user:
            return ""
        if self.app_user == self.gateway_user:
            why = f"the app and nginx's workers run as '{self.app_user}', both"
        elif self.gateway_group in self.app_groups:
            why = f"the app runs as '{self.app_user}', who is in nginx's group '{self.gateway_group}'"
        else:
            return ""
        return f"{why}: it can read the access log, and talk to the sockets of every other site"

    @property
    def how_to_use_venv(self) -> str:
        """What to do where the packages of `unused_venv` are meant."""
        python = shlex.quote(f"{self.unused_venv}/bin/python")
        return f"if its packages are meant, install Portico there and start it with {python} -m portico run"

    @property
    def is_root(self) -> bool:
        return self.user == "root"
