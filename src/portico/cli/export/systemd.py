"""`portico export systemd`: writes a systemd unit."""

from __future__ import annotations

import os
import pwd
from typing import Any

import click

from portico.cli import output
from portico.cli.completion import folders
from portico.cli.export.give import give
from portico.cli.flags import given, site_arguments_but
from portico.project.command_line import command_line
from portico.project.gather import gather
from portico.project.here import here
from portico.project.image.words import exportable
from portico.site.secrets import for_systemd
from portico.site.variables import forget


@click.command("systemd")
@site_arguments_but("user")
@click.option(
    "--user",
    default="",
    metavar="NAME",
    help="Who it runs as. Default: the site's user, else you, never root.",
)
@click.option(
    "--write",
    metavar="DIR",
    shell_complete=folders,
    help="Write the unit into DIR instead of to standard output.",
)
def command(app: str | None, config: str | None, user: str, write: str | None, **flags: Any) -> None:
    """Write a hardened unit that runs APP as a service.

    Every line says why it is there."""
    from portico.check.service import obstacles
    from portico.export.systemd import Call, systemd_unit, unit_name
    from portico.place.preset import service
    from portico.plan.build import plan

    os.environ.pop("PORT", None)  # from this shell; the service has no PORT
    forget(os.environ)
    # As root, the app is imported as its future user, if this machine has that user.
    found = gather(app, config, given(flags) | ({"user": user} if _is_known(user) else {}), serves=False)
    who = user or found.site.options.user or ("" if found.place.is_root else found.place.user)
    directory = here()
    is_link = directory != directory.resolve()
    call = Call(
        command_line(app, config, exportable(given(flags))),
        str(directory),
        who,
        is_link,
        for_systemd(found.site),
    )
    place = service(found.place, unit_name(found.site), who)
    give(systemd_unit(found.site, place, plan(found.site, place), call), write)
    for sentence in obstacles(found.site, found.place, who):
        output.say(f"{output.warned('warning')} {sentence}")


def _is_known(user: str) -> bool:
    """Whether this process is allowed and able to become that user."""
    try:
        return bool(user) and os.geteuid() == 0 and bool(pwd.getpwnam(user))
    except KeyError:
        return False
