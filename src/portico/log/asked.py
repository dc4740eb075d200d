"""One line of the access log about the challenge: who was asked for a pass, and who got one."""

from __future__ import annotations

from typing import Self

import msgspec

from portico.log.request import Request, moment
from portico.plan.web.app.challenge import SOLVED_AT
from portico.plan.web.refusals import CHALLENGE

_ASKED, _SOLVED = f'"refused_by":"{CHALLENGE}', f"{SOLVED_AT}?"


class Asked(msgspec.Struct, frozen=True):
    """`at` is its Unix time. Of a dry run, the client would have been asked."""

    at: float
    client: str
    is_dry_run: bool = False
    has_pass: bool = False
    """It brought the solution, and got a pass."""

    @classmethod
    def parse(cls, line: str) -> Self | None:
        """None for a line about something else."""
        if _ASKED not in line and _SOLVED not in line:
            return None
        request = Request.parse(line)
        if request is None:
            return None
        if request.refused_by == CHALLENGE or request.would_be_refused_by == CHALLENGE:
            return cls(moment(request.time), request.client, is_dry_run=not request.is_refused)
        if request.status == 204 and request.method == "POST" and request.path.endswith(SOLVED_AT):
            return cls(moment(request.time), request.client, has_pass=True)
        return None
