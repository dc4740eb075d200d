"""In a worker of an app server that was started while the app is still being asked (`run.supervisor.ahead`)."""

from __future__ import annotations

import os
import time
from typing import Final

VARIABLE: Final = "PORTICO_AHEAD"
"""Names a file that is there until Portico knows whether the server stays."""
_LOOK_SECONDS: Final = 0.05


def wait() -> None:
    """The app could not be loaded: say nothing while another process is asked, which says it better."""
    flag, arbiter = os.environ.get(VARIABLE), os.getppid()
    while flag and os.path.exists(flag) and os.getppid() == arbiter:  # noqa: PTH110
        time.sleep(_LOOK_SECONDS)
