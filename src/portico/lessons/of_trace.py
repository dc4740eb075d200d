"""Questions about any one traced request, from its trace alone: the dashboard asks them."""

from __future__ import annotations

from portico.lessons import steps
from portico.lessons.model import Lesson, Question, lesson, question
from portico.lessons.stages import CACHE, CALLED, PASSED, TAKEN, decision, stages
from portico.protocol.trace import Trace

_TITLE = "What do you know about this request?"
_ON_THE_WAY = (CACHE, PASSED, TAKEN, CALLED)


def of_trace(trace: Trace) -> Lesson:
    path = f"/{trace.url.partition('//')[2].partition('/')[2]}"
    return lesson(_TITLE, "", [*steps.of_trace(trace, path), _not_taken(trace)])


def _not_taken(trace: Trace) -> Question | None:
    """The last stage that the request has not: nearest to the app. What the trace cannot know is left out."""
    there = stages(trace)
    gone = [stage for stage in _ON_THE_WAY if stage not in there]
    if PASSED in there and CALLED not in there:
        gone = [
            stage for stage in gone if stage not in (TAKEN, CALLED)
        ]  # app servers that are not traced have them
    if not gone:
        return None
    did = decision(trace)
    return question(
        "Which of these steps did the request not take?",
        gone[-1].said(trace.gateway),
        [stage.said(trace.gateway) for stage in there[::-1]],
        f"{trace.gateway} {did}." if did else "The table of its steps has all others.",
        (
            f"It took {len(trace.rows)} steps. Not among them: {', '.join(one.said(trace.gateway) for one in gone)}.",
        ),
    )
