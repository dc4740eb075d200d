"""The words after `portico run` in an image, whose code is in a directory of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from portico.errors import Problem, UsageError
from portico.place.interpreter import OWN
from portico.project.command_line import command_line
from portico.project.here import here
from portico.project.named import as_config, is_directory, where_is
from portico.site.load import FILE
from portico.site.options import Options
from portico.values import Address


def words(
    app: str | None, config: str | None, flags: Mapping[str, Any], listen: Address | None
) -> tuple[str, ...]:
    """The typed command as it means the same in the site's own directory. Raises UsageError.

    `listen` replaces the address that was typed.
    """
    app, config = as_config(app, config)
    home, ref = where_is(app, config)
    if config:
        config = None if Path(config).name == FILE else Path(config).name
    if app and is_directory(app):
        app = None
    elif app and ref is not None and ref.is_file:
        app = _below(home, app)
    if listen:
        address = f":{listen.port}" if listen.host == "*" else str(listen)
        flags = {**{name: value for name, value in flags.items() if name != "listen"}, "listen": address}
    return command_line(app, config, exportable(flags))


def in_image(flags: Mapping[str, Any], options: Options) -> Mapping[str, Any]:
    """The flags for an image, which has one environment, whatever the site names here."""
    others = {name: value for name, value in flags.items() if name != "python"}
    return {**others, "python": OWN} if options.python else others


def exportable(flags: Mapping[str, Any]) -> Mapping[str, Any]:
    """The flags. Raises UsageError for variables, which would stand in a file that others read."""
    if "env" in flags:
        hint = "put it into a file of env_file, or into [env] if it is no secret (docs/environment.md)"
        raise UsageError(Problem("--env", "its value would stand in what is exported", hint))
    return flags


def _below(home: Path, app: str) -> str:
    path, colon, attribute = app.partition(":")
    try:
        return f"{(here() / path).relative_to(home)}{colon}{attribute}"
    except ValueError:
        what = f"the app's file is not below the site's directory {home}, which is what an image is made of"
        raise UsageError(Problem(app, what, "export in a directory that contains both")) from None
