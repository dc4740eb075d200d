"""Static folders about which code of the app's own has a say: what people are told of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portico.plan.gateway.nginx.tls import secured_headers
from portico.plan.web.model import Web
from portico.site.model import LeftFolder, RootFile, StaticFolder


def left_note(folder: LeftFolder) -> str:
    """Why the app serves a folder, in a sentence."""
    return f"{folder.origin} is left to the app: {folder.why}"


def left_hint(folder: LeftFolder) -> str:
    """What people can do about it."""
    return (
        "the app decides about each file; with Gunicorn, nginx still carries the bytes of those from 64 KiB\n"
        "if everybody may see the folder, say so in portico.toml, and nginx sends it without asking:\n"
        f'[static]\n"{folder.url}" = "{folder.folder}"'
    )


def own_headers(web: Web, file: StaticFolder | RootFile) -> list[tuple[str, str]]:
    """The app's own headers that nginx sends with a file. Where Portico says Strict-Transport-Security, the app's
    is left out: a browser takes the first.
    """
    is_told = bool(secured_headers(web))
    return [pair for pair in file.headers if not (is_told and pair[0].lower() == "strict-transport-security")]


def header_names(web: Web, folder: StaticFolder) -> list[str]:
    """Their names, with that of a Cache-Control of the app's own."""
    names = [name for name, _ in own_headers(web, folder)]
    return list(dict.fromkeys([*(["Cache-Control"] if folder.cache_control else []), *names]))


def guarded_notes(web: Web, folders: Sequence[StaticFolder]) -> Iterator[str]:
    """A note for each folder that is left to the app, and for each that nginx sends with headers of the app's."""
    yield from map(left_note, web.site.left)
    for folder in folders:
        if names := header_names(web, folder):
            yield f"nginx sends {web.site.prefix}{folder.url} with the app's own headers: {', '.join(names)}"
