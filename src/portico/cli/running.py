"""Which running site a command is about: that of APP, of --config, or of the current directory."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from portico.cli.gather import config_file, where_is
from portico.place.probe import runtime_directory
from portico.site.load import load
from portico.site.resolve import own_directory, site_name

_Command = TypeVar("_Command", bound=Callable[..., Any])


def running_site(function: _Command) -> _Command:
    """Adds APP, --config and --name to a command that asks a running site; see `runtime_of`."""
    return click.argument("app", required=False)(named_site(function))


def named_site(function: _Command) -> _Command:
    """The same without APP, for a command whose own argument is another."""
    function = click.option("--name", default="", metavar="TEXT", help="The name it was started with.")(
        function
    )
    return click.option("--config", metavar="FILE", help="A portico.toml elsewhere.")(function)


def runtime_of(app: str | None, config: str | None, name: str = "") -> str:
    """The runtime directory of the site that is meant; `name` as in `run --name`. Raises UsageError."""
    directory, _ = where_is(app, config)
    if not name:
        file = config_file(directory, config)
        name = (_name(file) if file else "") or site_name(directory)
    return str(runtime_directory(own_directory(directory), name))


def _name(file: Path) -> str:
    """Only the name: whatever else is wrong in the file, what runs can still be asked about it."""
    try:
        name = tomllib.loads(file.read_text(encoding="utf-8")).get("name", "")
    except (OSError, ValueError):
        return load(file, {})[0].name
    return name if isinstance(name, str) else ""
