"""`portico learn`: lessons about the reader's own app, or an example, from what really happens to requests."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import click
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from portico.cli import output
from portico.cli.flags import given, site_arguments
from portico.cli.learn import screen
from portico.cli.progress import progress
from portico.errors import Problem, UsageError
from portico.learn.copy import Copy, copy_of
from portico.learn.course import CHAPTERS, NOTHING_SEEN, Chapter, LeftOut, chapters, left_out
from portico.learn.pages import Paths, paths
from portico.lessons.model import Lesson, Question
from portico.measure import routes
from portico.measure.contenders import Words
from portico.measure.model import Route
from portico.measure.programs import end_all
from portico.project.gather import gather
from portico.site.load import FILE

_SOME_PORT = 8080
"""Of the plan that is only looked at; the copy gets a free one."""
_ROUTES_OF_EXAMPLE = ("/", "/news")
_NAMES = tuple(one.name for one in CHAPTERS)


class Asked(Struct, frozen=True):
    """A question as JSON; what gives the answer away is there with --answers only."""

    text: str
    choices: tuple[str, ...]
    hint: str
    answer: str | UnsetType = UNSET
    evidence: tuple[str, ...] | UnsetType = UNSET
    see: str | UnsetType = UNSET


class Course:
    """The lessons of one site, each made when it is its turn, and the copy that they are made of."""

    def __init__(
        self,
        chosen: list[Chapter],
        copy: Copy,
        known: Paths,
        say: Callable[[str], None],
        missing: list[LeftOut],
    ) -> None:
        self.chosen, self.left_out = chosen, missing
        self._copy, self._known, self._say = copy, known, say

    def lessons(self) -> Iterator[tuple[Chapter, Lesson]]:
        """Those that have a question; the others are left out from then on."""
        for one in [*self.chosen]:
            self._say(f"{one.title}: the copy is asked ...")
            lesson = one.build(self._copy, self._known)
            if lesson.questions:
                yield one, lesson
            else:
                self.chosen.remove(one)
                self.left_out.append(LeftOut(one.name, NOTHING_SEEN))


@click.command("learn")
@site_arguments
@click.option("--list", "lists", is_flag=True, help="Name the lessons, and start nothing.")
@click.option("--lesson", type=click.Choice(_NAMES), help="Only this one.")
@click.option("--route", "named", multiple=True, metavar="PATH", help="A path to ask for; may be repeated.")
@click.option(
    "--answers", is_flag=True, help="Print all questions with answers and evidence, and ask nothing."
)
@click.option("--json", "is_json", is_flag=True, help="The questions as JSON; the answers with --answers.")
def command(
    app: str | None,
    config: str | None,
    lists: bool,
    lesson: str | None,
    named: tuple[str, ...],
    answers: bool,
    is_json: bool,
    **flags: Any,
) -> None:
    """Learn how a request is answered, with questions about your own app.

    A private copy of the site starts on a free port of this machine. It is asked, and in the last lesson its app is
    really taken down: every right answer is what happened there, and comes with the evidence. The site itself is not
    touched, but the app's database is the real one. Without APP and without portico.toml, an example app is used.
    """
    if lists:
        of_nginx = {one.name: ", with nginx as the gateway" for one in CHAPTERS if one.of_nginx}
        output.results([f"{one.name:10s}{one.title}{of_nginx.get(one.name, '')}" for one in CHAPTERS])
        return
    with ExitStack() as stack:
        say = stack.enter_context(progress())
        if app is None and config is None and not Path(FILE).exists():
            say(f"no app and no {FILE} here: the lessons use an example")
            config = stack.enter_context(_example())
            named = named or _ROUTES_OF_EXAMPLE
        words = Words(app, config, given(flags))
        course = stack.enter_context(_started(words, lesson, routes.named(named), say))
        if answers or is_json or not (sys.stdin.isatty() and output.is_terminal()):
            _print(course, is_json=is_json, with_answers=answers)
        else:
            _ask(course)


@contextmanager
def _example() -> Iterator[str]:
    """The portico.toml of the example, in a private directory."""
    with tempfile.TemporaryDirectory(prefix="portico-example-") as private:
        Path(private).chmod(0o755)  # the users of the app and of the gateway read it
        home = Path(private) / "shop"
        with resources.as_file(resources.files("portico.learn") / "example") as files:
            shutil.copytree(files, home, ignore=shutil.ignore_patterns("__pycache__"))
        yield str(home / FILE)


@contextmanager
def _started(
    words: Words, lesson: str | None, named: list[Route], say: Callable[[str], None]
) -> Iterator[Course]:
    found = gather(words.app, words.config, words.flags, alone=_SOME_PORT)
    if not found.plan.has_app:
        raise UsageError(Problem("learn", "the site has no app here: every server is elsewhere"))
    there = chapters(found.plan.gateway.name)
    chosen = [one for one in there if lesson in (None, one.name)]
    if not chosen:
        hint = f"expected {', '.join(one.name for one in there)}"
        what = f"{lesson} is a lesson about nginx, and the gateway here is {found.plan.gateway.name}"
        raise UsageError(Problem("--lesson", what, hint))
    say("a private copy of the site starts ...")
    try:
        with copy_of(found, words) as copy:
            say("the copy is asked ...")
            known = paths(copy, named)
            missing = [] if lesson else left_out(found.plan.gateway.name)
            yield Course(chosen, copy, known, say, missing)
    finally:
        end_all()


def _ask(course: Course) -> None:
    at = screen.Progress(len(course.chosen))
    try:
        for _, lesson in course.lessons():
            at.lessons = len(course.chosen)
            screen.take(lesson, at)
    except screen.QuitError:
        pass
    output.results(_not_here(course))
    output.result(f"{at.at_once} of {at.asked} questions answered right at once. docs/learn.md has more.")


def _not_here(course: Course) -> list[str]:
    whys = dict.fromkeys(one.why for one in course.left_out)
    names = {why: ", ".join(one.name for one in course.left_out if one.why == why) for why in whys}
    return [line for why in whys for line in screen.wrapped(f"Lessons left out: {names[why]} ({why}).")]


def _print(course: Course, *, is_json: bool, with_answers: bool) -> None:
    lessons = list(course.lessons())
    if is_json:
        made = [
            {
                "name": chapter.name,
                "title": lesson.title,
                "words": lesson.words,
                "questions": [_shown(one, with_answers=with_answers) for one in lesson.questions],
            }
            for chapter, lesson in lessons
        ]
        output.result(output.as_json({"lessons": made, "left_out": course.left_out}))
        return
    for _, lesson in lessons:
        output.results([output.strong(lesson.title), *screen.wrapped(lesson.words), ""])
        for one in lesson.questions:
            output.results([*screen.asked(one), *(screen.evidence(one) if with_answers else []), ""])
    output.results(_not_here(course))


def _shown(one: Question, *, with_answers: bool) -> Asked:
    asked = Asked(one.text, one.choices, one.hint)
    return replace(asked, answer=one.answer, evidence=one.evidence, see=one.see) if with_answers else asked
