"""A followed request as the value that is shown, saved and sent."""

from __future__ import annotations

import linecache

from msgspec.structs import replace

from portico.protocol.feed import Fields
from portico.protocol.trace import Trace
from portico.watch.trace import moments, table, tracker
from portico.watch.trace.evidence import Evidence


def shown(evidence: Evidence) -> Trace:
    """The whole trace as JSON values."""
    sent = evidence.sent
    return Trace(
        method=sent.method,
        url=f"{sent.scheme}://{sent.host}:{sent.port}{evidence.target}",
        id=evidence.request_id,
        status=sent.status,
        error=sent.error,
        rows=tuple(replace(row, text=_text(row.place)) for row in table.rows(evidence)),
        request=tuple(tracker.request(evidence)),
        response=tuple(tracker.response(evidence)),
        waterfall=tuple(table.bars(evidence)),
        moments=tuple(moments.moments(evidence)),
        line=_shown_line(evidence) if evidence.line else None,
        app=tuple(entry.text for entry in evidence.entries),
        gateway=evidence.gateway,
        complaints=tuple(_without_secrets(item.text, evidence) for item in evidence.complaints),
    )


def _shown_line(evidence: Evidence) -> Fields:
    """The gateway's line without the secrets in its URL."""
    record = evidence.line.record() if evidence.line else {}
    return record | {name: evidence.mask.url(record[name]) for name in ("uri", "referer")}


def _without_secrets(text: str, evidence: Evidence) -> str:
    """The gateway's error, which quotes the URL and the Referer."""
    sent = evidence.sent
    for value in (sent.target, *(value for name, value in sent.headers if name.lower() == "referer")):
        text = text.replace(value, evidence.mask.url(value))
    return text


def _text(place: str) -> str:
    """The current text of the line at a place."""
    path, _, number = place.rpartition(":")
    return linecache.getline(path, int(number)).strip() if path and number.isdigit() else ""
