"""Notes about static folders that the app's own code handles."""

from __future__ import annotations

from collections.abc import Iterator

from portico.plan.web.files.statics import Folder
from portico.plan.web.model import Web
from portico.site.facts import LeftFolder


def left_note(folder: LeftFolder) -> str:
    """Why the app serves a folder, in a sentence."""
    return f"{folder.origin} is left to the app: {folder.why}"


def left_hint(folder: LeftFolder) -> str:
    """What the user can do about it."""
    return (
        "the app decides about each file; with Gunicorn, the gateway still sends those from 64 KiB\n"
        "if the folder is public, declare it in portico.toml, and the gateway sends it without asking the app:\n"
        f'[static]\n"{folder.url}" = "{folder.folder}"'
    )


def header_names(web: Web, folder: Folder) -> list[str]:
    """The names of the app's own headers that are sent with the folder's files."""
    control = ["Cache-Control"] if folder.sent.cache_control and not web.statics.may_change else []
    return list(dict.fromkeys([*control, *(name for name, _ in folder.sent.headers)]))


def guarded_notes(web: Web) -> Iterator[str]:
    """A note for each folder that the app serves, and for each that nginx sends with headers of the app's."""
    yield from map(left_note, web.site.left)
    for folder in web.statics.folders:
        if names := header_names(web, folder):
            yield f"{web.place.gateway.program} sends {folder.url} with the app's own headers: {', '.join(names)}"
