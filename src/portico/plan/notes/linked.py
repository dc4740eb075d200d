"""Notes about links in static folders."""

from __future__ import annotations

from collections.abc import Iterator

from portico.place.model import Linked
from portico.plan.web.files.statics import served
from portico.plan.web.model import Web
from portico.site.facts import StaticFolder
from portico.site.model import Site


def linked_folders(web: Web) -> Iterator[tuple[StaticFolder, str, str]]:
    """Each folder that nginx serves and that contains links: a sentence about them and what to do."""
    for folder in served(web.site, web.place):
        if found := web.place.linked.get(folder.folder):
            yield folder, _sentence(folder, found, web.place.gateway.program), _hint(web.site, folder, found)


def linked_notes(web: Web) -> Iterator[str]:
    """The same as notes of `run` and `plan`."""
    for _, sentence, hint in linked_folders(web):
        yield f"{sentence}: {hint.partition(chr(10))[0]}"


def _sentence(folder: StaticFolder, found: Linked, program: str) -> str:
    shown = ", ".join(f"{name} -> {path}" for name, path in found.shown)
    more = f" and {found.count - len(found.shown)} more" if found.count > len(found.shown) else ""
    links, are = ("links", "are") if found.count > 1 else ("a link", "is")
    return f"{links} in {folder.folder} {are} 404, because {program} follows none ({shown}{more})"


def _hint(site: Site, folder: StaticFolder, found: Linked) -> str:
    if site.facts.kind == "django" and not found.has_folder:
        return "run collectstatic without --link"
    name, path = next(iter(found.shown))
    if found.has_folder:
        return f'name where a folder really is, in portico.toml\n[static]\n"{folder.url}{name}/" = "{path}"'
    return "put the files themselves there"
