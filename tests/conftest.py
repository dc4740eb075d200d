"""What holds for every test."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A machine that does something else meanwhile is no finding.
settings.register_profile("portico", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("portico")
