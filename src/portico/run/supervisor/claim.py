"""Locks the runtime directory before the app is inspected: other processes see the status, and no second site
starts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from portico.plan.model import Plan
from portico.run.disk import directories, lock
from portico.run.gateway import files
from portico.run.processes import descriptors, orphans, prctl
from portico.run.sockets import switch
from portico.run.sockets.systemd import Service
from portico.run.supervisor.ahead import Aheads, begin_first, end_first


class Claim:
    """A locked runtime directory, in which no other site starts. `number` is that of the first release."""

    def __init__(self, number: int, held: lock.Held, service: Service) -> None:
        self.number, self.service = number, service
        self.aheads = Aheads()
        self.was_asked = False
        """Whether the control socket ever existed."""
        self._held = held

    def begin(self, draft: Plan) -> Callable[[], bool]:
        """Start the app server ahead; the result ends it again, and returns whether there was one."""
        begin_first(self.aheads, draft, self.number)
        return lambda: end_first(self.aheads, self.number)

    def answers(self, plan: Plan) -> None:
        """The control socket exists: commands can ask it."""
        self.was_asked = True
        self._held.say(plan)


@contextmanager
def claimed(plan: Plan, stage: str = "") -> Iterator[Claim]:
    """Make the directories, lock them, and end a killed Portico's orphans. Raises PorticoError if another one runs.

    `stage` describes the current step for `portico status`, until the control socket answers. Only the parts of
    `plan` that do not depend on the app's facts are used.
    """
    service = Service.take(os.environ)  # before any child is started: Gunicorn would answer instead
    descriptors.raise_limit()
    directories.make(plan)
    with lock.held(plan, stage) as held:
        orphans.end(plan.runtime)
        number = files.next_number(plan.runtime)
        switch.refuse_taken(plan)
        switch.sweep(plan)
        prctl.adopt_orphans()
        claim = Claim(number, held, service)
        try:
            yield claim
        finally:
            end_first(claim.aheads, number)
            if (
                not claim.was_asked and not plan.shared
            ):  # a gateway shows the pages of a site that cannot start
                _tidy(plan)


def _tidy(plan: Plan) -> None:
    """The inspection failed: no files are left that anybody could look at."""
    switch.sweep(plan)
    files.remove(plan)
    (Path(plan.runtime) / lock.NAME).unlink(missing_ok=True)
    with suppress(OSError):
        Path(plan.runtime).rmdir()
