"""What holds for every test: who runs the apps, and what is no finding."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support import USUAL
from tests.support.schedule import Scheduler, urgency

os.environ |= USUAL
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # In the background of a shell; what tests start would ignore it, too, and they interrupt some.
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # by nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# A machine that does something else meanwhile is no finding.
settings.register_profile("portico", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("portico")


@pytest.hookimpl(optionalhook=True)  # unknown without xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduler:
    return Scheduler(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """After pytest-randomly: what is of one urgency stays in its order of chance."""
    items.sort(key=lambda item: urgency(item.nodeid))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected stays: to look through it again and again takes a sixth of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
