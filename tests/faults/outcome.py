"""What came of a fault: figures, and each promise that was not kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.faults.clients import Clients
from tests.faults.stage import Stage
from tests.support.clients import Asked

PATIENCE = 1.0
"""How many times longer than promised a recovery may take: promises are for a machine that does nothing else."""
LEAST_SECONDS = 0.0
"""Any may take so long."""


def at_most(seconds: float) -> float:
    return max(seconds * PATIENCE, LEAST_SECONDS)


@dataclass(frozen=True)
class Outcome:
    """`back_seconds` is the longest recovery, None where nothing was away; `broken` is empty when all is well."""

    fault: str
    allowed: str
    requests: int = 0
    failed: int = 0
    back_seconds: float | None = None
    remarks: tuple[str, ...] = ()
    broken: tuple[str, ...] = field(default=())


def judged(
    fault: str,
    allowed: str,
    stage: Stage,
    clients: Clients,
    *,
    may_fail: Callable[[Asked], bool] = lambda _: False,
    back_seconds: Iterable[float] = (),
    back_within: float | None = None,
    remarks: Iterable[str] = (),
    broken: Iterable[str] = (),
) -> Outcome:
    """Weigh what the clients got: who failed without being allowed to, and whether each POST was executed once.

    `back_within` is the longest recovery that is promised.
    """
    longest = max(back_seconds, default=None)
    late = []
    if back_within is not None and longest is not None and longest > at_most(back_within):
        late = [f"back after {longest:.2f} s, promised within {back_within:g} s"]
    return Outcome(
        fault,
        allowed,
        len(clients.asked),
        len(clients.failed),
        longest,
        tuple(remarks),
        (
            *broken,
            *late,
            *(str(asked) for asked in clients.failed if not may_fail(asked)),
            *_posts(stage, clients),
        ),
    )


def _posts(stage: Stage, clients: Clients) -> list[str]:
    """Each POST that was answered was executed once, and none more often."""
    asked = clients.asked.copy()  # before the look at what was executed: clients may still be asking
    executed = stage.posts()
    found = [f"POST {key} was executed {len(pids)} times" for key, pids in executed.items() if len(pids) > 1]
    good = (one for one in asked if one.is_good and one.what.startswith("POST"))
    return found + [
        f"POST {one.key} was answered, but not executed" for one in good if one.key not in executed
    ]
