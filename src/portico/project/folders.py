"""The site's folders that the gateway serves: those it can read, and for another user's app those that user can read,
too.

The gateway's user has groups that the app's user does not have. Folders that the app's user names are served with that
user's rights: a folder that it cannot read, or in which the gateway can read more than it can, is left to the app.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from msgspec.structs import replace

from portico.errors import Problem, UsageError
from portico.place.access import Reader as Reads
from portico.place.access import blocked, remedy
from portico.place.model import Place
from portico.project.links import links_in
from portico.reading import Reader, as_user, doubt, trusted_part
from portico.site.facts import AppFacts, RootFile, StaticFolder
from portico.site.model import Root, Site

_MOST_FILES = 20_000
"""The limit of files checked in a folder that another user owns."""
_APPS_OWN = "name a folder of the app's own, see docs/users.md"
_STAYS = 'use nginx (gateway = "nginx"), or copy it to where root alone can write, and name that'


def real_folders(facts: AppFacts, reader: Reader) -> AppFacts:
    """The app's folders without links on the way, if the app's user could change those later."""
    if not reader.user:
        return facts
    folders = [replace(one, folder=str(reader.real(one.folder))) for one in facts.static]
    return replace(facts, static=folders)


def fenced(place: Place, site: Site, *, has_fences: bool) -> Place:
    """The place with what keeps the gateway from each folder. Raises UsageError for those that the user asked it
    to serve.

    Without fences the gateway would follow a link that the app's user puts in place of a folder later: it serves
    only what root alone can change.
    """
    spa = [StaticFolder("/", site.spa, f"{site.cause('spa')}")] if site.spa else []
    folders: list[StaticFolder | Root] = [*site.static, *spa, *site.roots]
    found, withheld, problems = dict[str, str](), dict[str, str](), []
    for folder in folders:
        is_wanted = (
            folder.is_declared if isinstance(folder, Root) else site.is_wanted(folder) or folder in spa
        )
        path = folder.folder
        stopped = blocked(path, place.gateway_user)
        why = "" if stopped else _not_the_app_s(path, place, is_admins=is_wanted and site.reader.is_trusted)
        movable = "" if stopped or why or has_fences else _movable(path, place)
        if stopped and is_wanted:
            hint = remedy(stopped, place.gateway_user or place.user)
            what = f"{place.gateway.program} cannot read {path}: {stopped.path}: {stopped.why}"
            problems.append(Problem(folder.origin, what, hint))
        elif (why or movable) and is_wanted:
            what = f"{place.gateway.program} does not serve {path}: {why or movable}"
            problems.append(Problem(folder.origin, what, _STAYS if movable else _APPS_OWN))
        elif stopped:
            found[path] = f"{stopped.path}: {stopped.why}"
        elif why or movable:
            withheld[path] = why or movable
    if problems:
        raise UsageError(*problems)
    if not has_fences:
        withheld |= {path: why for path in site.before.values() if (why := _movable(path, place))}
    linked = as_user(site.reader.user, lambda: links_in(site.static))
    return replace(
        place, unreadable=found, withheld=withheld, fences=_fences(site, place, folders), linked=linked
    )


def is_served(file: RootFile, place: Place) -> bool:
    """Whether the folder of a file at the root is served."""
    return not any(Path(file.path).is_relative_to(folder) for folder in place.withheld)


def _not_the_app_s(path: str, place: Place, *, is_admins: bool) -> str:
    """Why a folder is not served although the gateway could; empty if it is. `is_admins`: root's own file names it."""
    if not place.app_user:
        return ""
    own = (os.path.realpath(Path(above).parent) for above in (place.state, place.runtime))
    if any(_overlap(path, above) for above in own):
        return "Portico's own files lie there"
    if is_admins:
        return ""
    if stopped := blocked(path, place.app_user):
        return f"the app's user may not read it: {stopped.path}: {stopped.why}"
    return _the_gateway_s_alone(path, place)


def _movable(path: str, place: Place) -> str:
    """Who beside root could put a link there, where the app has a user of its own; empty if no one could."""
    why = doubt(path) if place.app_user else ""
    return f"{why}, so a link could be put there, and it would be followed" if why else ""


def _overlap(path: str, other: str) -> bool:
    return Path(path).is_relative_to(other) or Path(other).is_relative_to(path)


def _the_gateway_s_alone(path: str, place: Place) -> str:
    """What the gateway can read in a folder and the app's user cannot; nobody looks where everything is that user's."""
    app, gateway = Reads.named(place.app_user), Reads.named(place.gateway_user)
    status = Path(path).stat()
    if status.st_uid == app.uid:
        return ""
    if status.st_uid == gateway.uid:
        return f"it belongs to {place.gateway.program}'s user"
    seen = 0
    for above, folders, files in os.walk(path):
        for name in (*folders, *files):
            seen += 1
            try:
                one = Path(above, name).lstat()
            except OSError:
                continue
            need = 0o5 if stat.S_ISDIR(one.st_mode) else 0o4
            if not stat.S_ISLNK(one.st_mode) and gateway.may(one, need) and not app.may(one, need):
                return f"the app's user may not read {Path(above, name)}, and {place.gateway.program} could"
        if seen > _MOST_FILES:
            break
    return ""


def _fences(site: Site, place: Place, folders: Iterable[StaticFolder | Root]) -> dict[str, str]:
    """For each folder, the part of its path that only root can change: the gateway follows no link below it."""
    if not place.app_user:
        return {}
    paths = {*(folder.folder for folder in folders), *site.before.values()}
    return {path: trusted_part(path) for path in paths if doubt(path)}
