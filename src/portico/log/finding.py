"""A line of the firewall's log: a rule that matched a request, or (httpd's) all of them. The gateway writes it,
ModSecurity formats it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from hashlib import md5

import msgspec

from portico.plan.web.waf import REQUEST_ID, TOO_MANY, UNREADABLE, VERDICT

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
_AUDITED = re.compile(
    r' \[file "(?:[^"\\]|\\.)*"\] \[line "\d+"\] \[id "(\d+)"\](?: \[rev "[^"]*"\])?(?: \[msg "((?:[^"\\]|\\.)*)"\])?'
)
"""ModSecurity 2 writes a backslash before a quote that a client sends, so this begins at none of them."""
_UNESCAPED = re.compile(r"\\([\\\"])")
DENIED = "Access denied"
SCORE = VERDICT
"""The rule that judges a request's score; it has no message of its own."""
VERDICTS = frozenset({SCORE, UNREADABLE[0], TOO_MANY[0]})
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
    def read(cls, line: str) -> list[Finding]:
        """Everything that a line of either gateway says; empty for a line about something else."""
        if line.startswith("{"):
            return list(_of_httpd(line))
        found = cls.parse(line)
        return [found] if found else []

    @classmethod
    def parse(cls, line: str) -> Finding | None:
        """A line of nginx's. None for one about something else: nginx logs more there than the firewall's findings."""
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


class _Transaction(msgspec.Struct):
    time: str
    transaction_id: str
    remote_address: str = ""


class _Audit(msgspec.Struct):
    messages: list[str] = []


class _Line(msgspec.Struct):
    """What ModSecurity 2 says of one request."""

    transaction: _Transaction
    audit_data: _Audit


def _of_httpd(line: str) -> Iterator[Finding]:
    try:
        read = msgspec.json.decode(line, type=_Line)
        time = datetime.strptime(read.transaction.time, "%d/%b/%Y:%H:%M:%S.%f %z").astimezone().isoformat()
    except (msgspec.MsgspecError, UnicodeError, ValueError):
        return
    matched = [(found, one) for one in read.audit_data.messages if (found := _AUDITED.search(one))]
    said = next((found[2] for found, _ in matched if int(found[1]) == REQUEST_ID), "")
    method, _, path = _UNESCAPED.sub(r"\1", said).partition(" ")
    for found, one in matched:
        if int(found[1]) == REQUEST_ID:
            continue
        yield Finding(
            time=time,
            worker=0,
            connection=0,
            rule=int(found[1]),
            message=found[2],
            request=md5(read.transaction.transaction_id.encode(), usedforsecurity=False).hexdigest(),
            client=read.transaction.remote_address,
            method=method,
            path=path,
            is_refused=one.startswith(DENIED),
        )
