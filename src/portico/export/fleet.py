"""A rolling release over several hosts as a script to read, and the service of each host. Pure."""

from __future__ import annotations

import shlex

from portico.errors import Problem, UsageError
from portico.plan.files import File, Line
from portico.plan.fleet import LOCKED, SSH, WAS_DRAINED, Fleet, Host, What, body
from portico.site.options import Options
from portico.site.upstream_server import Server


def script(fleet: Fleet) -> File:
    """`./release NAME`: the steps of `portico fleet release`, with the ssh commands that it runs."""
    text = _SCRIPT.format(
        site=fleet.site,
        directory=fleet.directory,
        bodies="\n\n".join(_function(fleet, what) for what in What if _is_step(fleet, what)),
        lock=_lock(fleet),
        fetch="for_all fetch\n" if fleet.fetch else "",
        drained=WAS_DRAINED,
        hosts=" ".join(f"{one.server}={one.ssh}" for one in fleet.hosts),
    )
    return _executable("release", text)


def tree(fleet: Fleet, options: Options) -> tuple[File, ...]:
    """The script, and for each host a script that makes its service. Raises UsageError without [fleet] node."""
    if not options.fleet.node:
        what = "is not set, and hosts must know from where their gateway connects"
        raise UsageError(Problem("fleet.node", what, 'name its addresses: node = ["10.0.0.1"] in [fleet]'))
    servers = map(Server.parse, options.upstream.servers)
    pairs = zip(fleet.hosts, servers, strict=True)
    return (script(fleet), *(_service(fleet, host, server, options) for host, server in pairs))


def _service(fleet: Fleet, host: Host, server: Server, options: Options) -> File:
    """The flags of a node come before its portico.toml, so all hosts have the same code."""
    listen = f":{server.address.rpartition(':')[2]}" if server.has_name else server.address
    words = [f"--listen={listen}", *(f"--node={one}" for one in options.fleet.node)]
    words += [f"--domain={one}" for one in options.domains]
    words += [f"--mount={options.mount}"] if options.mount != "/" else []
    text = f"""\
#!/bin/sh
# Once on {host.ssh}, as root: the service of the site there. {fleet.directory}/current leads to its first release.
set -eu
cd {shlex.quote(f"{fleet.directory}/current")}
unit=$({shlex.quote(fleet.program)} export systemd {shlex.join(words)} --write /etc/systemd/system)
systemctl daemon-reload
systemctl enable --now "$(basename "$unit")"
"""
    return _executable(f"hosts/{host.ssh}/install", text)


def _executable(path: str, text: str) -> File:
    """`splitlines` would make lines of characters that are none for sh."""
    return File(path, tuple(map(Line, text.removesuffix("\n").split("\n"))), mode=0o755)


def _is_step(fleet: Fleet, what: What) -> bool:
    return what is not What.LOCK and (what is not What.FETCH or bool(fleet.fetch))


def _lock(fleet: Fleet) -> str:
    """Its standard input stays open while the script runs."""
    return f"""\
pipes=$(mktemp -d) && mkfifo "$pipes/in" "$pipes/out" || exit 1
{shlex.join(SSH)} {shlex.quote(fleet.hosts[0].ssh)} sh -s <"$pipes/in" >"$pipes/out" &
exec 8>"$pipes/in" 9<"$pipes/out"
rm -r "$pipes"
{{ echo "release=$release"; cat <<'END'; }} >&8
{body(fleet, What.LOCK)}
END
read -r said <&9 && [ "$said" = {LOCKED} ] || {{ echo "nothing was changed, on no host" >&2; exit 1; }}"""


def _function(fleet: Fleet, what: What) -> str:
    """`NAME SERVER=HOST` runs the step for that host."""
    is_gateways = what in (What.DRAIN, What.RETURN)
    at = shlex.quote(fleet.gateway) if is_gateways else '"${1#*=}"'
    runs = "sh -s" if is_gateways and not fleet.gateway else f"{shlex.join(SSH)} {at} sh -s"
    variable = '"server=${1%%=*}"' if is_gateways else '"release=$release"'
    return f"""\
{_NAMES.get(what, what)}() {{
    {{ echo {variable}; cat <<'END'; }} | {runs}
{body(fleet, what)}
END
}}"""


_NAMES = {What.RETURN: "bring_back", What.ROLL_BACK: "roll_back"}
"""`return` is a word of the shell."""
_SCRIPT = """\
#!/bin/sh
# A rolling release of {site}: ./release NAME brings releases/NAME in {directory} of each host into use, one host after
# the other. `portico fleet release NAME` does the same, with progress; `portico export fleet` wrote this.
# It stops at the first host that fails: that one gets its old release back, and the others keep what they have.
set -uf
trap 'echo "stopped; portico status at the gateway shows whether a server is drained" >&2; exit 130' HUP INT TERM
release=${{1:?the name of a release}}
case $release in
[!A-Za-z0-9]* | *[!A-Za-z0-9._+-]*) echo "$release cannot name a release" >&2; exit 2 ;;
esac
hosts='{hosts}'

# Each step is a script for sh: those of the gateway know the server, those of a host the release.

{bodies}

for_all() {{
    for one in $hosts; do
        echo "${{one%%=*}}: $1"
        "$1" "$one" || {{ echo "${{one%%=*}}: nothing was changed, on no host" >&2; exit 1; }}
    done
}}
fail() {{
    if [ "$2" = roll_back ] && ! roll_back "$1"; then
        echo "${{1%%=*}} stays drained, and may serve either release: look there" >&2
        exit 1
    fi
    if [ "$drained" ]; then
        echo "${{1%%=*}} stays drained, as it was before" >&2
    elif bring_back "$1"; then
        echo "${{1%%=*}} serves the release that it had; the hosts after it were not touched" >&2
    else
        echo "${{1%%=*}} stays drained: look there, then portico drain ${{1%%=*}} --undo" >&2
    fi
    exit 1
}}

# One release at a time: the first host keeps the lock while this runs.
{lock}

for_all look
{fetch}for one in $hosts; do
    echo "${{one%%=*}}: waiting until its requests are finished"
    drained=
    drain "$one" || {{ [ $? -eq {drained} ] && drained=yes; }} || fail "$one" drain
    echo "${{one%%=*}}: release $release"
    release "$one" || fail "$one" roll_back
    # One that somebody has drained on purpose stays so.
    [ "$drained" ] || bring_back "$one" || fail "$one" roll_back
done
echo "released $release"
"""
