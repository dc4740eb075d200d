"""`portico adopt`: a portico.toml from the configuration that is there."""

from __future__ import annotations

from pathlib import Path

import click

from portico.cli import output
from portico.cli.adopt.shown import lines, to_json
from portico.errors import FAILED, Problem, UsageError
from portico.project.adopt.adopt import adopt
from portico.project.adopt.written import write_all


@click.command("adopt")
@click.argument("path", metavar="[FILE|DIR]", default="/etc/nginx/nginx.conf")
@click.option("--app", "app", metavar="APP", help="The app behind it, if no file beside it names it.")
@click.option(
    "--write", "writes", is_flag=True, help="Write portico.toml, beside the app; nothing is overwritten."
)
@click.option("--output", "target", metavar="PATH", help="Write this file, or into this directory.")
@click.option("--verify", is_flag=True, help="Run both on loopback, and compare their answers.")
@click.option("--json", "is_json", is_flag=True, help="Everything as JSON.")
def command(
    path: str, app: str | None, writes: bool, target: str | None, verify: bool, is_json: bool
) -> None:
    """Read a hand-written configuration of nginx or Apache httpd, and make a portico.toml that means the same.

    Without FILE it is /etc/nginx/nginx.conf; a directory such as sites-enabled is read file by file, and /etc/apache2
    from its apache2.conf. uWSGI's settings, gunicorn.conf.py, a Procfile and systemd units beside it say which app is
    behind it; none of them is executed.
    Nothing is written without --write or --output.
    """
    result = adopt(_existing(path), app)
    output_path = Path(target) if target else None
    files = write_all(result, output_path) if writes or target else []
    if is_json:
        output.result(output.as_json(to_json(result)))
    else:
        output.results(lines(result, files))
    if verify:
        from portico.cli.adopt.verified import verify_all

        raise SystemExit(verify_all(result, is_json=is_json))
    if not any(one.text for one in result.sites):
        raise SystemExit(FAILED)


def _existing(path: str) -> Path:
    if not Path(path).exists():
        hint = "name the file: portico adopt /etc/nginx/sites-enabled/shop"
        raise UsageError(Problem(path, "no such file or directory", hint))
    return Path(path)
