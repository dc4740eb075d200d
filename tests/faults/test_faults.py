"""The fault matrix, in its short form; `make faults` is the long one."""

from __future__ import annotations

import pytest

from tests.faults.matrix import MATRIX, Fault
from tests.faults.table import line


@pytest.mark.parametrize("fault", MATRIX, ids=lambda fault: fault.key)
def test_only_what_may_fail_fails(fault: Fault) -> None:
    outcome = fault.run(fault.short)
    print(line(outcome))
    assert not outcome.broken, line(outcome)
