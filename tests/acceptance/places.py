"""Where the checks run, and what came of it: a file for each place in `runs`, which docs/many.md shows as a table.

A run writes its file if the environment says `ACCEPTANCE=record`; `make docs` writes the table of these files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from tests.acceptance.checks import CHECKS, Check, client
from tests.support.clients import Clients, Profile

RUNS = Path(__file__).parent / "runs"
PAGE = Path(__file__).parents[2] / "docs" / "many.md"
PLACES = {
    "nginx": "`portico run`, nginx",
    "apache": "`portico run`, Apache httpd",
    "nodes": "a gateway and two nodes",
    "fleet": "three hosts (network namespaces), after `portico fleet release`",
    "systemd": "the exported unit, in a booted Debian 13",
    "container": "container",
    "compose": "compose, two replicas",
    "apart": "compose, gateway and app apart (`--apart`)",
    "pod": "two pods of the Deployment, by podman",
    "ejected-nginx": "ejected nginx, uWSGI, with `X-Accel-Buffering: no`",
    "ejected-apache": "ejected Apache httpd, uWSGI",
}
"""Each with its words in the table."""
DRAIN = "drain"
"""No request is lost when the place, or parts of it, are stopped or replaced. Each place has its own test of that."""
COLUMNS = (*(check.__name__ for check in CHECKS), DRAIN)
_BEGIN, _END = "<!-- made by `make docs` from tests/acceptance/runs -->\n", "<!-- until here -->\n"


def holds(place: str, check: Check, site: httpx.Client) -> None:
    """Asks the check of a site at that place, and writes down whether it holds. Raises as the check does."""
    with noted(place, check.__name__):
        check(site)


@contextmanager
def noted(place: str, check: str) -> Iterator[None]:
    """The block holds what that place must keep; whether it does is written down."""
    said = "failed"
    try:
        yield
        said = "ok"
    finally:
        if os.environ.get("ACCEPTANCE") == "record":
            record(place, check, said)


@contextmanager
def loses_nothing(place: str, port: int, profile: Profile, **changed: Any) -> Iterator[Clients]:
    """Parts of the place are stopped and replaced in the block, and no request of clients that never retry fails."""
    with noted(place, DRAIN):
        with Clients(port, profile, **changed) as clients:
            yield clients
        assert clients.failed == [], clients.failed[:5]


def accept(place: str, url: str) -> None:
    """All that is asked of a URL."""
    with client(url) as site:
        for check in CHECKS:
            holds(place, check, site)


def said_of(place: str, printed: str) -> dict[str, str]:
    """By check, what `python -m tests.acceptance` printed of a site at that place; written down as by `holds`."""
    words = [line.split() for line in printed.splitlines()]
    found = {line[0]: "ok" if line[1:] == ["ok"] else "failed" for line in words}
    if os.environ.get("ACCEPTANCE") == "record":
        for check, said in found.items():
            record(place, check, said)
    return found


def record(place: str, check: str, said: str) -> None:
    """Tests of one place run in one process."""
    file = RUNS / f"{place}.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    known[check] = {"said": said, "on": datetime.now(UTC).date().isoformat()}
    RUNS.mkdir(exist_ok=True)
    file.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")


def table() -> str:
    """Markdown: a row for each place, with the day of its oldest answer."""
    lines = [f"| | {' | '.join(COLUMNS)} | on |", "|---" * (len(COLUMNS) + 2) + "|"]
    for place, words in PLACES.items():
        found = json.loads((RUNS / f"{place}.json").read_text())
        day = min(found[name]["on"] for name in COLUMNS)
        lines.append(f"| {words} | {' | '.join(found[name]['said'] for name in COLUMNS)} | {day} |")
    return "\n".join(lines) + "\n"


def page() -> str:
    """The page with the table of the runs."""
    before, _, rest = PAGE.read_text().partition(_BEGIN)
    return f"{before}{_BEGIN}\n{table()}\n{_END}{rest.partition(_END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page())
