"""The fault matrix, in its short form; `make faults` is the long one."""

from __future__ import annotations

import pytest

from tests.faults import outcome
from tests.faults.matrix import MATRIX, SHORT_PAIRS, Fault
from tests.faults.table import line

BUSY, BUSY_SECONDS = 15.0, 30.0
"""Other tests run beside it; `make faults` insists on the times."""


@pytest.mark.parametrize("fault", MATRIX + SHORT_PAIRS, ids=lambda fault: fault.key)
def test_only_what_may_fail_fails(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "PATIENCE", BUSY)
    monkeypatch.setattr(outcome, "LEAST_SECONDS", BUSY_SECONDS)
    found = fault.run(fault.short)
    print(line(found))
    assert not found.broken, line(found)
