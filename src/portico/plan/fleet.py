"""A rolling release over several hosts: the steps, as scripts for sh. Pure.

A host is drained at the gateway, gets the new release, is asked by the gateway, and gets requests again. What fails is
undone on that host, and the others keep what they have.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from portico.errors import UNHEALTHY, Problem, UsageError
from portico.site.options import Options
from portico.site.upstream_server import Server

RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}")
"""The name of a release: a directory, and one word of a shell."""
SSH = ("ssh", "-aTx", "-oBatchMode=yes", "-oConnectTimeout=10", "-oServerAliveInterval=15")
"""Without questions, an agent, a display or a terminal. Everything else is in ssh_config(5): users, ports, keys."""


WAS_DRAINED = 75
"""The exit code of the step that drains a server which was drained already: it stays so."""


class What(StrEnum):
    """What a step does; `LOCK`, `LOOK` and `FETCH` change nothing that serves."""

    LOCK = "lock"
    LOOK = "look"
    FETCH = "fetch"
    DRAIN = "drain"
    RELEASE = "release"
    RETURN = "return"
    ROLL_BACK = "roll back"


class Host(Struct, frozen=True):
    """A server of the gateway, and its host as ssh is told."""

    server: str
    ssh: str


class Fleet(Struct, frozen=True):
    """The inventory. `site` is the gateway's; for the other fields see [fleet]."""

    site: str
    hosts: tuple[Host, ...]
    directory: str
    fetch: str
    program: str
    gateway: str
    here: str = "portico"
    """Portico on this machine as words of sh, for a gateway here."""


class Step(Struct, frozen=True):
    """A script for `sh`, on a host of ssh, or here if `at` is empty."""

    host: Host
    what: What
    at: str
    script: str


def fleet(options: Options, site: str, here: str = "portico") -> Fleet:
    """Raises UsageError without [fleet]."""
    said = options.fleet
    if not said.directory:
        hint = 'name the directory of the site on its hosts: fleet = "/srv/shop" in the portico.toml of the gateway'
        raise UsageError(Problem("fleet.directory", "is not set", hint))
    hosts = tuple(_host(Server.parse(one)) for one in options.upstream.servers)
    return Fleet(site, hosts, said.directory, said.fetch, said.program, said.gateway, here)


def _host(server: Server) -> Host:
    return Host(server.name, server.host.strip("[]"))


def refuse_name(release: str) -> None:
    """Raises UsageError for what is no name of a release."""
    if not RELEASE.fullmatch(release):
        hint = "expected the name of a directory below releases/: letters, digits, . _ + and -"
        raise UsageError(Problem("", f'"{release}" cannot name a release', hint))


LOCKED = "locked"
"""What the lock writes when it is held."""


def lock(fleet: Fleet, release: str) -> Step:
    """Against another release at the same time, from wherever. It is held until the standard input of its script ends,
    and so while whoever releases lives.
    """
    return _on(fleet, fleet.hosts[0], What.LOCK, release)


def ahead(fleet: Fleet, release: str) -> tuple[Step, ...]:
    """Before anything is switched: whether every host can be released to, and the code on every host."""
    looks = [_on(fleet, host, What.LOOK, release) for host in fleet.hosts]
    return (*looks, *(_on(fleet, host, What.FETCH, release) for host in fleet.hosts if fleet.fetch))


def of_host(fleet: Fleet, host: Host, release: str) -> tuple[Step, ...]:
    """The release of one host."""
    return (
        _at_gateway(fleet, host, What.DRAIN),
        _on(fleet, host, What.RELEASE, release),
        _at_gateway(fleet, host, What.RETURN),
    )


def undoing(fleet: Fleet, failed: Step, release: str) -> tuple[Step, ...]:
    """What gives the host of a failed step the requests and the release back that it had."""
    back = (_at_gateway(fleet, failed.host, What.RETURN),)
    if failed.what in (What.RELEASE, What.RETURN):
        return (_on(fleet, failed.host, What.ROLL_BACK, release), *back)
    return back if failed.what is What.DRAIN else ()


def _on(fleet: Fleet, host: Host, what: What, release: str) -> Step:
    return Step(host, what, host.ssh, f"release={release}\n{body(fleet, what)}")


def _at_gateway(fleet: Fleet, host: Host, what: What) -> Step:
    return Step(host, what, fleet.gateway, f"server={shlex.quote(host.server)}\n{body(fleet, what)}")


def body(fleet: Fleet, what: What) -> str:
    """The script of a step, for any host: $release is the new one, $server the name of a host at the gateway.

    sh has read all of it when it begins, so a command in it may read its standard input, which is empty.
    """
    lines = "\n".join(f"    {line}" for line in _lines(fleet, what))
    ends = "" if what is What.LOCK else " </dev/null"
    return f"{{\n    set -e\n{lines}\n}}{ends}"


def _lines(fleet: Fleet, what: What) -> Sequence[str]:
    directory, current = shlex.quote(fleet.directory), shlex.quote(f"{fleet.directory}/current")
    there = shlex.quote(fleet.program)
    here = there if fleet.gateway else fleet.here
    site = f"--site {shlex.quote(fleet.site)}"
    match what:
        case What.LOCK:
            return (
                f"cd {directory}",
                *_IS_SAFE,
                "umask 077",
                "exec 9>>releases.lock",
                f"flock -n 9 || {{ echo {shlex.quote(_IS_LOCKED)} >&2; exit 1; }}",
                f"echo {LOCKED}",
                "exec cat >/dev/null",
            )
        case What.LOOK:
            return (
                f"cd {directory}",
                *_IS_SAFE,
                *(() if fleet.fetch else (_IS_THERE,)),
                '[ -L current ] || { echo "current is no link" >&2; exit 1; }',
                "# A site that is not healthy may be what this release mends.",
                f"{there} status {current} >/dev/null || [ $? -eq {UNHEALTHY} ]",
            )
        case What.FETCH:
            return (
                f"cd {directory}",
                *_IS_SAFE,
                f"if ! {_IS_NEW} && ! {{ {_IS_WHOLE}; }}; then",
                "    # While the mark is there, half of a release is: the next try begins anew.",
                f"    mkdir -p releases; : >{_PART}; rm -rf {_NEW}",
                '    export RELEASE="$release"',
                f"    sh -c {shlex.quote(fleet.fetch)}",
                f'    [ -d {_NEW} ] || {{ echo "fetch has not made releases/$release" >&2; exit 1; }}',
                f"    rm {_PART}",
                "fi",
            )
        case What.DRAIN:
            return (
                f"servers=$({here} status --json {site}) || [ $? -eq {UNHEALTHY} ]",
                "# Somebody has drained it on purpose: it gets the release, and stays drained.",
                "case $(printf %s \"$servers\" | tr -d ' \\n') in",
                f'*"{{\\"name\\":\\"$server\\",\\"status\\":\\"drained\\""*) exit {WAS_DRAINED} ;;',
                "esac",
                f'{here} drain "$server" {site}',
            )
        case What.RELEASE:
            return (
                f"cd {directory}",
                "before=$(readlink current)",
                f'if {_IS_NEW}; then rm -f previous; else ln -sfn "$before" previous; fi',
                f"to=releases/$release; {_POINT}",
                "# A refused release leaves the old one serving, and the link follows.",
                f"{there} reload {current} || {{ code=$?; to=$before; {_POINT}; exit $code; }}",
            )
        case What.RETURN:
            return (f'{here} drain "$server" --undo --when-well {site}',)
        case What.ROLL_BACK:
            return (
                f"cd {directory}",
                f"{{ {_IS_NEW} && [ -L previous ]; }} || exit 0   # it has the old one already",
                f"to=$(readlink previous); {_POINT}",
                f"{there} reload {current}",
            )


_IS_LOCKED = (
    "another release runs; if its connection was lost, this shows the process that keeps releases.lock: "
    "fuser -v releases.lock"
)
_NEW, _PART = '"releases/$release"', '"releases/.$release.part"'
_IS_WHOLE = f"[ -d {_NEW} ] && [ ! -e {_PART} ]"
_IS_THERE = f'{{ {_IS_WHOLE}; }} || {{ echo "no releases/$release, or half of one" >&2; exit 1; }}'
_IS_SAFE = (
    f'[ ! -L {_NEW} ] || {{ echo "releases/$release is a link, not a directory" >&2; exit 1; }}',
    "# Root works only where nobody else can lead it elsewhere. In a directory like /tmp (sticky), its own are safe.",
    'if [ "$(id -u)" -eq 0 ]; then (',
    "    only_root() {",
    '        others=$(find "$1" -prune \\( ! -user 0 -o $2 \\( -perm -020 -o -perm -002 \\) \\))',
    '        [ -z "$others" ] || { echo "not as root: others may change $others; log in as its user" >&2; exit 1; }',
    "    }",
    "    here=$(pwd -P)",
    '    [ ! -e releases ] || only_root "$here/releases"',
    '    only_root "$here"',
    '    until [ -z "$here" ]; do here=${here%/*}; only_root "${here:-/}" "! -perm -1000"; done',
    ") fi",
)
_IS_NEW = '[ "$(basename "$(readlink current)")" = "$release" ]'
_POINT = 'ln -sfn "$to" current.next; mv -T current.next current'
