"""The table of docs/many.md: it says what the recorded runs say, of every place that is tested."""

from __future__ import annotations

import ast
import json

from tests.acceptance.places import COLUMNS, PAGE, PLACES, RUNS, page
from tests.support import ROOT


def test_the_page_shows_the_recorded_runs() -> None:
    assert page() == PAGE.read_text(), "ACCEPTANCE=record with the tests of a place, then: make docs"


def test_every_place_has_a_whole_run_and_a_test_that_repeats_it() -> None:
    assert {file.stem for file in RUNS.glob("*.json")} == set(PLACES)
    for file in RUNS.glob("*.json"):
        assert json.loads(file.read_text()).keys() == set(COLUMNS), file.name
    others = (ROOT / "tests/export/test_image_runs.py", ROOT / "tests/live/test_fleet.py")
    tests = [*(ROOT / "tests/acceptance").glob("test_*.py"), *others]
    named = {node.value for file in tests for node in ast.walk(ast.parse(file.read_text()))
             if isinstance(node, ast.Constant)}  # fmt: skip
    assert set(PLACES) <= named
