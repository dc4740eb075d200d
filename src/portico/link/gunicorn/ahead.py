"""In a worker of an app server that started while the app is still being asked (`run.supervisor.ahead`)."""

from __future__ import annotations

import os
import time
from typing import Final

VARIABLE: Final = "PORTICO_AHEAD"
"""The variable with the name of a file that exists until Portico knows whether the server stays."""
_LOOK_SECONDS: Final = 0.05


def wait() -> None:
    """After a failure to load the app: waits for the process that asks the app, which reports it better."""
    flag, arbiter = os.environ.get(VARIABLE), os.getppid()
    while flag and os.path.exists(flag) and os.getppid() == arbiter:  # noqa: PTH110
        time.sleep(_LOOK_SECONDS)
