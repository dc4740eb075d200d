"""One request, step by step: what comes next, where the time goes, whom the app takes for the client."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from portico.lessons.model import Lesson, Question, lesson, question
from portico.lessons.stages import actor, is_untraced, step
from portico.protocol.trace import Trace

TITLE = "One request, step by step"
_WORDS = (
    "A request goes from the client through {gateway} to a worker, and its answer back. The copy was asked for "
    "{path}; all steps and times are from that one request."
)
_UNTRACED = (
    " The app server of this site writes no steps down: there are no questions about its workers, nor about what the "
    "app saw."
)
_ITSELF = "(the trace itself)"


def steps(trace: Trace, path: str, forged: Trace | None, address: str) -> Lesson:
    """`forged` is a trace of the same request with that address in X-Forwarded-For."""
    words = _WORDS.format(gateway=trace.gateway, path=path) + (_UNTRACED if is_untraced(trace) else "")
    return lesson(TITLE, words, [*of_trace(trace, path), _client(forged, path, address) if forged else None])


def of_trace(trace: Trace, path: str) -> Iterator[Question | None]:
    """What any trace can be asked."""
    for at in _asked(trace):
        yield _next(trace, path, at)
    yield _slowest(trace, path)


def _asked(trace: Trace) -> list[int]:
    """The steps with which the request or the answer goes to another actor: the first two, and one near the end."""
    rows = trace.rows
    found = [at for at in range(len(rows) - 1) if rows[at].message and rows[at].actor != rows[at + 1].actor]
    return [*found[:2], *found[2:][-2:][:1]]


def _next(trace: Trace, path: str, at: int) -> Question | None:
    rows = trace.rows
    here, then = rows[at], rows[at + 1]
    later = [*rows[at + 2 :], *reversed(rows[:at])]
    took = f" It took {then.took_us:,} µs." if then.took_us is not None else ""
    why = f" {_sentence(then.note)}" if " " in then.note else ""
    after = f", and after it came: {step(later[0], trace)}" if rows[at + 2 :] else ""
    return question(
        f"{trace.method} {path}: step {here.number} of {len(rows)} was: {step(here, trace)}. Which step came next?",
        step(then, trace),
        [step(row, trace) for row in later],
        f"It was a step of {actor(then, trace)}{after}.",
        (f"Step {then.number}: {step(then, trace)}.{took}{why}",),
        _command(path),
    )


def _slowest(trace: Trace, path: str) -> Question | None:
    took = dict[str, int]()
    behind = f"{trace.gateway}, with the app behind it" if is_untraced(trace) else trace.gateway
    for bar in trace.waterfall:
        if bar.name != _ITSELF:  # a name may come again: a gateway that tries two sockets, a query
            name = behind if bar.name == trace.gateway else bar.name
            took[name] = max(bar.ends_us - bar.begins_us, took.get(name, 0))
    if not took:
        return None
    ordered = sorted(took, key=lambda name: took[name], reverse=True)
    if len(ordered) > 1 and took[ordered[0]] == took[ordered[1]]:
        return None
    whole = max(bar.ends_us for bar in trace.waterfall)
    return question(
        f"{trace.method} {path} took {whole:,} µs in all. Which part took longest?",
        ordered[0],
        ordered[1:],
        f"It was not {ordered[-1]}, which took {took[ordered[-1]]:,} µs.",
        (f"{ordered[0]} took {took[ordered[0]]:,} µs of {whole:,} µs, and {ordered[1]} {took[ordered[1]]:,} µs."
         if len(ordered) > 1 else "",),
        _command(path),
    )  # fmt: skip


def _client(forged: Trace, path: str, address: str) -> Question | None:
    seen = {one.name: one for one in forged.request}
    client, header = seen.get("client address"), seen.get("X-Forwarded-For")
    if client is None or client.app is None:
        return None
    passed = header.app if header and header.app else "no such header"
    return question(
        f"A client wrote X-Forwarded-For: {address} into its request. Which client address did the app see?",
        client.app,
        [address, f"{address}, {client.client}", "none"],
        f"Everybody can write that header. The connection came from {client.client}.",
        (f"The app saw {client.app}, and X-Forwarded-For: {passed}.",
         f"{forged.gateway} takes the address of the connection, unless that is a proxy that you declared (behind).",
        ),
        _command(path, f"-H 'X-Forwarded-For: {address}'"),
    )  # fmt: skip


def _command(path: str, more: str = "") -> str:
    return f"portico trace {shlex.quote(path)} {more}".rstrip()


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
