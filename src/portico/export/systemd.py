"""A hardened systemd unit: each line with its reason above it.

Pure, from the three nouns and Portico's command. Written for systemd 252 (Debian 12) and newer.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping

from msgspec import Struct, field

from portico.errors import Problem, UsageError
from portico.place.model import Place
from portico.plan.files import File, Line
from portico.plan.model import Plan
from portico.site.model import Site

MOST_SOCKETS = 16
"""More than any site listens on: a reload may add some."""
TIMES = 6
"""The app is imported once to be asked and once to serve; `site.discover` has the same limit for the first."""
WATCHDOG_SECONDS = 30
RESTART_SECONDS = 1
RESERVED_PORTS = 1024
_MANUAL = "https://www.freedesktop.org/software/systemd/man/latest/systemd."
_NEEDS_QUOTES = re.compile(r"""[\s"'\\;]""")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_WIDTH = 100


class Call(Struct, frozen=True):
    """The service's command: the words after `portico run`, the directory they were typed in, and the user.

    `is_link` says that the directory is reached through a link, which may lead to another release at the next
    start. Without a `user` systemd creates one while it runs (DynamicUser=). `credentials` are the secret files that
    systemd may read as root: absolute paths, by their option.
    """

    words: tuple[str, ...]
    directory: str
    user: str
    is_link: bool = False
    credentials: Mapping[str, str] = field(default_factory=dict)


class Setting(Struct, frozen=True):
    """One line of a unit, and its reason."""

    name: str
    value: str
    why: str
    source: str = ""
    cause: str = ""


def systemd_unit(site: Site, place: Place, plan: Plan, call: Call) -> File:
    """The unit. Raises UsageError for a word that a unit cannot express."""
    sections = {
        "Unit": _unit(site, plan),
        "Service": [*_service(site, place, plan, call), *_hardening(site, place, plan, call)],
        "Install": [_wanted()],
    }
    return File(f"{unit_name(site)}.service", tuple(_lines(sections)))


def unit_name(site: Site) -> str:
    return f"portico-{site.name}"


def quote(word: str) -> str:
    """One word of a list, quoted for systemd (systemd.syntax(7)); % would begin a specifier.

    Raises UsageError for a control character.
    """
    word = plain(word)
    if word and not _NEEDS_QUOTES.search(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def command_word(word: str) -> str:
    """The same for a command line, where $ would begin a variable."""
    return quote(word.replace("$", "$$"))


def plain(text: str) -> str:
    """A value that is a whole line, like a path: only % has a meaning."""
    if _CONTROL.search(text):
        problem = Problem("", f"{text!r} has a control character, which a unit cannot hold", "rename it")
        raise UsageError(problem)
    return text.replace("%", "%%")


def _lines(sections: dict[str, list[Setting]]) -> Iterator[Line]:
    for number, (name, settings) in enumerate(sections.items()):
        if number:
            yield Line("")
        yield Line(f"[{name}]")
        for made in settings:
            for text in textwrap.wrap(made.why, _WIDTH, break_long_words=False, break_on_hyphens=False):
                yield Line(f"# {text}")
            yield Line(f"{made.name}={made.value}", made.why, made.source, made.cause)


def _unit(site: Site, plan: Plan) -> list[Setting]:
    is_everywhere = all(
        address.is_wildcard or address.host in ("127.0.0.1", "::1") for address in plan.listens
    )
    made = [
        _about("Description", plain(f"{site.name}, served by Portico"), "the first words of systemctl status",
               site.cause("name")),
    ]  # fmt: skip
    why = "an address cannot be bound before the machine has it"
    if is_everywhere:
        why = "only loopback or every address is bound: none has to be waited for"
        return [*made, _about("After", "network.target", why, site.cause("listen"))]
    return [
        *made,
        _about("Wants", "network-online.target", why, site.cause("listen")),
        _about("After", "network-online.target", why, site.cause("listen")),
    ]


def _link(call: Call) -> list[Setting]:
    if not call.is_link:
        return []
    why = "the directory is reached through a link: systemd follows it, and Portico is to know the site by the link"
    return [_exec("Environment", quote(f"PWD={call.directory}"), why)]


def _service(site: Site, place: Place, plan: Plan, call: Call) -> list[Setting]:
    start = "infinity" if plan.before else f"{TIMES * plan.health.start_seconds:.0f}s"
    why_start = (
        "the command before the release takes as long as it takes; start_timeout counts after it"
        if plan.before
        else "start_timeout counts for the import, four times at most for what comes after it; Portico itself gives "
        "up before"
    )
    argv = (place.python, "-m", "portico", "run")
    secret = [f"--{_flag(option)}=%d/{option}" for option in call.credentials]
    words = [
        word for word in call.words if word.partition("=")[0] not in {one.partition("=")[0] for one in secret}
    ]
    command = [*map(command_word, argv), *secret, *map(command_word, words)]
    name = unit_name(site)
    return [
        _serve("Type", "notify", "Portico says when the app really answers: what depends on it waits"),
        _serve("NotifyAccess", "main", "only Portico itself may say so, not the app"),
        _serve("ExecStart", " ".join(command), "by full path: systemd knows no virtual environment"),
        _serve("ExecReload", "kill -HUP $MAINPID", "systemctl reload serves new code without losing a request"),
        _exec("WorkingDirectory", plain(call.directory), "relative paths mean what they meant at the export"),
        *_link(call),
        *_user(call),
        *_credentials(site, call.credentials),
        _exec("RuntimeDirectory", name, "sockets and configuration, made by systemd and removed at the end"),
        _exec("StateDirectory", name, "logs and uploads in progress: kept over a boot"),
        _exec("RuntimeDirectoryPreserve", "restart", "a maintenance outlives a crash; stop removes it"),
        _exec("RuntimeDirectoryMode", "0711", "other users cannot list it; the site's own directory in it is private"),
        _exec("StateDirectoryMode", "0711", "the same for the state"),
        _exec("Environment", f"PORTICO_RUNTIME_DIR=%t/{name}", "where Portico finds the first"),
        _exec("Environment", f"PORTICO_STATE_DIR=%S/{name}", "and the second"),
        _serve("FileDescriptorStoreMax", str(MOST_SOCKETS), "systemd keeps the listening sockets during a restart: "
                "clients wait in their queue and none is refused"),
        _serve("TimeoutStartSec", start, why_start, site.cause("release.before" if plan.before else "start_timeout")),
        _serve("TimeoutStopSec", f"{plan.ladder.service_seconds:g}s", "the last rung of request_timeout's "
                f"ladder: Portico itself ends what has not left after {plan.ladder.stop_seconds:g} s",
                site.cause("request_timeout")),
        _kill("KillMode", "mixed", "only Portico gets the signal: it lets nginx finish first, then the app; "
                "what is left at the end is killed"),
        _serve("WatchdogSec", f"{WATCHDOG_SECONDS}s", "Portico beats at half of this; silent for so long, it hangs "
                "and is replaced"),
        _serve("Restart", "on-failure", "a crash is not the end; systemctl stop is"),
        _serve("RestartSec", f"{RESTART_SECONDS}s", "soon, because clients wait"),
        _serve("RestartPreventExitStatus", "2", "a wrong option stays wrong until it is corrected"),
    ]  # fmt: skip


def _user(call: Call) -> list[Setting]:
    if call.user:
        return [
            _exec(
                "User",
                plain(call.user),
                "not root: the app and nginx need none of its rights",
            )
        ]
    why = (
        "not root: a user of systemd's own making that owns nothing else; export with --user NAME when the app "
        "must own files"
    )
    return [_exec("DynamicUser", "yes", why)]


def _credentials(site: Site, credentials: Mapping[str, str]) -> list[Setting]:
    why = "systemd reads this secret as root, and gives a copy to the service alone; a change needs a restart"
    return [
        _exec("LoadCredential", f"{option}:{plain(path)}", why, site.cause(option))
        for option, path in credentials.items()
    ]


def _flag(option: str) -> str:
    return option.replace(".", "-").replace("_", "-")


def _hardening(site: Site, place: Place, plan: Plan, call: Call) -> list[Setting]:
    return [
        _exec("NoNewPrivileges", "yes", "no setuid program gives more rights than these"),
        *_capabilities(site, plan),
        *_files(site, place, call),
        _exec("PrivateMounts", "yes", "nothing that is mounted in here is seen outside"),
        _exec("PrivateDevices", "yes", "no disks, no terminals; /dev/null, /dev/urandom and /dev/shm stay"),
        _exec("ProtectProc", "invisible", "processes of other users are not seen"),
        _exec("ProtectKernelTunables", "yes", "/proc/sys is read, not written"),
        _exec("ProtectKernelModules", "yes", "no module is loaded"),
        _exec("ProtectKernelLogs", "yes", "the kernel's log is not for a web app"),
        _exec("ProtectControlGroups", "yes", "limits are read, not written"),
        _exec("ProtectClock", "yes", "the clock is not set"),
        _exec("ProtectHostname", "yes", "nor the machine's name"),
        _exec("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6 AF_NETLINK", "nginx, the app and its databases; the "
                "C library asks over netlink which addresses the machine has"),
        _exec("RestrictNamespaces", "yes", "no containers are made in here"),
        _exec("RestrictRealtime", "yes", "no process takes a core for itself; SCHED_BATCH, which Portico uses, stays"),
        _exec("RestrictSUIDSGID", "yes", "no setuid file is made"),
        _exec("LockPersonality", "yes", "old system call tables stay closed"),
        _exec("RemoveIPC", "yes", "shared memory does not outlive the service"),
        _exec("SystemCallArchitectures", "native", "the same for 32-bit calls"),
        _exec("SystemCallFilter", "@system-service pidfd_getfd", "what services use; with pidfd_getfd Portico takes a "
                "copy of a socket that nginx bound in a reload"),
        _exec("SystemCallErrorNumber", "EPERM", "anything else fails like a missing right, and does not kill"),
        _exec("UMask", "0027", "files of the app are not readable for all users"),
    ]  # fmt: skip


def _capabilities(site: Site, plan: Plan) -> list[Setting]:
    low = [address.port for address in plan.listens if address.port < RESERVED_PORTS]
    if not low:
        why = "no port below 1024: none of root's rights is needed, not even the possibility"
        return [_exec("CapabilityBoundingSet", "", why, site.cause("listen"))]
    why = f"port {low[0]} is reserved for root; this right, and no other, opens it"
    return [
        _exec(name, "CAP_NET_BIND_SERVICE", why, site.cause("listen"))
        for name in ("CapabilityBoundingSet", "AmbientCapabilities")
    ]


def _files(site: Site, place: Place, call: Call) -> list[Setting]:
    """Makes the disk read-only except for what the app may need, and hides it elsewhere."""
    used = (call.directory, site.directory, site.facts.directory, place.python, place.app_python, place.gateway.path,
            *(folder.folder for folder in site.static), *(folder.folder for folder in site.left),
            *site.https_files.values(), *place.app_path, *place.package_path)  # fmt: skip
    made = [
        _exec("ProtectSystem", "strict", "the whole disk is read-only but for the directories named here"),
    ]  # fmt: skip
    if call.user:
        why = (
            "the app may keep files beside its code (a SQLite database, uploads); without this line it cannot"
        )
        made.append(_exec("ReadWritePaths", quote(site.directory), why))
    if _any_below(used, "/home", "/root", "/run/user"):
        why = "the site, or what it needs, is in there: readable, not writable"
        home = _exec("ProtectHome", "read-only", why)
    else:
        home = _exec("ProtectHome", "yes", "nothing of the site is in there")
    if _any_below(used, "/tmp", "/var/tmp"):  # noqa: S108  a comparison
        why = "the site, or what it needs, is in there: move it, and say yes"
        temporary = _exec("PrivateTmp", "no", why)
    else:
        temporary = _exec("PrivateTmp", "yes", "a /tmp of its own: other users cannot guess its files")
    return [*made, home, temporary]


def _any_below(paths: tuple[str, ...], *tops: str) -> bool:
    return any(path == top or path.startswith(f"{top}/") for path in paths for top in tops)


def _wanted() -> Setting:
    return _about("WantedBy", "multi-user.target", "systemctl enable starts it at every boot")


def _about(name: str, value: str, why: str, cause: str = "") -> Setting:
    return Setting(name, value, why, f"{_MANUAL}unit.html#{name}=", cause)


def _serve(name: str, value: str, why: str, cause: str = "") -> Setting:
    return Setting(name, value, why, f"{_MANUAL}service.html#{name}=", cause)


def _exec(name: str, value: str, why: str, cause: str = "") -> Setting:
    return Setting(name, value, why, f"{_MANUAL}exec.html#{name}=", cause)


def _kill(name: str, value: str, why: str, cause: str = "") -> Setting:
    return Setting(name, value, why, f"{_MANUAL}kill.html#{name}=", cause)
