"""A line of the firewall's log: a rule that matched a request. The gateway writes it, ModSecurity formats it."""

from __future__ import annotations

import re
from datetime import datetime

import msgspec

_HEAD = re.compile(
    r"(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[\w+\] (\d+)#\d+: \*(\d+) (?:\[client [^\]]*\] )?ModSecurity: (.*)"
)
_RULE = re.compile(
    r' \[file "(?:/[^"]*\.conf|<<[^"]*>>[^"]*)"\] \[line "\d+"\] \[id "(\d+)"\] \[rev "[^"]*"\] \[msg "([^"]*)"\]'
)
"""A client chooses 100 characters before it; the path of a rule of the Core Rule Set and all this are longer."""
_ID = re.compile(r'\[unique_id "([0-9a-f]{32})-\d*"\]')
_CLIENT = re.compile(r", client: ([0-9a-fA-F.:]+|unix:), server: ")
_REQUEST = re.compile(r', request: "([A-Z-]+) ([^ ?"]*)')
DENIED = "Access denied"
SCORE = 949110
"""The rule that judges a request's score; it has no message of its own."""
VERDICTS = frozenset({SCORE, 200002, 200007})
"""The rules that judge a request; the others only add to its score."""


class Finding(msgspec.Struct, frozen=True):
    """`request` is its ID in the access log; "" if the line was cut: `worker` and `connection` identify it then."""

    time: str
    worker: int
    connection: int
    rule: int
    message: str
    request: str
    client: str
    method: str
    path: str
    is_refused: bool

    @property
    def at(self) -> float:
        """Its Unix time."""
        return datetime.fromisoformat(self.time).timestamp()

    @property
    def is_verdict(self) -> bool:
        return self.rule in VERDICTS

    @classmethod
    def parse(cls, line: str) -> Finding | None:
        """None for a line about something else: the gateway logs more there than the firewall's findings."""
        head = _HEAD.match(line)
        rule = _RULE.search(head[4]) if head else None
        if head is None or rule is None:
            return None
        after = head[4][rule.end() :]
        id_, client, request = _ID.search(after), _CLIENT.search(after), _REQUEST.search(after)
        return cls(
            time=datetime.fromisoformat(head[1].replace("/", "-")).astimezone().isoformat(),
            worker=int(head[2]),
            connection=int(head[3]),
            rule=int(rule[1]),
            message=rule[2],
            request=id_[1] if id_ else "",
            client=client[1] if client else "",
            method=request[1] if request else "",
            path=request[2] if request else "",
            is_refused=head[4].startswith(DENIED),
        )
