"""Filters the startup messages of an app server: Portico reads its standard error and shows the rest.

Only for a server that reopens its standard error once it serves (`link.under_uwsgi.direct`): then the app's output
does not pass through Portico.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from portico.plan.model import Plan
from portico.protocol import notices
from portico.run.processes.child import Child
from portico.run.processes.stderr import Lines


def is_read(plan: Plan) -> bool:
    """Whether Portico reads its standard error."""
    return bool(plan.app_server.banner)


class Banners:
    """The readers of all releases, by their number."""

    def __init__(self, say: Callable[[notices.Notice], None]) -> None:
        self._say = say
        self._lines: dict[int, Lines] = {}

    def follow(self, number: int, plan: Plan, child: Child) -> None:
        """Show its output from now on, without the lines of its banner."""
        if child.stderr is None:
            return
        is_banner = re.compile(plan.app_server.banner).match

        def heard(line: str) -> None:
            if not is_banner(line):
                self._say(notices.ServerSaid(line))

        self._lines[number] = self._lines.get(number) or Lines(heard)
        self._lines[number].follow(child.stderr)

    def ended(self, number: int) -> None:
        """Show its last output before its end is reported."""
        if lines := self._lines.get(number):
            lines.last()
