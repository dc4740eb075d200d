"""The worker's part of Server-Timing, for the gateway: how long a request waited, and how long the app took.

Only a site with `trace.server_timing` has it, so that no other response pays for the question whether it is wanted.
The gateway sends the variable with the requests whose clients may see the times, and hides the header from the others.
https://www.w3.org/TR/server-timing/
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from portico.link.head import queue_us

VARIABLE: Final = "PORTICO_SERVER_TIMING"
"""In the worker's environment: set on a site that has it."""
WANTED: Final = "PORTICO_TIMED"
"""The gateway's variable of a request whose client may see the times."""
HEADER: Final = "X-Portico-Timing"


def is_on(environment: Mapping[str, str]) -> bool:
    return bool(environment.get(VARIABLE))


def line(started_ns: int, sent: str | bytes | None) -> str:
    """The header: queue time, if it is known from `sent`, and app time until now, in milliseconds."""
    app_us = (time.monotonic_ns() - started_ns) // 1000
    queue = f'queue;desc="waits for a worker";dur={queue_us(sent, app_us) / 1000}, ' if sent else ""
    return f'{HEADER}: {queue}app;desc="until its head";dur={app_us / 1000}\r\n'
