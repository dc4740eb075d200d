"""One line of nginx's error log, read back."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

import msgspec

from portico.log.request import Request

IDLE = "_params_hash, you should increase either"
"""In a warning about its table of uwsgi_param and fastcgi_param: it found no perfect hash for the many headers that
are removed. No directive sets the size of that table; larger buckets work as well.
"""

_NGINX = re.compile(
    r"(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(?P<level>\w+)\] \d+#\d+: (?:\*(?P<connection>\d{1,15}) )?(?P<text>.*)"
)
_REQUEST = re.compile(r', request: "(?P<request>[^"]*)"')


class Complaint(msgspec.Struct, frozen=True):
    """One line of nginx's error log: `request` is the request line it names, `connection` its number or 0."""

    time: str
    level: str
    connection: int
    text: str
    request: str

    @classmethod
    def parse(cls, line: str) -> Complaint | None:
        found = _NGINX.match(line)
        if not found:
            return None
        request = _REQUEST.search(found["text"])
        time = datetime.fromisoformat(found["time"].replace("/", "-")).astimezone().isoformat()
        return cls(
            time,
            found["level"],
            int(found["connection"] or 0),
            found["text"],
            request["request"] if request else "",
        )

    def is_about(self, request: Request) -> bool:
        """nginx logs no request ID there: the connection's number and the request line identify it."""
        return self.connection == request.connection != 0 and self.request.startswith(
            f"{request.method} {request.uri} "
        )


def complaints(lines: Iterable[str]) -> list[Complaint]:
    """The lines without nginx's notices about itself and harmless warnings."""
    found = (Complaint.parse(line) for line in lines if IDLE not in line)
    return [item for item in found if item and item.level != "notice"]
