"""Every path a plan uses, named once, from the place's two directories."""

from __future__ import annotations

from dataclasses import dataclass

from portico.place.model import Place

SOCKET_PATH_LIMIT = 107
"""Bytes a unix socket's path may have on Linux (sun_path is 108 with its end), man 7 unix."""


@dataclass(frozen=True)
class Paths:
    """`runtime` holds sockets and configuration, `state` what grows: logs and temporary files."""

    runtime: str
    state: str

    @classmethod
    def of(cls, place: Place) -> Paths:
        return cls(place.runtime, place.state)

    @property
    def conf(self) -> str:
        """The symlink to the configuration in force."""
        return f"{self.runtime}/conf"

    @property
    def error_pages(self) -> str:
        return f"{self.conf}/errors"

    @property
    def socket(self) -> str:
        return f"{self.runtime}/app.sock"

    @property
    def longest_socket(self) -> str:
        """The longest socket path that a generation may need."""
        return f"{self.runtime}/app-99999.sock"

    @property
    def booting(self) -> str:
        return f"{self.runtime}/booting"

    @property
    def pid(self) -> str:
        return f"{self.runtime}/nginx.pid"

    @property
    def temporary(self) -> str:
        return f"{self.state}/bodies"

    @property
    def access_log(self) -> str:
        return f"{self.state}/access.log"

    @property
    def error_log(self) -> str:
        return f"{self.state}/error.log"
