"""A site's portico.toml and flags, and the rights that apply to them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from portico.place.owner import Owner
from portico.project.rights import rights
from portico.reading import Reader
from portico.site.load import load
from portico.site.options import Options
from portico.values import AppRef


class Declared(Struct, frozen=True):
    """Everything about a site that is known before the machine and the app are asked.

    `home` is the site's identity, `directory` the place of its code now. `origin` is its file or directory as it
    was named.
    """

    options: Options
    causes: Mapping[str, str]
    runner: Owner
    reader: Reader
    directory: Path
    home: Path
    name: str
    origin: str


def declared(
    file: Path | None,
    directory: Path,
    flags: Mapping[str, Any],
    ref: AppRef | None = None,
    *,
    serves: bool = True,
    looks: bool = False,
    gateway: str = "",
) -> Declared:
    """The site of that file and these flags. Raises UsageError.

    `ref` is the app from the command line; for `serves`, `looks` and `gateway` see `project.gather`.
    """
    options, causes = load(file, flags)
    if ref is not None:
        options, causes = msgspec.structs.replace(options, app=ref), causes | {"app": "the command line"}
    runner, reader = rights(options, causes, file, directory, serves=serves, looks=looks, gateway=gateway)
    return Declared(options, causes, runner, reader, directory, directory, options.name, str(directory))
