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
