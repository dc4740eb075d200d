"""What the app and nginx wrote beside the request lines: read back, and brought together with their requests."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

import msgspec

from portico.log.entry import Entry
from portico.log.idle import IDLE
from portico.log.request import Request

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
        """nginx writes no id there: the connection's number and the request line tell."""
        return self.connection == request.connection != 0 and self.request.startswith(
            f"{request.method} {request.uri} "
        )


class Beside:
    """What waits for the line of its request. `most` bounds how many entries are held."""

    def __init__(self, most: int = 100_000) -> None:
        self._entries: defaultdict[str, list[Entry]] = defaultdict(list)
        self._complaints: defaultdict[int, list[Complaint]] = defaultdict(list)
        self._held, self._most = 0, most

    def add(self, item: Entry | Complaint) -> None:
        if self._held >= self._most:
            self._entries.clear()
            self._complaints.clear()
            self._held = 0
        if isinstance(item, Entry):
            self._entries[item.id].append(item)
        else:
            self._complaints[item.connection].append(item)
        self._held += 1

    def take(self, request: Request) -> list[Entry | Complaint]:
        """What was written for this request, taken out."""
        found: list[Entry | Complaint] = [*self._entries.pop(request.id, [])]
        waiting = self._complaints.get(request.connection, [])
        about = [item for item in waiting if item.is_about(request)]
        for item in about:
            waiting.remove(item)
        if not waiting:
            self._complaints.pop(request.connection, None)
        self._held -= len(found) + len(about)
        return [*about, *found]

    def take_id(self, request_id: str) -> list[Entry]:
        """The entries of a request that is still running, taken out."""
        found = self._entries.pop(request_id, [])
        self._held -= len(found)
        return found

    def rest(self) -> list[Entry | Complaint]:
        """Everything that no request came for, taken out."""
        left: list[Entry | Complaint] = [
            *(item for items in self._entries.values() for item in items),
            *(item for items in self._complaints.values() for item in items),
        ]
        self._entries.clear()
        self._complaints.clear()
        self._held = 0
        return sorted(left, key=lambda item: item.time)


def complaints(lines: Iterable[str]) -> list[Complaint]:
    """Without nginx's notices about itself, and what harms nobody."""
    found = (Complaint.parse(line) for line in lines if IDLE not in line)
    return [item for item in found if item and item.level != "notice"]
