"""`python -m tests.commands_page`: the page docs/commands.md, what `--help` of each command prints."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from click import Command, Context, Group
from click.testing import CliRunner

from portico.cli import portico
from portico.cli.command_table import GROUPS
from portico.site.keys import flag_keys

WIDTH = {"COLUMNS": "80"}
CUT = "  ..."
"""Stands for the flags of the site's options."""
_HEAD = """# Commands

This is what `portico COMMAND --help` prints. A line with `...` stands for the flags of the site's options:
each [option](reference.md) of portico.toml is a flag of `run`, `check`, `plan`, `explain` and `export systemd`.
"""
_ENTRY = re.compile(r"  -[^ ,]+(?:, -[^ ,]+)*")
"""The names of one option, at the beginning of its entry."""


def page() -> str:
    return "\n".join([_HEAD, *_blocks()])


def help_of(*words: str) -> str:
    """What the command prints, without the flags of the site's options."""
    done = CliRunner(env=WIDTH).invoke(portico, [*words, "--help"], prog_name="portico")
    return cut(done.output)


def cut(text: str) -> str:
    """A help text with one line in place of the flags of the site's options.

    A command that has only a few of these names has options of its own.
    """
    flags = {name.replace(".", "-").replace("_", "-") for name in flag_keys()} - {"app"}
    kept, is_out, is_cut = list[str](), False, "--request-timeout" in text
    for line in text.splitlines():
        if found := _ENTRY.match(line):
            is_out = is_cut and not flags.isdisjoint(re.findall(r"--([\w-]+)", found[0]))
        elif not line.startswith("   "):
            is_out = False
        if not is_out:
            kept.append(line)
        elif kept[-1] != CUT:
            kept.append(CUT)
    return "\n".join(kept) + "\n"


def _blocks() -> Iterator[str]:
    yield _block()
    for title, names in GROUPS.items():
        yield f"## {title}\n"
        for name in names:
            yield _block(name)
            command = portico.get_command(Context(portico), name)
            yield from (_block(name, part) for part in _parts(command))


def _parts(command: Command | None) -> list[str]:
    return list(command.commands) if isinstance(command, Group) else []


def _block(*words: str) -> str:
    line = " ".join(("$ portico", *words, "--help"))
    return f"```\n{line}\n{help_of(*words)}```\n"


if __name__ == "__main__":
    sys.stdout.write(page())
