"""Matches the output of the app and the gateway with the request lines."""

from __future__ import annotations

from collections import defaultdict

from portico.log.app_output import Entry
from portico.log.errors.complaint import Complaint
from portico.log.request import Request


class Correlation:
    """Entries that wait for the line of their request; at most `most`."""

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
        """Removes and returns the entries of this request."""
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
        """Removes and returns the entries of a request that is still running."""
        found = self._entries.pop(request_id, [])
        self._held -= len(found)
        return found

    def rest(self) -> list[Entry | Complaint]:
        """Removes and returns all entries without a request."""
        left: list[Entry | Complaint] = [
            *(item for items in self._entries.values() for item in items),
            *(item for items in self._complaints.values() for item in items),
        ]
        self._entries.clear()
        self._complaints.clear()
        self._held = 0
        return sorted(left, key=lambda item: item.time)
