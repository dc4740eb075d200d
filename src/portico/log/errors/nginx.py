"""nginx's error log."""

from __future__ import annotations

import re
from datetime import datetime

from portico.log.errors.complaint import Complaint
from portico.log.errors.kind import ErrorLog, Topic
from portico.log.errors.limit import Refusal

HASH = "_params_hash, you should increase either"
"""In a warning about its table of uwsgi_param and fastcgi_param: the headers that are kept from the app are more than
it finds a perfect order for. No directive sets the size of that table; it takes larger buckets, which do as well."""

_LINE = re.compile(
    r"(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(?P<level>\w+)\] \d+#\d+: (?:\*(?P<connection>\d{1,15}) )?(?P<text>.*)"
)
_REQUEST = re.compile(r', request: "(?P<request>[^"]*)"')
_LIMITING = " limiting "
_REFUSAL = re.compile(
    r"(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[\w+\] \d+#\d+: \*\d+ limiting (?:requests|connections)(, dry run,?)?"
    r'(?:, excess: [\d.]+)? by zone "(\w{1,200})", client: ([0-9a-fA-F.:]{2,45}|unix:), server: '
)
_AT_LEVEL = len("2026/11/21 14:15:55 ")


def complaint(line: str) -> Complaint | None:
    """None for a line that is none of nginx's."""
    found = _LINE.match(line)
    if not found:
        return None
    request = _REQUEST.search(found["text"])
    return Complaint(
        _moment(found["time"]).isoformat(),
        found["level"],
        int(found["connection"] or 0),
        found["text"],
        request["request"] if request else "",
    )


def refusal(line: str) -> Refusal | None:
    """None for a line about something else."""
    found = _REFUSAL.match(line) if _LIMITING in line else None
    if found is None:
        return None
    return Refusal(_moment(found[1]).timestamp(), found[3], found[4], found[2] is not None)


def is_noise(line: str) -> bool:
    """What harms nobody, and nginx's notices about itself."""
    return HASH in line or line.startswith("[notice]", _AT_LEVEL)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("/", "-")).astimezone()


NGINX = ErrorLog(
    program="nginx",
    complaint=complaint,
    refusal=refusal,
    is_noise=is_noise,
    absent=lambda path: f"connect() to unix:{path} failed (2: No such",
    topics={
        Topic.LIMIT: re.compile(r"(.*?limiting.*?)(?:, client:|$)"),
        Topic.NO_CONNECTION: re.compile(r"(.*?connect\(\).*?)(?: while |$)"),
        Topic.LARGE_HEAD: re.compile(r"(.*?too big header)"),
    },
)
