"""Finds the running site for a command: by --site, APP, --config, or the current directory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from portico.cli.completion import files, sites
from portico.errors import Problem, UsageError
from portico.project import running

_Command = TypeVar("_Command", bound=Callable[..., Any])


def running_site(function: _Command) -> _Command:
    """Adds APP, --config and --name to a command that asks a running site; see `runtime_of`."""
    return click.argument("app", required=False, shell_complete=files)(named_site(function))


def named_site(function: _Command) -> _Command:
    """The same without APP, for a command with another argument."""
    function = click.option(
        "--site",
        metavar="NAME",
        help="A running site by its name, wherever its directory is.",
        expose_value=False,
        callback=_remember,
        shell_complete=sites,
    )(function)
    function = click.option("--name", default="", metavar="TEXT", help="The name it was started with.")(
        function
    )
    return click.option("--config", metavar="FILE", shell_complete=files, help="A portico.toml elsewhere.")(
        function
    )


def _remember(context: click.Context, _: click.Parameter, value: str | None) -> None:
    """Stores the value of --site for `runtime_of`, which every command calls."""
    if value is not None:
        context.meta[_SITE] = value


_SITE = "portico.site"


def runtime_of(app: str | None, config: str | None, name: str = "") -> str:
    """The runtime directory by `project.running.runtime_of`, or of --site. Raises UsageError."""
    context = click.get_current_context(silent=True)
    site = context.meta.get(_SITE) if context else None
    if site is None:
        return running.runtime_of(app, config, name)
    if app or config or name:
        raise UsageError(
            Problem("--site", "names the site, and so does the argument beside it", "leave one out")
        )
    return running.by_name(site)


def state_of(app: str | None, config: str | None, name: str = "") -> str:
    """The site's log directory, whether the site runs or not."""
    return running.state_beside_of(runtime_of(app, config, name))


def one_site(app: str | None, config: str | None, name: str) -> str:
    """The same for a command about one site. Raises UsageError if a gateway of several sites is meant."""
    runtime = runtime_of(app, config, name)
    running.refuse_several(runtime)
    return runtime


def running_runtime_of(app: str | None, config: str | None, name: str = "") -> str:
    """The same for a running site. A site of a gateway that does not run is an error with the gateway's reason."""
    runtime = runtime_of(app, config, name)
    running.refuse_absent(runtime)
    return runtime
