"""`flask --app shop serve`: the same as `portico run`, for users of the flask command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from flask.cli import ScriptInfo

from portico.cli.errors import exit_code_of
from portico.cli.flags import given, site_arguments


@click.command("serve")
@site_arguments
@click.pass_context
def serve(context: click.Context, /, app: str | None, config: str | None, **flags: Any) -> None:
    """Serve the app in production behind nginx (portico run)."""
    from portico.cli.commands.run.run import serve as serve_site

    named = app or _reference(context.ensure_object(ScriptInfo).app_import_path)
    sys.exit(exit_code_of(lambda: serve_site(named, config, given(flags))))


def _reference(import_path: str | None) -> str | None:
    """Flask's --app in Portico's syntax: `shop` may be a file in this directory, `dir/shop.py:app` stays."""
    if import_path is None:
        return None
    module, colon, attribute = import_path.partition(":")
    if "/" in module and not module.endswith(".py") and Path(f"{module}.py").exists():
        module += ".py"
    return module + colon + attribute
