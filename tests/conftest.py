"""What holds for every test: who runs the apps, and what is no finding."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

from tests.support import AS_ROOT

os.environ |= AS_ROOT

# A machine that does something else meanwhile is no finding.
settings.register_profile("portico", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("portico")
