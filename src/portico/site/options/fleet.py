"""The table [fleet]."""

from __future__ import annotations

from typing import Annotated, ClassVar

from portico.site.options.section import Section, option

_REACH = "commands run on other hosts, with root's keys"


class Fleet(Section, frozen=True):
    """How new code gets to the hosts of `upstream.servers`: `portico fleet release`, one host after the other."""

    shorthand: ClassVar[str] = "directory"

    directory: Annotated[
        str,
        option(
            "The directory on each host that has the code of each release in `releases/NAME`, and the link "
            "`current` to the one that serves.",
            example="/srv/shop",
            reach=_REACH,
        ),
    ] = ""
    fetch: Annotated[
        str,
        option(
            "A command that brings the code to a host, before anything is switched. It runs in `directory` and makes "
            "`releases/$RELEASE`, unless that is there; what a failed one left there is removed first. "
            "Default: the code is there already.",
            example="git clone -q -b $RELEASE /srv/shop.git releases/$RELEASE",
            reach=_REACH,
        ),
    ] = ""
    program: Annotated[
        str,
        option(
            "Portico on the hosts, and on the gateway if that is another machine.",
            example="/srv/venv/bin/portico",
            reach=_REACH,
        ),
    ] = "portico"
    gateway: Annotated[
        str,
        option(
            "Where the gateway runs, as `ssh` is told. Default: on the machine where the command is typed.",
            example="gateway.internal",
            reach=_REACH,
        ),
    ] = ""
    node: Annotated[
        list[str],
        option(
            "The addresses that the hosts see the gateway connect from: their option `node`, for "
            "`portico export fleet --write`.",
            example=["10.0.0.1"],
        ),
    ] = []
