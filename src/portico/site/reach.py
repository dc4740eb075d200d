"""Options that give more than the rights of the app's user: under root they count only if root alone can change them.

Every other option gives that user nothing new: it may stand in a portico.toml that the app's own user can write.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

from portico.errors import Problem
from portico.site.keys import Key, flag_keys, keys
from portico.site.options import Options
from portico.site.own.tables import TABLES
from portico.site.variables import is_cause

COMMAND_LINE = "the command line"
_SOCKET = "unix:"
_BINARIES = frozenset(table.binary_key for table in TABLES)


def reaching(
    options: Options, causes: Mapping[str, str], file: str, doubt: str, *, plans_only: bool = False
) -> Iterator[Problem]:
    """A problem for each such option in `file`, if others than root can change it: `doubt` says how.

    With `plans_only`, root runs nothing except the program that is asked for its version.
    """
    for key in keys():
        if not key.reach or not is_from_file(causes.get(key.name, "")) or not _reaches(key, options):
            continue
        if plans_only and key.name not in _BINARIES:
            continue
        what = f"{key.name}: {key.reach}, so it counts only if root alone can change the file; {doubt}"
        yield Problem(causes[key.name], what, _hint(key, file))
    if not plans_only:
        yield from _sockets(options, causes, file, doubt)


def _sockets(options: Options, causes: Mapping[str, str], file: str, doubt: str) -> Iterator[Problem]:
    """A problem for each rule, and for a mirror, that leads to a unix socket: another site's app may listen there."""
    leads = {f"route.{number}.to": one.to for number, one in enumerate(options.route, 1)}
    for key, to in (leads | {"mirror.to": options.mirror.to}).items():
        cause = causes.get(key) or f"{file.rpartition('/')[2]}"
        if _SOCKET in to and is_from_file(cause):
            what = (
                f"{key}: the gateway's user may talk to sockets that the app's user may not, so it counts only if root "
                f"alone can change the file; {doubt}"
            )
            yield Problem(cause, what, elsewhere(file))


def is_from_file(cause: str) -> bool:
    """Whether a file says it: then whoever can change the file does. The command line and the environment are those of
    who starts Portico.
    """
    if _LINE.search(cause):  # whatever the file is called
        return True
    return bool(cause) and cause != COMMAND_LINE and not cause.startswith("--") and not is_cause(cause)


_LINE = re.compile(r":\d+$")


def _reaches(key: Key, options: Options) -> bool:
    """Whether that value gives more rights; who may choose the app's user is judged elsewhere."""
    value = _value(key, options)
    if key.name == "user" or value == key.default:
        return False
    if key.name in _BINARIES:
        return "/" in value
    if key.name == "upstream.servers":
        return any(_SOCKET in server for server in value)
    return True


def _value(key: Key, options: Options) -> Any:
    return reduce(getattr, key.name.split("."), options)


def _hint(key: Key, file: str) -> str:
    flag = next((flag for flag, other in flag_keys().items() if other.name == key.name), "")
    ways = [f"set it on the command line: --{flag}"] if flag else []
    return "\nor ".join([*ways, elsewhere(file)])


def elsewhere(file: str) -> str:
    """What to do about a portico.toml that others can change."""
    name = file.rpartition("/")[2]
    return (
        f"move {name} to where only root may write, /etc/portico for one, and name it with --config and the\n"
        "app's directory: portico run --config /etc/portico/shop.toml /srv/shop"
    )
