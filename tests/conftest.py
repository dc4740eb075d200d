"""What holds for every test: who runs the apps, and what is no finding."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
from collections.abc import Generator, Iterator
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

_PR_SET_CHILD_SUBREAPER = 36
_prctl = ctypes.CDLL(None).prctl


@pytest.fixture(autouse=True)
def adopts_no_orphans_afterwards() -> Iterator[None]:
    """What a test measures or supervises in this process makes it the parent of orphans. Those of the next test would
    stay as zombies, which count as processes that run.
    """
    yield
    _prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


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
