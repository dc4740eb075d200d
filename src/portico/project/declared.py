"""A site's portico.toml and flags, and the rights that apply to them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from portico.errors import Problem, UsageError
from portico.place.interpreter import Interpreter, Versions, interpreter
from portico.place.owner import Owner
from portico.project.rights import rights
from portico.reading import Reader, as_user
from portico.site.load import load
from portico.site.model import Development
from portico.site.options import Options
from portico.site.variants.development import CAUSE, FLAG, developed
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
    python: Interpreter = Interpreter()
    """The app's."""
    versions: Versions = Versions()
    """What it says of itself, once it was asked; empty for Portico's own."""
    development: Development | None = None


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
    options, causes = load(file, {name: value for name, value in flags.items() if name != FLAG})
    if ref is not None:
        options, causes = msgspec.structs.replace(options, app=ref), causes | {"app": "the command line"}
    development = None
    if flags.get(FLAG):
        options, causes, development, problems = developed(options, causes)
        problems += _shared(gateway)
        if problems:
            raise UsageError(*problems)
    runner, reader = rights(options, causes, file, directory, serves=serves, looks=looks, gateway=gateway)
    where = causes.get("python", "python")
    python = as_user(reader.user, lambda: interpreter(options.python, directory, where))
    if development and runner.name:
        what = f"root would run {CAUSE} for {runner.name}, who could then read the terminal of root"
        raise UsageError(
            Problem(CAUSE, what, f"run it as {runner.name}: sudo -u {runner.name} portico run {CAUSE}")
        )
    return Declared(
        options, causes, runner, reader, directory, directory, options.name, str(directory), python,
        development=development,
    )  # fmt: skip


def _shared(gateway: str) -> list[Problem]:
    if not gateway:
        return []
    return [
        Problem(CAUSE, "is for one site with a gateway of its own", "name one site: portico run --dev DIR")
    ]
