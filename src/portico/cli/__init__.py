"""The command line: one command, one file; a command is imported only when it is used."""

from __future__ import annotations

import importlib
from typing import Any, Final

import click

from portico import __version__

GROUPS: Final = {
    "Run": {
        "run": "Serve an app behind nginx, in the foreground.",
        "stop": "Finish the requests in progress, then stop.",
        "check": "Look for what would break: app, nginx, ports, paths, limits.",
        "export": "Write a hardened systemd unit for the site.",
    },
    "Release": {
        "reload": "Release new code and configuration without losing a request.",
        "rollback": "Switch back to the previous release.",
        "scale": "Change the number of workers.",
        "pause": "Let requests wait for a moment.",
        "resume": "End a pause.",
        "maintenance": "Show a maintenance page, or open the site again.",
        "drain": "Send no new requests to one of several servers.",
    },
    "Look": {
        "status": "Show what runs: processes, memory, requests, queue.",
        "logs": "Show the requests, each with what the app wrote.",
        "top": "Show rates, times, slowest routes and errors live.",
        "dashboard": "Show the same in a browser.",
        "metrics": "Print the metrics in Prometheus' format.",
        "trace": "Send one request and show each step it takes.",
    },
    "Understand": {
        "plan": "Show processes, files and reasons, without starting anything.",
        "explain": "Say why a line of nginx's configuration is there.",
        "what-if": "Compare a request before and after a line is changed.",
        "options": "List every option and its default.",
    },
    "Keep": {
        "cert": "Show, renew or trust the certificate.",
        "purge": "Delete answers from nginx's cache.",
        "clean": "List what former sites left on the disk, and remove it.",
    },
}
"""Every command with its line in `portico --help`, which imports none of them."""
COMMANDS: Final = tuple(name for group in GROUPS.values() for name in group)


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(
            f"portico.cli.commands.{cmd_name.replace('-', '_')}"
        ).command
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
