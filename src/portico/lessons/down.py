"""What the client gets if the app is down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from portico.lessons.model import Lesson, Question, lesson, question
from portico.lessons.stages import decision, is_of_app
from portico.protocol.trace import Trace

TITLE = "What the client gets if the app is down"
_WORDS = (
    "The app server of the copy was really killed (SIGKILL), with all its workers: first once, then each time that "
    "Portico had started it again. Your site was not touched. The copy was asked meanwhile."
)
_ERROR = 500
_LATE = ("504, after a long wait", "no answer: the connection is refused")
"""What other set-ups answer: they stand beside what happened."""


class Outcome(Struct, frozen=True):
    """What a client got: `when` is what had happened before, `took_ms` how long it waited, `title` that of the page.
    With `is_file` the path is that of a file that the gateway has.
    """

    path: str
    when: str
    trace: Trace
    took_ms: float
    title: str = ""
    is_file: bool = False

    @property
    def words(self) -> str:
        """The status, and who answered."""
        if not self.trace.status:
            return f"no answer: {self.trace.error}"
        return f"{self.trace.status}, {self._who}"

    @property
    def is_failure(self) -> bool:
        """Whether the gateway wanted an answer of the app, and got none."""
        return self.trace.status >= _ERROR and not is_of_app(self.trace)

    @property
    def _who(self) -> str:
        did = decision(self.trace)
        if is_of_app(self.trace):
            return "the answer of the app"
        if did.startswith("answers from its cache"):
            return f"the answer that {self.trace.gateway} had stored"
        if did.startswith("sends ") or (did and self.is_file and self.trace.status < 300):
            return f"the file, from {self.trace.gateway}"
        return f"a page of {self.trace.gateway}"


def down(outcomes: Sequence[Outcome], usual_title: str) -> Lesson:
    """`usual_title` is the title, or beginning, of what the app answers."""
    return lesson(TITLE, _WORDS, _questions(outcomes, usual_title))


def _questions(outcomes: Sequence[Outcome], usual: str) -> Iterator[Question | None]:
    pool = [one.words for one in outcomes]
    for one in outcomes:
        yield question(
            f"{one.when}. A client asked for {one.path}. What did it get?",
            one.words,
            [*pool, *_LATE],
            _hint(one),
            (f"It got {one.words}, after {one.took_ms:,.0f} ms.", *_because(one)),
            "portico logs --no-follow" if one.trace.status >= 500 else f"portico trace {one.path}",
        )
    failed = next((one for one in outcomes if one.trace.status >= 500 and one.title), None)
    if failed:
        yield question(
            f"What did that page of status {failed.trace.status} begin with?",
            f'"{failed.title}"',
            [f'"{usual}"' if usual else "", "the app's traceback", "nothing: the body is empty"],
            "The client is a visitor, and the reason is for the site's owner.",
            (
                f'Its title is "{failed.title}".',
                "Why the app is down stands in Portico's output and in the log, not in the page.",
            ),
            "portico explain error_page",
        )


def _hint(one: Outcome) -> str:
    if is_of_app(one.trace):
        return "Portico notices at once that the app server has gone, and its listening socket stays open meanwhile."
    if decision(one.trace) and not one.is_failure:
        return f"Does {one.trace.gateway} need the app for this path?"
    return "After several crashes in a row, Portico waits before the next start, and closes the socket meanwhile."


def _because(one: Outcome) -> Iterator[str]:
    if is_of_app(one.trace):
        yield "The request waited in the socket, which outlived the app server, and a new worker took it."
    elif (did := decision(one.trace)) and not one.is_failure:
        yield f"{one.trace.gateway} {did}: the app was not asked."
    else:
        rows = [row for row in one.trace.rows if "connect" in row.action and row.actor == "gateway"]
        yield from (f"{one.trace.gateway} {row.action}: {row.note}." for row in rows[-1:])
        if not rows and one.is_failure:
            yield f"{one.trace.gateway} wanted the app's answer, got none from its socket, and sent a page of its own."
