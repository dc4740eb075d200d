"""From what was sent and told to findings: nginx's lines and the app's calls are laid beside each connection."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tests.attack.apps import Call
from tests.attack.smuggling.judge import Line, Seen, Sent, disagreements, strays
from tests.attack.smuggling.sending import Told
from tests.attack.target import Target


class Connection(NamedTuple):
    """One case, after it was sent."""

    name: str
    sent: Sent
    told: Told
    valid: bool


def findings(target: Target, connections: Sequence[Connection]) -> Iterator[tuple[str, str]]:
    """(case, finding or "")."""
    calls = target.calls()
    addresses = {one.told.address for one in connections}
    known = {name for one in connections for name in one.told.ids}
    logged = target.logged({*known, *(call.id for call in calls if call.client in addresses)})
    lines_of, calls_of = defaultdict[str, list[Line]](list), defaultdict[str, list[Call]](list)
    for line in logged:
        lines_of[str(line["client"])].append(line)
    for call in calls:
        calls_of[call.id].append(call)
    for one in connections:
        lines = lines_of[one.told.address]
        # httpd refuses what it cannot measure, and closes the connection.
        is_measured = not target.is_httpd or all(line["status"] != 411 for line in lines)
        seen = Seen(one.sent, one.told, lines, calls_of, one.valid and is_measured, target.is_httpd)
        yield one.name, "; ".join(disagreements(seen))
    stray = list(strays(calls, {str(line["id"]) for line in logged}, addresses))
    yield "every call is one that nginx has read", "; ".join(stray[:5])
