"""What holds for every test: who runs the apps, and what is no finding."""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

from tests.support import USUAL

os.environ |= USUAL
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # In the background of a shell; what tests start would ignore it, too, and they interrupt some.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A machine that does something else meanwhile is no finding.
settings.register_profile("portico", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("portico")
