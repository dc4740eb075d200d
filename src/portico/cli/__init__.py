"""The command line: one command, one file; a command is imported only when it is used."""

from __future__ import annotations

import importlib
from typing import Any

import click
from click.shell_completion import CompletionItem

from portico.cli.command_table import COMMANDS, GROUPS, module


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(module(cmd_name)).command
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands with their lines in `portico --help`, none of them imported; then the options."""
        words = {name: line for commands in GROUPS.values() for name, line in commands.items()}
        found = [CompletionItem(name, help=words[name]) for name in COMMANDS if name.startswith(incomplete)]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click's
        for title, commands in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([*commands.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if not ctx.resilient_parsing:  # a shell asks for completions
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
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
    no_args_is_help=True,
)
@click.option("-V", "--version", "is_version", is_flag=True, help="Show Portico and its parts, and exit.")
@click.option("--json", "is_json", is_flag=True, help="With --version: as JSON.")
@click.pass_context
def portico(context: click.Context, is_version: bool, is_json: bool) -> None:
    """Put a Python web app into production behind a real nginx, and see what was done and why."""
    if is_version:
        _show_parts(is_json=is_json)
        context.exit()
    if is_json:
        raise click.UsageError("--json alone: it stands after the command, or beside --version", context)


def _show_parts(*, is_json: bool) -> None:
    """Portico and each of its parts, with its version and its place."""
    from portico.cli import output
    from portico.place.parts import parts

    found = output.safe(parts())
    if is_json:
        output.result(output.as_json(found))
        return
    names = [f"{part.name} {part.version or '?'}" for part in found]
    width = max(map(len, names))
    for name, part in zip(names, found, strict=True):
        output.result(f"{name:<{width}}  {part.where}")
