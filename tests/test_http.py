"""Heads of HTTP as Portico reads them."""

from __future__ import annotations

import pytest

from portico.http import read_answer


def test_no_answer_is_not_called_one_that_is_no_http() -> None:
    with pytest.raises(ValueError, match="closed without an answer"):
        read_answer(b"")
