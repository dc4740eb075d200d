"""[nginx]: which nginx, and directives of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from portico.errors import Problem
from portico.reading import Reader
from portico.site.options import Options
from portico.site.own.model import OwnText
from portico.site.own.nginx.reading import Reading
from portico.site.own.table import GatewayTable

_ABOVE, _SERVER = "nginx.http", "nginx.server"


def _read(
    options: Options, directory: Path, causes: Mapping[str, str], reader: Reader, problems: list[Problem]
) -> OwnText:
    reading = Reading(directory, causes, reader, problems)
    above = tuple(reading.of(options.nginx.http, _ABOVE))
    return OwnText(above, tuple(reading.of(options.nginx.server, _SERVER)), reading.files)


NGINX = GatewayTable(
    program="nginx",
    binary_key="nginx.binary",
    binary=lambda options: options.nginx.binary,
    above_key=_ABOVE,
    server_key=_SERVER,
    read=_read,
)
