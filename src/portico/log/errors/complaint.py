"""One line of a gateway's error log, read back."""

from __future__ import annotations

import msgspec

from portico.log.request import Request


class Complaint(msgspec.Struct, frozen=True):
    """`request` is the request line that it names, `connection` the number of its connection or 0."""

    time: str
    level: str
    connection: int
    text: str
    request: str
    program: str = "nginx"
    """Whose it is, as in a plan: nginx or apache."""
    id: str = ""
    """The request's, where the line has it; nginx writes none."""

    def is_about(self, request: Request) -> bool:
        """By the id; without one, the connection's number and the request line tell."""
        if self.id:
            return self.id == request.id
        return self.connection == request.connection != 0 and self.request.startswith(
            f"{request.method} {request.uri} "
        )
