"""Apache httpd's error log: its own form, with the id of the request where Portico wrote the configuration."""

from __future__ import annotations

import re
from datetime import datetime

from portico.log.errors.complaint import Complaint
from portico.log.errors.kind import ErrorLog, Topic

_LINE = re.compile(
    r"\[(?P<time>\w{3} \w{3} +\d{1,2} \d\d:\d\d:\d\d)(?:\.\d+)? (?P<year>\d{4})\] \[(?P<module>\w*):(?P<level>\w+)\] "
    r"\[pid \d+(?::tid \d+)?\] (?P<text>.*)"
)
_CLIENT = re.compile(r"\[client [^\]]*:(?P<port>\d{1,5})\] (?:\[id (?P<id>[0-9a-f]{32})\] )?")
_NOTICE = ":notice] "
_AT_WORK = re.compile(r"AH00(?:094|489|292|163|493|491|492)\b|AH02282|AH10459")
"""Its messages about its own start, reload and end."""


def complaint(line: str) -> Complaint | None:
    """None for a line that is none of httpd's. The number of the connection is the client's port, as in the log."""
    found = _LINE.match(line)
    if not found:
        return None
    client = _CLIENT.search(found["text"])
    return Complaint(
        _moment(f"{found['time']} {found['year']}"),
        found["level"],
        int(client["port"]) if client else 0,
        _CLIENT.sub("", found["text"]),
        "",
        "apache",
        (client["id"] or "") if client else "",
    )


def is_noise(line: str) -> bool:
    """httpd's notices about itself."""
    return _NOTICE in line[:80] or bool(_AT_WORK.search(line))


def _moment(text: str) -> str:
    try:
        return datetime.strptime(text, "%a %b %d %H:%M:%S %Y").astimezone().isoformat()
    except ValueError:
        return ""


HTTPD = ErrorLog(
    program="apache",
    complaint=complaint,
    refusal=lambda _: None,
    is_noise=is_noise,
    absent=lambda path: (
        f"No such file or directory: AH02454: uwsgi: attempt to connect to Unix domain socket {path}"
    ),
    topics={
        Topic.LIMIT: re.compile(r"(?!)(.)"),
        Topic.NO_CONNECTION: re.compile(r"(.*?attempt to connect to .*)"),
        Topic.LARGE_HEAD: re.compile(
            r"(.*?(?:AH01070|premature end|too large header|Response header .* too long).*)"
        ),
    },
)
