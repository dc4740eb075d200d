"""Files that the options name, as secrets of Compose. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from msgspec import Struct

from portico.export.compose.lines import lines
from portico.export.compose.stores import PASSWORD, Store, has_password
from portico.export.image.dockerfile import USER
from portico.plan.files import Line
from portico.site.model import Site
from portico.site.secrets import secret_files, user_files


class SecretFile(Struct, frozen=True):
    """A file that the options name: its name in compose.yaml, its path here, and in the containers."""

    name: str
    here: str
    there: str
    is_of_gateway: bool
    is_of_app: bool
    """The app's variables: nobody else needs them."""

    @property
    def mount(self) -> str:
        return f"{{source: {self.name}, target: {json.dumps(self.there)}}}"


def secret_mounts(site: Site) -> Iterator[SecretFile]:
    """Each secret file that the options name."""
    of_gateway = frozenset(site.https_files.values())
    of_app = frozenset(map(site.path, site.options.env_file))
    for number, path in enumerate({**secret_files(site), **user_files(site)}, 1):
        is_below = path.startswith(f"{site.directory}/")
        here = f".{path.removeprefix(site.directory)}" if is_below else path
        yield SecretFile(f"secret-{number}", here, in_image(site, path), path in of_gateway, path in of_app)


def in_image(site: Site, path: str) -> str:
    """Where a file of the site is in the containers; others are where they are here."""
    below = path.removeprefix(f"{site.directory}/")
    return path if below == path else f"/srv/{site.name}/{below}"


def secrets(site: Site, stores: tuple[Store, ...]) -> Iterator[Line]:
    found = [(one.name, one.here) for one in secret_mounts(site)]
    found += [("postgres", f"./{PASSWORD}")] if has_password(stores) else []
    if not found:
        return
    yield from lines(f"""
# Files that the image does not contain. User {USER} of the containers must be able to read them.
secrets:""")
    for name, here in found:
        yield Line(f"  {name}: {{file: {json.dumps(here)}}}")


def mounted(
    site: Site, stores: tuple[Store, ...], indent: str, is_here: Callable[[SecretFile], bool]
) -> Iterator[Line]:
    """The secrets of a service, where the site in its image looks for them."""
    found = [one.mount for one in secret_mounts(site) if is_here(one)]
    found += ["postgres"] if has_password(stores) else []
    if found:
        yield Line(f"{indent}secrets: [{', '.join(found)}]")
