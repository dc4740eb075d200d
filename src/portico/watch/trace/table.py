"""The execution table: what happened to a request, step by step, from the client to the app and back."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from portico.explain.language import Setting
from portico.explain.node import Node
from portico.log.errors.kind import Topic
from portico.log.errors.kinds import about
from portico.log.request import NO_NUMBERS
from portico.plan.web.refusals import CONNECTIONS, RATE
from portico.protocol.trace import Bar, Row
from portico.watch.trace.evidence import Evidence
from portico.watch.trace.records import Event, Record

CLIENT, GATEWAY, LINK, WORKER, APP = "client", "gateway", "link", "worker", "app"
_REQUEST, _RESPONSE = "request", "response"


class Step(Struct):
    """A function of the app: when it began and ended (0: not yet)."""

    kind: str
    begins: Event
    name: str
    ends: int = 0


def rows(evidence: Evidence) -> list[Row]:
    """Every step in order."""
    found = [*_there(evidence), *_gateway(evidence), *_inside(evidence), *_back(evidence)]
    return [replace(row, number=number) for number, row in enumerate(found, 1)]


def _row(
    evidence: Evidence, actor: str, action: str, message: str = "", source: str = "", destination: str = "",
    *, at: int = 0, took: int | None = None, place: str = "", note: str = "",
) -> Row:  # fmt: skip
    at_us = (at - evidence.sent.at("begin")) // 1000 if at and evidence.sent.at("begin") else None
    return Row(0, actor, action, message, source, destination or source, at_us, took, place, note)


def _there(evidence: Evidence) -> Iterator[Row]:
    """From the client to the gateway."""
    sent = evidence.sent
    begin, looked, connected = sent.at("begin"), sent.at("looked up"), sent.at("connected")
    failed = f"fails: {sent.error}"
    looks = partial(_row, evidence, CLIENT, f"looks up {sent.peer}", "", CLIENT, "resolver", at=begin)
    if not looked:
        yield looks(note=failed)
        return
    yield looks(took=_us(begin, looked))
    connects = partial(_row, evidence, CLIENT, source=CLIENT, destination=GATEWAY, at=looked)
    if not connected:
        yield connects(f"connects to port {sent.port}", note=failed)
        return
    yield connects(f"connects to {sent.address}:{sent.port} (TCP)", took=_us(looked, connected))
    secured = sent.at("secured")
    if sent.scheme == "https" and not secured:
        yield connects("speaks of TLS", at=connected, note=failed)
    if secured:
        note = f"not trusted by this machine: {sent.distrust}" if sent.distrust else ""
        what = f"agrees on {sent.tls}, {sent.cipher}"
        yield connects(what, at=connected, took=_us(connected, secured), note=note)
    if not sent.at("sending"):
        return
    body = f" and {sent.size} bytes of body" if sent.size else ""
    what, begins = f"sends {sent.method} {evidence.target}{body}", sent.at("sending")
    yield connects(what, _REQUEST, at=begins, took=_us(begins, sent.at("sent")))


def _gateway(evidence: Evidence) -> Iterator[Row]:
    """The gateway's decisions."""
    found, line = evidence.verdict, evidence.line
    if not evidence.sent.at("sent"):
        return
    if found is None:
        yield _row(evidence, GATEWAY, "finds no server", "", GATEWAY, note=evidence.why_none)
        return
    named = ", ".join(name or "(no name)" for name in evidence.language.names(found.server))
    yield _row(
        evidence,
        GATEWAY,
        f"chooses server {named}",
        "",
        GATEWAY,
        place=found.server.place,
        note=found.server_why,
    )
    if evidence.is_unreadable:
        limit = _place(evidence, Setting.HEAD_SIZE)
        note = "no HTTP, or a header that is too long: no location is looked for"
        yield _row(evidence, GATEWAY, "refuses to read the request", "", GATEWAY, place=limit, note=note)
        return
    what = found.location.text if found.location else "no location"
    place = found.location.place if found.location else found.server.place
    yield _row(evidence, GATEWAY, f"chooses {what}", "", GATEWAY, place=place, note=found.location_why)
    if found.location is None or line is None:
        return
    if line.rule:
        yield _row(evidence, GATEWAY, f"follows [[route]] number {line.rule}", "", GATEWAY, place=place)
    yield from _limits(evidence)
    yield from _detour(evidence)
    if line.cache:
        yield _row(
            evidence,
            GATEWAY,
            f"asks its cache: {line.cache}",
            "",
            GATEWAY,
            place=_place(evidence, Setting.CACHE),
        )
    yield from _tries(evidence)
    if not line.upstream:
        yield _alone(evidence, found.location)


_WORDS = {"": "refused", ", dry run": "would be refused (dry run)"}
"""What follows the name of a limit in the log line."""


def _limits(evidence: Evidence) -> Iterator[Row]:
    line = evidence.line
    assert line is not None
    for limit, guard in ((Setting.RATE, RATE), (Setting.CONNECTIONS, CONNECTIONS)):
        node = evidence.setting(limit)
        if node and (not line.is_refused or line.refused_by == guard):
            status = (
                _WORDS.get(line.refused_by.removeprefix(guard), "passed") if line.refused_by else "passed"
            )
            yield _row(evidence, GATEWAY, f"counts against {node.text}: {status}", "", GATEWAY, place=node.place,
                       note=about(Topic.LIMIT, evidence.complaints))  # fmt: skip


def _detour(evidence: Evidence) -> Iterator[Row]:
    """The location to which a generated configuration redirects requests internally."""
    assert evidence.verdict is not None
    ways = evidence.language.detours(evidence.verdict)
    is_on = evidence.sent.is_upgrade and evidence.line and evidence.line.refused_by != RATE
    if evidence.is_closed and (closed := ways.get("closed")):
        node, note = closed, "portico maintenance is on"
    elif is_on and (upgraded := ways.get("upgraded")):
        node, note = upgraded, "the client asks for a WebSocket"
    else:
        return
    yield _row(
        evidence, GATEWAY, f"goes on in {' '.join(node.args)}", "", GATEWAY, place=node.place, note=note
    )


def _tries(evidence: Evidence) -> Iterator[Row]:
    """Each server or socket that the gateway tried."""
    line = evidence.line
    assert line is not None
    addresses = [part for group in line.upstream.split(" : ") for part in group.split(", ") if part]
    statuses = line.upstream_status.replace(" : ", ", ").split(", ")
    connects = line.connect_seconds.replace(" : ", ", ").split(", ")
    passing = _place(evidence, Setting.UPSTREAM)
    for number, address in enumerate(addresses):
        connect = connects[number] if number < len(connects) else "-"
        status = statuses[number] if number < len(statuses) else ""
        is_timed = connect not in ("-", "")
        is_up = is_timed or (not line.connect_seconds and _was_answered(evidence))
        note = "" if is_up else about(Topic.NO_CONNECTION, evidence.complaints) or "nothing listens there"
        if not line.upstream_status and (evidence.record is None or evidence.record.is_silent):
            status = str(evidence.sent.status)
        if is_up and status in ("502", "504"):
            note = "no answer came" if status == "502" else "no answer came in time"
        how = "passes the request to" if is_up else "cannot connect to"
        yield _row(evidence, GATEWAY, f"{how} {address}", _REQUEST, GATEWAY, LINK, place=passing,
                   took=int(float(connect) * 1e6) if is_timed else None, note=note)  # fmt: skip


def _was_answered(evidence: Evidence) -> bool:
    """Of a gateway that logs neither connections nor the statuses of its tries."""
    return bool(evidence.records) or evidence.sent.status not in (502, 503, 504)


def _alone(evidence: Evidence, location: Node) -> Row:
    """The gateway answers without the app."""
    status, files = evidence.sent.status, evidence.language.files(location)
    limit, refused = evidence.setting(Setting.BODY_SIZE), evidence.answer
    if status == 413 and limit:
        note = f"a body of {evidence.sent.size} bytes"
        return _row(
            evidence, GATEWAY, f"refuses the body: {limit.text}", "", GATEWAY, place=limit.place, note=note
        )
    if status in (429, 503) and evidence.line and evidence.line.is_limited:
        return _row(
            evidence,
            GATEWAY,
            f"refuses the request with {status}",
            "",
            GATEWAY,
            place=_place(evidence, Setting.RATE) or _place(evidence, Setting.CONNECTIONS),
        )
    if evidence.is_closed and status == 503:
        return _row(evidence, GATEWAY, "answers with the page of portico maintenance", "", GATEWAY)
    if evidence.line and evidence.line.is_cache_hit:
        return _row(
            evidence,
            GATEWAY,
            "answers from its cache",
            "",
            GATEWAY,
            place=_place(evidence, Setting.CACHE),
        )
    if refused:
        return _row(evidence, GATEWAY, f"answers by itself: {refused.text}", "", GATEWAY, place=refused.place)
    if files:
        found = {
            200: "sends the file",
            206: "sends a part of the file",
            304: "says that the file has not changed",
        }
        what = found.get(status, "finds no file that may be sent")
        return _row(evidence, GATEWAY, f"{what} below {files[1]}", "", GATEWAY, place=files[0].place)
    return _row(evidence, GATEWAY, f"answers by itself with {status}", "", GATEWAY)


def _inside(evidence: Evidence) -> Iterator[Row]:
    """What happened in each worker that had the request."""
    line = evidence.line
    for record in evidence.records:
        yield from _in_worker(evidence, record)
    numbers = line.numbers if line else NO_NUMBERS
    if not evidence.records and numbers.pid:
        yield _row(
            evidence,
            LINK,
            f"the request waits {numbers.queue_us or 0} us for a worker",
            _REQUEST,
            LINK,
            WORKER,
        )
        who = f"worker {numbers.pid}, thread {numbers.thread}"
        yield _row(evidence, WORKER, f"{who} has the app answer", "", WORKER, APP, took=numbers.app_us)


def _in_worker(evidence: Evidence, record: Record) -> Iterator[Row]:
    events = record.first
    taken, read = events.get("taken", 0), events.get("read", 0)
    since = evidence.sent.at("sent")
    numbers = evidence.line.numbers if evidence.line else NO_NUMBERS
    who = f"worker {record.pid}" + (f", thread {record.thread}" if record.thread else "")
    took = max(0, _us(since, taken)) if taken > since else 0
    # The gateway's clock has milliseconds: by it the queue may look longer than the whole way there.
    waited = min(numbers.queue_us or 0, took)
    queue = f"; {waited} us of it waiting for a free worker, in whole milliseconds" if waited else ""
    yield _row(evidence, LINK, f"{who} takes the connection", _REQUEST, LINK, WORKER, at=taken, took=took,
               note=f"since the client had sent it: {evidence.gateway}, the socket and the queue{queue}")  # fmt: skip
    made = "environ" if record.thread else "scope"  # ASGI apps run in no thread of their own
    what = f"reads {len(record.passed or record.environ)} variables and makes the {made}"
    yield _row(evidence, WORKER, what, "", WORKER, at=taken, took=_us(taken, read))
    yield from _in_app(evidence, record)


def _in_app(evidence: Evidence, record: Record) -> Iterator[Row]:
    events = record.first
    called = events.get("called") or events.get("read", 0)
    answer, ended = record.response, record.ended
    returned = events.get("returned") or events.get("sent", 0)
    method = f"{record.environ.get('REQUEST_METHOD', '')} {record.environ.get('PATH_INFO', '')}"
    yield _row(evidence, WORKER, f"calls the app: {method}", _REQUEST, WORKER, APP, at=called,
               took=_us(called, returned) if returned else None)  # fmt: skip
    for step in steps(record):
        begins = step.begins
        took = _us(begins.ns, step.ends) if step.ends else None
        name = f" {step.name}" if step.name else ""
        yield _row(evidence, APP, f"{step.kind}{name}", "", APP, at=begins.ns, took=took,
                   place=f"{begins.file}:{begins.line}", note="" if step.ends else "still working")  # fmt: skip
    if answer and events.get("started"):
        status = "" if answer.status is None else answer.status
        how = "start_response" if record.thread else "http.response.start"
        yield _row(evidence, APP, f"{how}({status}), {len(answer.headers)} headers", _RESPONSE, APP,
                   WORKER, at=events["started"])  # fmt: skip
    if record.handed_over or "handed over" in events:
        yield _row(evidence, APP, "speaks on the connection itself (WebSocket)", _RESPONSE, APP, GATEWAY)
    elif events.get("head sent"):
        at, end = events["head sent"], events.get("finished") or events.get("sent") or 0
        took = _us(at, end) if end else None
        note = "" if ended else "still sending"
        yield _row(evidence, WORKER, f"sends head and body to {evidence.gateway}", _RESPONSE, WORKER, GATEWAY, at=at,
                   took=took, note=note)  # fmt: skip
    elif not ended and not Path("/proc", str(record.pid)).exists():
        yield _row(
            evidence, WORKER, "dies without an answer", "", WORKER, note="portico logs has its last output"
        )
    elif not ended:
        note = "the app was still working when the trace ended"
        yield _row(evidence, APP, "has not answered yet", "", APP, note=note)


def steps(record: Record) -> list[Step]:
    """The functions of the app, in the order in which they began."""
    made: list[Step] = []
    for event in record.events:
        kind, _, which = event.what.rpartition(" ")
        if which == "begins":
            made.append(Step(kind, event, event.name))
        elif which == "ends":
            begun = (one for one in reversed(made) if one.kind == kind and not one.ends)
            same = (one for one in begun if (one.begins.file, one.begins.line) == (event.file, event.line))
            if step := next(same, None):
                step.ends, step.name = event.ns, step.name or event.name
    return made


def _back(evidence: Evidence) -> Iterator[Row]:
    """From the gateway to the client."""
    sent, line = evidence.sent, evidence.line
    first, end = sent.at("first byte"), sent.at("end")
    if not sent.at("sent"):
        return
    if not sent.status:
        note = "closed without an answer" if sent.is_cut else ""
        yield _row(
            evidence,
            GATEWAY,
            sent.error or "closes the connection",
            _RESPONSE,
            GATEWAY,
            CLIENT,
            at=end,
            note=note,
        )
        return
    left = _left_worker(evidence)
    yield _row(evidence, GATEWAY, f"answers {sent.status} {sent.reason}".rstrip(), _RESPONSE, GATEWAY, CLIENT, at=first,
               took=max(0, _us(left, first)) if left else None, place=_page(evidence),
               note="since the worker had sent the head" if left else "")  # fmt: skip
    cut = ", cut short" if sent.is_cut else ""
    what = (
        "has the connection for itself" if sent.status == 101 else f"has {sent.body_size} bytes of body{cut}"
    )
    yield _row(evidence, CLIENT, what, "", CLIENT, at=sent.at("head"), took=_us(sent.at("head"), end))
    if line:
        yield _row(
            evidence, GATEWAY, f"writes its line: {line.seconds:g} s", "", GATEWAY, "access.log", note=line.id
        )


def _page(evidence: Evidence) -> str:
    """The line that shows the page, if the gateway answered with one of its own."""
    found, status = evidence.verdict, evidence.sent.status
    if found is None or status < 400 or (evidence.record and evidence.record.response):
        return ""
    shown = evidence.language.page(found, status)
    return shown.place if shown else ""


def _left_worker(evidence: Evidence) -> int:
    return evidence.record.first.get("head sent", 0) if evidence.record else 0


def bars(evidence: Evidence) -> list[Bar]:
    """The waterfall: which process had the request when."""
    sent, begin = evidence.sent, evidence.sent.at("begin")
    points: list[tuple[str, str, int, int]] = [
        ("DNS", CLIENT, begin, sent.at("looked up")),
        ("TCP", CLIENT, sent.at("looked up"), sent.at("connected")),
        ("TLS", CLIENT, sent.at("connected"), sent.at("secured")),
        ("send", CLIENT, sent.at("sending"), sent.at("sent")),
    ]
    last, first = sent.at("sent"), sent.at("first byte")
    for record in evidence.records:
        events = record.first
        taken, called = events.get("taken", 0), events.get("called", 0)
        out = events.get("head sent") or events.get("started", 0)  # of an ASGI app
        read = events.get("read", 0)
        points.append((f"{evidence.gateway}, queue", GATEWAY, last, taken))
        points.append(("worker reads", WORKER, taken, read))
        points.append(("(the trace itself)", LINK, read, called))
        points += [(f"{s.kind} {s.name}".strip(), APP, s.begins.ns, s.ends) for s in steps(record)]
        points.append(("app", APP, called, events.get("returned") or events.get("sent") or out))
        last = out or last
    points.append((evidence.gateway, GATEWAY, last, first))
    points.append(("receive", CLIENT, first, sent.at("end")))
    made = [
        Bar(name, actor, (start - begin) // 1000, (end - begin) // 1000)
        for name, actor, start, end in points
        if start and end and end >= start
    ]
    return sorted(made, key=lambda bar: (bar.begins_us, -bar.ends_us))


def _place(evidence: Evidence, wanted: Setting) -> str:
    node = evidence.setting(wanted)
    return node.place if node else ""


def _us(begin: int, end: int) -> int:
    return (end - begin) // 1000
