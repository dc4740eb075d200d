"""The table [node]."""

from __future__ import annotations

from typing import Annotated, ClassVar

from portico.site.options.section import Section, option


class Node(Section, frozen=True):
    """This host is one of several behind a gateway, and answers the gateway only."""

    shorthand: ClassVar[str] = "gateways"

    gateways: Annotated[
        list[str],
        option(
            "Addresses of the gateways in front of this host: any other connection is closed without an answer. "
            "They are trusted proxies, as in `behind`.",
            example=["10.0.0.1"],
        ),
    ] = []
    socket: Annotated[
        str,
        option(
            "The app's own unix socket, for a gateway in another container: the app server answers there, and no "
            "web server is started. The gateway has it among its `upstream.servers`; what portico.toml says about "
            "clients (limits, access, headers, files) is the gateway's.",
            example="/run/sockets/app.sock",
            reach="Portico makes a directory and a socket there",
        ),
    ] = ""
