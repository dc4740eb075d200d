"""`./release`: a rolling release, for whoever runs Compose. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from portico.export.compose.commands import replace_processes, run_after, run_before
from portico.export.compose.lines import lines
from portico.plan.files import File
from portico.plan.model import Plan


def release(plan: Plan, servers: Sequence[tuple[str, str]], is_well: str) -> File:
    """The script; `servers` are a service and its name among the gateway's servers, `is_well` asks a replica, $1."""
    waits = round(plan.health.start_seconds * 2)
    pairs = " ".join(f"{name}={server}" for name, server in servers)
    text = f"""\
#!/bin/sh
# A rolling release: builds the image, then drains, replaces and tries one replica after the other. It stops at the
# first that does not become well; the others go on with the code that they have. COMPOSE names another program.
set -eu
cd "$(dirname "$0")"
compose=${{COMPOSE:-docker compose}}

# Once a second until it succeeds, at most {waits} times.
try() {{
    tries={waits}
    until "$@"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 1
    done
}}
is_well() {{ {is_well}; }}
# Refused while it is the last one in use: the one before may not be back yet.
drain() {{ $compose exec -T gateway portico drain "$1" 2>/dev/null; }}
fail() {{
    echo "$1" >&2
    echo "the other replicas serve; mend it and run $0 again" >&2
    exit 1
}}

$compose build gateway
{run_before(plan)}for one in {pairs}; do
    name=${{one%%=*}}
    server=${{one#*=}}
    echo "$name: waiting until its requests are finished"
    try drain "$server" || fail "$name: no other replica is well: $compose exec gateway portico status"
    echo "$name: replacing it"
    $compose up -d --no-deps --force-recreate "$name"
    try is_well "$name" || fail "$name does not become well: $compose logs $name"
    $compose exec -T gateway portico drain "$server" --undo --when-well ||
        fail "$name stays drained: $compose logs $name"
done
{replace_processes(plan)}{run_after(plan)}echo "released"
"""
    return File("release", tuple(lines(text.removesuffix("\n"))), mode=0o755)
