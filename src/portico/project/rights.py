"""Portico runs as root: the user of the app, and the user whose rights apply to the configuration's files.

A portico.toml that the app's user can change is that user's. Its options may give that user nothing new.
"""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from portico.errors import Problem, UsageError
from portico.place.owner import NOBODY, Owner, owner
from portico.reading import OURS, Reader, doubt
from portico.site.options import Options
from portico.site.own.tables import table_of
from portico.site.reach import elsewhere, is_from_file, reaching

_ROOTS_FILES = ("https.dns_credentials", "https.eab_hmac_file")
"""Read by root later, at each order of a certificate."""
_PACKAGE = str(Path(__file__).parents[1])


def rights(
    options: Options,
    causes: Mapping[str, str],
    file: Path | None,
    directory: Path,
    *,
    serves: bool = True,
    looks: bool = False,
    gateway: str = "",
) -> tuple[Owner, Reader]:
    """The user of the app in `directory`, and the Reader of its files. Raises UsageError for options that need more
    rights.

    `file` is the site's configuration; for `serves`, `looks` and `gateway` see `project.gather`. Nothing is checked
    if Portico is not root, nor if root sets root as the app's user.
    """
    if os.geteuid() != 0:
        return owner(options.user, directory, must=serves, looks=looks), OURS
    why = doubt(file) if file else ""
    runner = _runner(options, causes, directory, str(file), why, serves=serves)
    if not runner.name and serves:
        return runner, OURS
    problems = list(reaching(options, causes, str(file), why, plans_only=not serves)) if why else []
    problems += _misplaced(options, causes, directory, is_member=bool(gateway))
    if problems:
        raise UsageError(*problems)
    return runner, Reader(runner.name, is_trusted=not why)


def exposed() -> str:
    """Who else can change the programs that root runs: Python and Portico itself; empty if no one can."""
    return next((why for path in (sys.executable, _PACKAGE) if (why := doubt(path))), "")


def _runner(
    options: Options, causes: Mapping[str, str], directory: Path, file: str, why: str, *, serves: bool
) -> Owner:
    """The app's user. A file that others can change may name only the default user."""
    if not (why and options.user and is_from_file(causes.get("user", ""))):
        return owner(options.user, directory, must=serves)
    found = owner("", directory, must=serves)
    if options.user == found.name:
        return found
    if not found.name:  # root sets root as the app's user: less is allowed
        return owner(options.user, directory, must=serves) if _is_somebody(options.user) else found
    what = f'user: "{options.user}" counts only if root alone can change it; {why}'
    hint = f"set it on the command line: --user {options.user}\nor {elsewhere(file)}"
    raise UsageError(Problem(causes["user"], what, hint))


def _is_somebody(name: str) -> bool:
    try:
        return pwd.getpwnam(name).pw_uid != 0
    except KeyError:
        return False


def _misplaced(
    options: Options, causes: Mapping[str, str], directory: Path, *, is_member: bool
) -> Iterator[Problem]:
    """Programs and secrets of root's in places where others can replace them."""
    wanted = {name: getattr(options.https, name.partition(".")[2]) for name in _ROOTS_FILES}
    table = table_of(options)
    binary = table.binary(options)
    if "/" in binary and not is_member and not Path(binary).is_relative_to(sys.prefix):
        wanted[table.binary_key] = binary
    for name, text in wanted.items():
        if text and (why := doubt(directory / text)):
            what = f'{name}: "{text}" counts only if root alone can change it; {why}'
            yield Problem(causes.get(name, name), what, "move it to where only root may write")


def refuse_gateway_s_own(runner: Owner, gateway_user: str, gateway: str) -> None:
    """Raises UsageError for an app that the gateway's own user would run: it reaches what its workers have.

    `nobody` may be both on a system without a user for the gateway, on a machine with one site.
    """
    if not runner.name or runner.name != gateway_user or (gateway_user == NOBODY and not gateway):
        return
    what = (
        f"the app and nginx's workers run as '{gateway_user}', both ({runner.why}): the app could read every "
        "upload, the access log and nginx's memory with its keys, and talk to the sockets of every other site"
    )
    hint = "give the app a user of its own: useradd --system shop, chown its directory, or name it with --user shop"
    raise UsageError(Problem("user", what, hint))
