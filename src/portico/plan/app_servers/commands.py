"""The commands of the app that are no app server: those before and after a release, and background processes."""

from __future__ import annotations

import shlex

from portico.place.model import Place
from portico.plan.files import Process
from portico.site.model import Site


def before_release(site: Site, place: Place) -> Process | None:
    """None without one."""
    command = site.options.release.before
    if not command or not site.has_app:
        return None
    why = "runs before a release is started; if it fails, the release is dropped"
    return _command(site, place, "before", command, why)


def after_release(site: Site, place: Place) -> Process | None:
    """None without one."""
    command = site.options.release.after
    if not command or not site.has_app:
        return None
    return _command(
        site, place, "after", command, "runs once the release serves; its failure changes nothing"
    )


def background(site: Site, place: Place) -> dict[str, Process]:
    """By the names of [processes]."""
    if not site.has_app:
        return {}
    why = "runs beside the app while its release serves"
    return {
        name: _command(site, place, f"process {name}", command, why)
        for name, command in site.options.processes.items()
    }


def _command(site: Site, place: Place, name: str, command: str, why: str) -> Process:
    """With the app's user, directory and environment."""
    named = {"FLASK_APP": site.facts.app} if site.facts.kind == "flask" else {}
    return Process(
        name=name,
        argv=tuple(shlex.split(command)),
        cwd=site.facts.directory,
        env={"PYTHONUNBUFFERED": "1", **named, **place.app_env},
        user=place.app_user,
        secrets=site.environment.values,
        why=why,
        python=place.runs_app,
    )
