"""Which error logs are read: one for each kind of gateway (`plan.gateway.kinds`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from portico.log.errors.complaint import Complaint
from portico.log.errors.httpd import HTTPD
from portico.log.errors.kind import ErrorLog, Topic
from portico.log.errors.limit import Refusal
from portico.log.errors.nginx import NGINX

ERROR_LOGS = (NGINX, HTTPD)


def error_log_of(program: str) -> ErrorLog:
    return next(one for one in ERROR_LOGS if one.program == program)


def complaints(lines: Iterable[str]) -> list[Complaint]:
    """Without what nobody needs to see."""
    return list(_complaints(lines))


def _complaints(lines: Iterable[str]) -> Iterator[Complaint]:
    for line in lines:
        for log in ERROR_LOGS:
            if not log.is_noise(line) and (found := log.complaint(line)):
                yield found
                break


def refusal(line: str) -> Refusal | None:
    """None for a line about something else."""
    return next((found for log in ERROR_LOGS if (found := log.refusal(line))), None)


def about(topic: Topic, found: Iterable[Complaint]) -> str:
    """What the first complaint about it says; empty for none."""
    texts = [one.text for one in found]
    return next(
        (said[1] for log in ERROR_LOGS for text in texts if (said := log.topics[topic].match(text))), ""
    )
