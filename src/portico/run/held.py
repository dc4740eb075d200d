"""Signals that would end or stop Portico while it starts: nothing listens to them yet, so they do nothing.

This file imports nothing that takes time: it is needed before anything else.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping

WITHOUT_MEANING: Mapping[signal.Signals, str] = {
    signal.SIGUSR2: "portico reload starts the new code beside the old",
    signal.SIGTTIN: "portico scale NUMBER sets the number of workers",
    signal.SIGTTOU: "portico scale NUMBER sets the number of workers",
}
"""What app servers obey, so that people send it to Portico, too; and what to do instead."""


def hold() -> None:
    """Until `signals.listen`. Not SIG_IGN, which every child would inherit."""
    for number in (signal.SIGUSR1, *WITHOUT_MEANING):
        signal.signal(number, _nothing)


def _nothing(*_: object) -> None:
    pass
