"""[apache]: which httpd, and directives of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from portico.errors import Problem
from portico.reading import Reader
from portico.site.options import Options
from portico.site.own.httpd.reading import directives
from portico.site.own.model import Own, OwnText
from portico.site.own.table import GatewayTable

_ABOVE, _SERVER = "apache.main", "apache.server"


def _read(
    options: Options, directory: Path, causes: Mapping[str, str], reader: Reader, problems: list[Problem]
) -> OwnText:
    def of(entries: list[str], key: str) -> tuple[Own, ...]:
        return tuple(directives(entries, key, directory, causes, reader, problems))

    return OwnText(of(options.apache.main, _ABOVE), of(options.apache.server, _SERVER))


HTTPD = GatewayTable(
    program="apache",
    binary_key="apache.binary",
    binary=lambda options: options.apache.binary,
    above_key=_ABOVE,
    server_key=_SERVER,
    read=_read,
)
