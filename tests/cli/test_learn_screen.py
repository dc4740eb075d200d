"""The questions of `portico learn`, with what a reader types."""

from __future__ import annotations

import io

import pytest

from portico.cli.learn.screen import Progress, QuitError, take
from portico.lessons.model import Lesson, Question

LESSON = Lesson("The slash", "Words.", (Question("What?", ("one", "two"), 1, "Look.", ("It was two.",)),))


@pytest.mark.parametrize(
    ("typed", "asked", "at_once"),
    [("1\nq\n", 1, 0), ("q\n", 0, 0), ("?\nq\n", 0, 0), ("2\nq\n", 1, 1), ("1\n2\nq\n", 1, 0)],
)
def test_a_question_counts_from_its_first_answer_on(
    monkeypatch: pytest.MonkeyPatch, typed: str, asked: int, at_once: int
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    progress = Progress(1)
    with pytest.raises(QuitError):
        take(LESSON, progress)
    assert (progress.asked, progress.at_once) == (asked, at_once)
