"""Flags for the options of portico.toml, made from their declarations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from portico.cli.completion import files, values
from portico.errors import Problem, UsageError
from portico.project.sites import one_of
from portico.site.keys import Key, flag_keys
from portico.site.load import RENAMED
from portico.site.variants.development import FLAG

_Command = TypeVar("_Command", bound=Callable[..., Any])


def site_arguments(function: _Command) -> _Command:
    """Adds APP, --config and a flag for every option to a command; see `project.gather.gather`."""
    return _one_app(site_flags(function))


def _one_app(function: _Command) -> _Command:
    return click.argument("app", metavar="[APP]", nargs=-1, callback=_only_one, shell_complete=files)(
        function
    )


def _only_one(context: click.Context, _: click.Parameter, words: tuple[str, ...]) -> str | None:
    return one_of(context.command_path.partition(" ")[2], words)


def site_arguments_but(*flags: str) -> Callable[[_Command], _Command]:
    """The same without these flags, for a command with its own flags of these names."""
    return lambda function: _one_app(site_flags(function, flags))


def development_flag(function: _Command) -> _Command:
    """`--dev`, for the commands that plan a site for this machine."""
    words = "For development: reload at each change, the debugger, pdb; on this machine alone."
    return click.option(f"--{FLAG}", FLAG, is_flag=True, default=None, help=words)(function)


def site_flags(function: _Command, but: tuple[str, ...] = ()) -> _Command:
    """The same without APP, for a command with another argument."""
    for flag, key in reversed(flag_keys().items()):
        if flag not in ("app", *but):
            function = _flag(flag, key)(function)
    for old, (new, why) in RENAMED.items():
        function = _renamed(old, new, why)(function)
    return click.option("--config", metavar="FILE", shell_complete=files, help="A portico.toml elsewhere.")(
        function
    )


def _renamed(old: str, new: str, why: str) -> Callable[[_Command], _Command]:
    """A renamed flag: an error that names the new one."""
    flag = f"--{_dashed(old)}"

    def refuse(_: click.Context, __: click.Parameter, value: str | None) -> None:
        if value is not None:
            raise UsageError(Problem("", f"{flag} is called --{_dashed(new)}", why))

    return click.option(flag, hidden=True, expose_value=False, callback=refuse, help="")


def _dashed(name: str) -> str:
    return name.replace(".", "-").replace("_", "-")


def given(flags: dict[str, Any]) -> dict[str, Any]:
    """Only the flags that the user typed, by their names without dashes."""
    return {
        name.replace("_", "-"): list(value) if isinstance(value, tuple) else value
        for name, value in flags.items()
        if value is not None and value != ()
    }


def _flag(flag: str, key: Key) -> Callable[[_Command], _Command]:
    is_many = key.is_list or key.is_table
    names = [f"--{flag}"]
    if flag == "domains":
        names.insert(0, "--domain")
    if key.type is bool:
        return click.option(*names, flag.replace("-", "_"), is_flag=True, default=None, help=_help(key))
    return click.option(
        *names, flag.replace("-", "_"), metavar=_metavar(key), multiple=is_many, default=None,
        help=_help(key), shell_complete=values(key),
    )  # fmt: skip


def _help(key: Key) -> str:
    return key.help.partition(". ")[0].rstrip(".").replace("`", "") + "."


def _metavar(key: Key) -> str:
    if key.is_table:
        return "URL=DIR" if key.name == "static" else "NAME=VALUE"
    words = {"Duration": "TIME", "Size": "SIZE", "Address": "HOST:PORT", "int": "N"}
    return words.get(getattr(key.type, "__name__", ""), "N" if "int" in str(key.type) else "TEXT")
