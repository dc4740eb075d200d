"""A lesson and its questions, as values."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from msgspec import Struct

_MOST_CHOICES = 4


class Question(Struct, frozen=True):
    """`right` is the index of the choice that happened; `evidence` are sentences with what was seen, and `see` is a
    command that shows the same, empty where there is none.
    """

    text: str
    choices: tuple[str, ...]
    right: int
    hint: str
    evidence: tuple[str, ...]
    see: str = ""

    @property
    def answer(self) -> str:
        return self.choices[self.right]


class Lesson(Struct, frozen=True):
    """`words` say what it is about."""

    title: str
    words: str
    questions: tuple[Question, ...]


def question(
    text: str, seen: str, others: Iterable[str], hint: str, evidence: Iterable[str], see: str = ""
) -> Question | None:
    """The question that `seen` answers, among the first of the others. None if there is no other: then nothing is
    asked.
    """
    wrong = [one for one in dict.fromkeys(others) if one != seen][: _MOST_CHOICES - 1]
    if not seen or not wrong:
        return None
    choices = tuple(sorted([seen, *wrong], key=lambda choice: zlib.crc32(f"{text} {choice}".encode())))
    return Question(text, choices, choices.index(seen), hint, tuple(evidence), see)


def lesson(title: str, words: str, questions: Iterable[Question | None]) -> Lesson:
    """The lesson with those questions that can be asked."""
    return Lesson(title, words, tuple(one for one in questions if one))
