"""The commands of [release] and background processes, where each runs in a container of its own. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from portico.errors import Problem, UsageError
from portico.plan.files import Process
from portico.plan.model import Plan
from portico.site.model import Site


class Before(Struct, frozen=True):
    """The words of the container, and the environment that they need beside the app's own."""

    words: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


def before(site: Site, plan: Plan, words: Sequence[str]) -> Before | None:
    """`words` are those after `portico run` in a container of the app. None for a site without such a command.

    Raises UsageError where the container would show a secret, or would not have the app's environment.
    """
    if not plan.before:
        return None
    return _contained(site, plan.before, site.cause("release.before"), words)


def after(site: Site, plan: Plan, words: Sequence[str]) -> Before | None:
    """The same for the command after a release."""
    if not plan.after:
        return None
    return _contained(site, plan.after, site.cause("release.after"), words)


def processes(site: Site, plan: Plan, words: Sequence[str]) -> dict[str, Before]:
    """The same for the background processes, by their names."""
    cause = site.cause("processes")
    return {name: _contained(site, one, cause, words) for name, one in plan.background.items()}


def refuse_passwords(site: Site, plan: Plan) -> None:
    """Raises UsageError if a command of the site, which an image contains, is a URL with a password."""
    for process, key in ((plan.before, "release.before"), (plan.after, "release.after")):
        if process:
            _refuse_password(process, site.cause(key))
    for process in plan.background.values():
        _refuse_password(process, site.cause("processes"))


def _refuse_password(process: Process, cause: str) -> None:
    if process.shows_password:
        hint = "keep the URL in a variable of env_file, and write: sh -c '... \"$DATABASE_URL\"'"
        raise UsageError(Problem(cause, "its password would stand in what is exported", hint))


def _contained(site: Site, process: Process, cause: str, words: Sequence[str]) -> Before:
    command = process.argv
    _refuse_password(process, cause)
    if site.causes.get("env_file", "").startswith("--"):
        what = f"the container of {command[0]} reads portico.toml, and would not have these variables"
        raise UsageError(Problem("--env-file", what, "write env_file into portico.toml"))
    at = words.index("--config") if "--config" in words else len(words)
    is_here = site.facts.directory == site.directory
    named = {"FLASK_APP": site.facts.app} if site.facts.kind == "flask" and is_here else {}
    return Before(("portico", "exec", *words[at : at + 2], *command), named)
