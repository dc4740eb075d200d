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

    def is_about(self, request: Request) -> bool:
        """No id of the request is written there: the connection's number and the request line tell."""
        return self.connection == request.connection != 0 and self.request.startswith(
            f"{request.method} {request.uri} "
        )
