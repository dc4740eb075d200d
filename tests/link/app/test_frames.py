"""Tracebacks show what the app's author wrote."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import pytest

from portico.link.app.error import AppError
from portico.link.app.find.factory import call
from portico.link.app.frames import has_own_frames, own_traceback


def _raised(run: Callable[[], object]) -> BaseException:
    with pytest.raises(BaseException) as caught:
        run()
    return caught.value


def _chained() -> None:
    try:
        importlib.import_module("portico_has_no_such_module")
    except ImportError as error:
        raise RuntimeError("no database") from error


def test_the_import_machinery_is_left_out_of_causes_too() -> None:
    text = own_traceback(_raised(_chained))
    assert "importlib" not in text.replace("importlib.import_module(", "")
    assert text.count("in _chained") == 2
    assert text.endswith("RuntimeError: no database")


def test_groups_are_cleaned_as_well() -> None:
    def together() -> None:
        raise BaseExceptionGroup("two", [_raised(_chained), ValueError("x")])

    assert "<frozen" not in own_traceback(_raised(together))


def test_a_module_that_is_missing_has_no_frame_of_the_app() -> None:
    assert has_own_frames(_raised(_chained))


def test_portico_is_left_out() -> None:
    def create_app() -> None:
        raise RuntimeError("no database")

    error = _raised(lambda: call("shop", "create_app", create_app))
    assert isinstance(error, AppError)
    assert "factory.py" not in error.quote
    assert "in create_app" in error.quote
