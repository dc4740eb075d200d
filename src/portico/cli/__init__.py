"""The command line: one command, one file; a command is imported only when it is used."""

from __future__ import annotations

import importlib
from typing import Any

import click

from portico import __version__
from portico.cli.command_table import COMMANDS, GROUPS, module


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(module(cmd_name)).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click's
        for title, commands in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([*commands.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        self._refuse_unknown(ctx, args[0])
        return super().resolve_command(ctx, args)

    def _refuse_unknown(self, ctx: click.Context, name: str) -> None:
        import difflib

        if name in COMMANDS or name.startswith("-"):
            return
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        looks_like_app = ":" in name or name.endswith(".py")
        hint = f"did you mean 'portico run {name}'?" if looks_like_app else f"known: {', '.join(COMMANDS)}"
        raise click.UsageError(
            f"no such command '{name}'; " + (f"did you mean '{near[0]}'?" if near else hint), ctx
        )


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, "-V", "--version", prog_name="portico")
def portico() -> None:
    """Put a Python web app into production behind a real nginx, and see what was done and why."""
