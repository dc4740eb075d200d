"""`portico completion`: prints the script with which a shell completes Portico's commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from portico.cli import output
from portico.cli.completion import SHELLS, VARIABLE


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS), metavar="|".join(SHELLS))
def command(shell: str) -> None:
    """Print the script that completes commands, options, files and running sites after a TAB.

    \b
    bash:  portico completion bash > ~/.local/share/bash-completion/completions/portico
    zsh:   portico completion zsh > "${fpath[1]}/_portico"
    fish:  portico completion fish > ~/.config/fish/completions/portico.fish

    The next shell has it.
    """
    made = get_completion_class(shell)
    assert made, shell
    root = click.get_current_context().find_root()
    output.result(made(root.command, {}, "portico", VARIABLE).source())
