"""Key moments: one sentence for each noteworthy fact about a request, and a command with more."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from portico.explain.language import Setting
from portico.explain.node import Node
from portico.log.errors.kind import Topic
from portico.log.errors.kinds import about
from portico.log.request import NO_NUMBERS
from portico.protocol.trace import Moment
from portico.watch.trace.evidence import Evidence
from portico.watch.trace.records import Headers
from portico.watch.trace.tracker import request, response

_CACHED = {
    "HIT": "{gateway} answered from its cache; the app was not asked.",
    "STALE": "The app failed: {gateway} sent the last good answer from its cache.",
    "UPDATING": "{gateway} sent the last answer from its cache, while the app makes a new one.",
    "REVALIDATED": "{gateway} asked the app whether the stored answer is still valid, and it is.",
}
_SLOW_QUEUE_US = 20_000
_NEAR = 0.5
_LONG = 80
_NO_HEADERS = {
    "connection", "body size", "method", "scheme", "client address", "path as sent", "query", "path_info",
    "script_name",
}  # fmt: skip
"""Of what is tracked on the request's way, names that are not headers which may get lost."""
_HIDDEN = {"x-portico", "x-portico-timing", "x-request-id"}
_OWN = {"server", "date", "connection", "transfer-encoding", "x-request-id", "accept-ranges", "etag"}


def moments(evidence: Evidence) -> list[Moment]:
    told = (_failures, _refusals, _retries, _source, _answer, _headers, _way_there, _times, _page)
    found = [moment for tell in told for moment in tell(evidence)]
    return list(dict.fromkeys(found))


def _see(evidence: Evidence, *settings: Setting) -> str:
    node = next((node for one in settings if (node := evidence.setting(one))), None)
    return _explain(evidence, node) if node else ""


def _explain(evidence: Evidence, node: Node) -> str:
    """The command that explains a line of the configuration, by its words, which stay when its number changes. A long
    line is meant by its file and number.
    """
    words = evidence.language.quoted(node)
    what = words if len(words) <= _LONG else node.place.rpartition("/conf/")[2]
    return f"portico explain {shlex.quote(what)}"


def _in_general(evidence: Evidence, setting: Setting) -> str:
    """The command that explains every line of the first directive for it."""
    return f"portico explain {evidence.language.settings[setting][0]}"


def _failures(evidence: Evidence) -> Iterator[Moment]:
    sent = evidence.sent
    if sent.error and not sent.status:
        hint = "; is the site running? portico status" if not sent.at("connected") else ""
        yield Moment(f"No answer: {sent.error}{hint}.")
    if sent.distrust:
        yield Moment(f"This machine does not trust the certificate: {sent.distrust}.")
    if evidence.verdict is None and evidence.why_none:
        yield Moment(f"{evidence.gateway} has no place for this request: {evidence.why_none}.")
    for what in evidence.unread:
        yield Moment(f"{what}: what is missing here may be in {'it' if what.startswith('1 ') else 'them'}.")
    for note in evidence.verdict.notes if evidence.verdict else ():
        yield Moment(f"{note[0].upper()}{note[1:]}.")


def _refusals(evidence: Evidence) -> Iterator[Moment]:
    sent, line = evidence.sent, evidence.line
    if line and line.is_limited:
        yield Moment("Refused by a limit: this client sends requests faster, or has more in progress, than "
        "the site allows.",
                     _see(evidence, Setting.RATE, Setting.CONNECTIONS))  # fmt: skip
    if sent.status == 413:
        yield Moment(
            f"{evidence.gateway} refused the body before the app saw any of it.",
            _see(evidence, Setting.BODY_SIZE),
        )
    if sent.status == 504:
        yield Moment(f"{evidence.gateway} gave up waiting for the app; the app may still be working.",
                     _explain(evidence, evidence.patience) if evidence.patience else "")  # fmt: skip
    if evidence.is_unreadable:
        yield Moment(f"{evidence.gateway} could not read the request, or found a header too long, and answered itself.",
                     _see(evidence, Setting.HEAD_SIZE))  # fmt: skip
    if evidence.is_unanswered and line:
        if about(Topic.LARGE_HEAD, evidence.complaints):
            what = f"The head of the app's answer is larger than {evidence.gateway} holds"
            yield Moment(f"{what}: too many or too long headers.",
                         _see(evidence, Setting.HEAD_BUFFER))  # fmt: skip
        else:
            where = evidence.member.text if evidence.member else line.upstream
            who = "worker" if not where or "unix:" in where else "server"
            yield Moment(f"No {who} took the request, or the one that did died: portico status, portico logs.",
                         _see(evidence, Setting.NEXT_SERVER))  # fmt: skip
    if evidence.is_closed and sent.status == 503:
        yield Moment("The site is closed: portico maintenance off opens it.")


def _retries(evidence: Evidence) -> Iterator[Moment]:
    sent, line = evidence.sent, evidence.line
    if line and line.retries:
        yield Moment(f"It was tried {line.retries + 1} times: the first worker did not answer.",
                     _see(evidence, Setting.NEXT_SERVER))  # fmt: skip
    if sent.is_cut and sent.status:
        yield Moment("The answer was cut short: it ended before it was complete.")
    for entry in evidence.entries:
        if "Traceback" in entry.text:
            last = entry.text.strip().split("\n")[-1]
            yield Moment(
                f"The app failed: {last}.",
                f"portico logs --id {evidence.request_id}",
            )


def _source(evidence: Evidence) -> Iterator[Moment]:
    """The source of the answer, if it is not simply the app."""
    sent, line = evidence.sent, evidence.line
    if line and (words := _CACHED.get(line.cache)):
        yield Moment(words.format(gateway=evidence.gateway), _see(evidence, Setting.CACHE))
    elif line and line.cache and (said := _app_said(evidence, "cache-control")):
        is_marked = "public" in said.lower() or "s-maxage" in said.lower()
        why = f"{evidence.gateway} stores only answers that the app marks public or s-maxage"
        if is_marked:
            why = (
                f"the app marks it as public, so {evidence.gateway} stores it now unless something else "
                "forbids it"
            )
        yield Moment(f"Not from the cache ({line.cache}): {why}.", _see(evidence, Setting.CACHE))
    if any(name.lower() == "x-accel-redirect" for name, _ in _sent_by_worker(evidence)):
        yield Moment(f"{evidence.gateway} sent the file in the app's place; the worker was free at once.",
                     "portico explain downloads")  # fmt: skip
    if (
        line
        and not line.upstream
        and not line.cache
        and sent.header("content-encoding")
        and sent.header("content-length")
    ):
        yield Moment(
            f"The file went out as its {sent.header('content-encoding')} copy, compressed ahead of time."
        )


def _answer(evidence: Evidence) -> Iterator[Moment]:
    sent, line, record = evidence.sent, evidence.line, evidence.record
    if line and not line.upstream and not line.cache and sent.status in (200, 206, 304):
        yield Moment(f"{evidence.gateway} answered by itself; the app was not asked.", _location(evidence))
    if sent.header("content-encoding") and record and not _app_said(evidence, "content-encoding"):
        yield Moment(
            f"{evidence.gateway} compressed it ({sent.header('content-encoding')}) to {sent.body_size} bytes.",
            _see(evidence, Setting.COMPRESSION),
        )
    is_silent = sent.status in (502, 504) or evidence.is_unanswered
    if line and line.upstream and not record and not is_silent:
        yield Moment("The server that answered takes no part in traces: what happened there is unknown.")
    if 300 <= sent.status < 400 and sent.header("location"):
        yield Moment(
            f"It redirects to {evidence.mask.url(sent.header('location'))}; a trace does not follow."
        )
    if sent.is_stream:
        count = len(sent.pieces)
        yield Moment(f"A stream of events, passed on unbuffered: {count} pieces came while this listened.")
    elif sent.status == 101:
        yield Moment("The connection was upgraded; what goes over it now is between client and app.")
    elif _is_passed_on(evidence):
        yield Moment(
            f"{evidence.gateway} took the whole answer from the worker at once: a slow client keeps no worker busy.",
            _see(evidence, Setting.BUFFERS),
        )


def _headers(evidence: Evidence) -> Iterator[Moment]:
    for one in response(evidence):
        if one.app is not None and one.worker is None and _sent_by_worker(evidence):
            yield Moment(
                f"The worker left out the app's {one.name}: such headers belong to one connection, not to the answer."
            )
        if (
            _is_passed_on(evidence)
            and one.worker is not None
            and one.client is None
            and one.name.lower() not in _HIDDEN | _OWN | {"content-length"}
        ):
            if one.name.lower().startswith("x-accel-"):
                yield Moment(
                    f"{one.name} is an instruction to {evidence.gateway}, which removes it from the answer."
                )
            else:
                yield Moment(
                    f"{evidence.gateway} did not pass on the header {one.name}.", _hides(evidence, one.name)
                )


def _way_there(evidence: Evidence) -> Iterator[Moment]:
    record = evidence.record
    if not record:
        return
    for one in request(evidence):
        lowered = one.name.lower()
        if one.client is not None and one.app is None and one.gateway is None and lowered not in _NO_HEADERS:
            why = (
                "its name has an underscore"
                if "_" in one.name
                else "clients could fake in it who and where they are"
            )
            see = Setting.ODD_NAMES if "_" in one.name else Setting.PASSED_HEADERS
            yield Moment(f"The app never saw the header {one.name}: {why}.", _in_general(evidence, see))
        elif lowered.startswith("x-forwarded") and one.client not in (None, one.app):
            yield Moment(
                f"{one.name}: {evidence.gateway} replaced what the client sent.",
                _in_general(evidence, Setting.PASSED_HEADERS),
            )
    prefix = record.environ.get("SCRIPT_NAME")
    if prefix:
        yield Moment(
            f"The prefix {prefix} became SCRIPT_NAME: url_for puts it back.", "portico explain SCRIPT_NAME"
        )


def _times(evidence: Evidence) -> Iterator[Moment]:
    sent, line, limit = evidence.sent, evidence.line, evidence.setting(Setting.BODY_SIZE)
    waited_us = (line.numbers if line else NO_NUMBERS).queue_us or 0
    if waited_us > _SLOW_QUEUE_US:
        yield Moment(
            f"It waited {waited_us / 1000:.0f} ms for a worker: all were busy, or were being replaced. "
            "portico status, portico scale."
        )
    if limit and limit.args[0].isdigit() and int(limit.args[0]) * _NEAR < sent.size <= int(limit.args[0]):
        share = sent.size * 100 // int(limit.args[0])
        yield Moment(f"The body took {share} % of the allowed size.", _explain(evidence, limit))
    timeout = evidence.setting(Setting.TIMEOUT)
    if timeout and line and timeout.args[0].endswith("s") and timeout.args[0][:-1].isdigit():
        most = float(timeout.args[0][:-1])
        if most * _NEAR < line.seconds < most and sent.status < 500:
            yield Moment(
                f"The app used {line.seconds * 100 / most:.0f} % of the time it has.",
                _explain(evidence, timeout),
            )


def _page(evidence: Evidence) -> Iterator[Moment]:
    sent = evidence.sent
    if sent.method == "GET" and sent.status == 200 and sent.header("content-type").startswith("text/html"):
        yield Moment(
            "A browser fetches more for this page, and shows it later: --browser measures both.",
            f"portico trace --browser {shlex.quote(evidence.target)}",
        )


def _hides(evidence: Evidence, name: str) -> str:
    """The line that removes a header of the app's."""
    lines = (node for level in evidence.levels for node in level.children or ())
    return next((_explain(evidence, node) for node in lines if evidence.language.hides(node, name)), "")


def _is_passed_on(evidence: Evidence) -> bool:
    """Whether the client got a worker's answer, not a page of the gateway's."""
    answer = evidence.record and evidence.record.response
    said = str(answer.status) if answer and answer.status is not None else ""
    return said.partition(" ")[0] == str(evidence.sent.status)


def _sent_by_worker(evidence: Evidence) -> Headers:
    answer = evidence.record and evidence.record.response
    return answer.sent if answer else []


def _app_said(evidence: Evidence, name: str) -> str:
    """The app's values of a header, empty for none."""
    answer = evidence.record and evidence.record.response
    return ", ".join(value for key, value in answer.headers if key.lower() == name) if answer else ""


def _location(evidence: Evidence) -> str:
    found = evidence.verdict.location if evidence.verdict else None
    return _explain(evidence, found) if found else ""
