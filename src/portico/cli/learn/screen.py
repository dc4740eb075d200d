"""The screens of `portico learn`: a question, the hint after a wrong answer, the evidence after the right one."""

from __future__ import annotations

import shutil
import textwrap

import click
from msgspec import Struct

from portico.cli import output
from portico.lessons.model import Lesson, Question

_WIDEST = 100


class Progress(Struct):
    """Where the reader is, and how many questions were answered right at once."""

    lessons: int
    lesson: int = 0
    asked: int = 0
    at_once: int = 0

    def line(self, number: int, questions: int) -> str:
        score = f"   right at once: {self.at_once} of {self.asked}" if self.asked else ""
        return f"lesson {self.lesson} of {self.lessons}, question {number} of {questions}{score}"


class QuitError(Exception):
    """The reader has had enough."""


def take(lesson: Lesson, progress: Progress) -> None:
    """One lesson. Raises QuitError."""
    progress.lesson += 1
    for number, one in enumerate(lesson.questions, 1):
        click.clear()
        head = [output.faint(progress.line(number, len(lesson.questions))), output.strong(lesson.title)]
        words = wrapped(lesson.words) if number == 1 else []
        output.results([*head, *words, "", *asked(one), ""])
        _until_right(one, progress)
        output.results(evidence(one))
        _type("Enter goes on, q ends:")


def _until_right(one: Question, progress: Progress) -> None:
    """Counts the first answer; returns after the right one. Raises QuitError."""
    is_first, most = True, len(one.choices)
    while True:
        typed = _type(f"1 to {most}, ? for a hint, q to end:")
        if typed == "?":
            output.results(wrapped(f"Hint: {output.safe(one.hint)}"))
        elif not (typed.isascii() and typed.isdigit() and 1 <= int(typed) <= most):
            output.result(f"Type a number from 1 to {most}.")
        else:
            is_right = int(typed) - 1 == one.right
            if is_first:
                progress.asked += 1
                progress.at_once += is_right
                is_first = False
            if is_right:
                return
            output.results([output.bad(f"Not {typed}."), *wrapped(f"Hint: {output.safe(one.hint)}")])


def _type(words: str) -> str:
    """Raises QuitError for q and at the end of the input."""
    try:
        typed = str(click.prompt(words, default="", show_default=False, prompt_suffix=" ")).strip()
    except click.Abort:
        output.result()
        raise QuitError from None
    if typed.lower() == "q":
        raise QuitError
    return typed


def asked(one: Question) -> list[str]:
    """The question with its choices."""
    choices = [
        line
        for number, choice in enumerate(one.choices, 1)
        for line in wrapped(output.safe(choice), f"  {number}  ", "     ")
    ]
    return [*wrapped(output.safe(one.text)), *choices]


def evidence(one: Question) -> list[str]:
    """The right answer, what was seen, and the command that shows the same."""
    right = wrapped(f"Right: {one.right + 1}, {output.safe(one.answer)}")
    said = [line for text in one.evidence if text for line in wrapped(output.safe(text), "  ", "  ")]
    see = [f"  {output.faint(output.safe(one.see))}"] if one.see else []
    return [*map(output.good, right), *said, *see]


def wrapped(text: str, first: str = "", then: str = "") -> list[str]:
    width = min(_WIDEST, shutil.get_terminal_size().columns)
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=then or first, break_on_hyphens=False
    )
