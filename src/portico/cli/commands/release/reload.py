"""`portico reload`: deploys new code and configuration without losing a request."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from portico.cli import output
from portico.cli.completion import folders
from portico.cli.notices import answer
from portico.cli.running import running_site, runtime_of
from portico.errors import FAILED, Problem, UsageError
from portico.project.running import absent
from portico.protocol import notices
from portico.protocol.commands import ABORT, PROMOTE, RELOAD, ROLLBACK, START, A, Command, OfSite, Reload
from portico.protocol.notices import Notice
from portico.run.control import client
from portico.run.disk import lock


@click.command("reload")
@running_site
@click.option(
    "--path",
    metavar="DIR",
    shell_complete=folders,
    help="Take the code from this directory, now and at later reloads.",
)
@click.option(
    "--canary",
    metavar="SHARE",
    help="Give the new release a share of the requests first: 10%, 20%, 30%, 40% or 50%.",
)
@click.option("--promote", is_flag=True, help="Give the canary all requests.")
@click.option("--abort", is_flag=True, help="Stop the canary.")
@click.option("--json", "is_json", is_flag=True, help="Each step as a line of JSON.")
def command(
    app: str | None,
    config: str | None,
    name: str,
    path: str | None,
    canary: str | None,
    promote: bool,
    abort: bool,
    is_json: bool,
) -> None:
    """Start the new code beside the old, check its health, and switch to it.

    If the new release fails, the old one keeps serving; exit code 3 when it did not become healthy, 4
    when it could not be imported. The previous release is kept for five minutes: portico rollback.
    """
    _check_share(canary)
    if promote + abort + (path is not None or canary is not None) > 1:
        raise UsageError(
            Problem("", "--promote and --abort take no other options", "reload first, then promote or abort")
        )
    if path == "":
        raise UsageError(Problem("--path", "names no directory", "name the directory of the new release"))
    runtime = runtime_of(app, config, name)
    if promote or abort:
        follow(runtime, PROMOTE if promote else ABORT, is_json=is_json)
    if lock.running(runtime) is None and (found := absent(runtime)):
        # The site does not run, and its gateway knows why: this command tries to start it again.
        follow(found.gateway, START, OfSite(found.status.name), is_json=is_json)
    asked = Reload(str(Path(path).absolute()) if path else "", (canary or "").removesuffix("%"))
    follow(runtime, RELOAD, asked, is_json=is_json)


def _check_share(canary: str | None) -> None:
    """Raises UsageError for a share that a canary cannot have."""
    if canary is not None and canary.removesuffix("%") not in ("10", "20", "30", "40", "50"):
        problem = Problem(
            "--canary", f'"{canary}" is not a possible share', "expected 10%, 20%, 30%, 40% or 50%"
        )
        raise UsageError(problem)


def follow(runtime: str, command: Command[A, Notice], args: A | None = None, *, is_json: bool) -> None:
    """Send the command, show each step, and exit with its result. Raises PorticoError if nothing runs."""
    code = FAILED  # until success is reported: the site may end before
    for item in client.ask(runtime, command, args):
        if isinstance(item, _DONE[command.name]):
            code = 0
        elif isinstance(item, notices.ReleaseDropped | notices.SiteDown):
            code = item.code if item.code > 0 else FAILED
        elif isinstance(item, notices.SiteRefused):
            code = FAILED
        output.result(output.as_json_line(notices.to_json(item)) if is_json else answer(item))
    sys.exit(code)


_DONE: dict[str, tuple[type[Notice], ...]] = {
    RELOAD.name: (notices.Switched, notices.CanaryServes, notices.SitesRead),
    START.name: (notices.SiteServes,),
    PROMOTE.name: (notices.Switched,),
    ABORT.name: (notices.CanaryLeft,),
    ROLLBACK.name: (notices.RolledBack, notices.CanaryLeft),
}
"""The notice that reports success."""
