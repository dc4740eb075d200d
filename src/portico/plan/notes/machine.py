"""Effects of the machine, its limits and the environment on a site."""

from __future__ import annotations

from collections.abc import Iterator

from portico.plan.web.model import Web
from portico.plan.web.sizes import connections
from portico.site.variables import is_cause

_FEW = 1024
"""Connections of an nginx worker unless the file limit is low."""


def left_out(web: Web) -> Iterator[str]:
    """Environment variables that would override the plan."""
    if names := ", ".join(web.place.variables_of_tools):
        yield f"not passed on: {names} of the environment, which would override the plan; portico.toml has options"


def options_of_the_environment(web: Web) -> Iterator[str]:
    """Which options the environment has set, and which variables look like some: never their values."""
    if names := sorted(one for one in set(web.site.causes.values()) if is_cause(one)):
        yield f"options of the environment: {', '.join(one.partition(' ')[0] for one in names)}"
    if strange := ", ".join(web.place.unknown_options):
        yield f"of the environment, no option and not used: {strange}"


def variables_left_out(web: Web) -> Iterator[str]:
    """What .env has that the app does not get."""
    yield from web.site.environment.left_out


def short_lived(web: Web) -> Iterator[str]:
    """A runtime directory that is deleted when the user logs out."""
    if web.place.ends_with_session:
        ways = "loginctl enable-linger keeps it, PORTICO_RUNTIME_DIR names another"
        yield f"{web.place.runtime} is removed when you log out, and the site ends: {ways}"


def other_python(web: Web) -> Iterator[str]:
    """Which Python runs the app, if it is not Portico's own."""
    place = web.place
    if not web.site.has_app:
        return
    if place.app_python:
        yield f"the app runs with {place.app_python} ({place.app_python_why}); Portico with {place.python}"
    if place.unusable_venv:
        what = f"{place.unusable_venv} is not used, its Python cannot be reached: the app runs with {place.python}"
        yield f"{what}; make it again with python3 -m venv, or remove it"


def exposed(web: Web) -> Iterator[str]:
    """Code that root runs and others can change."""
    if where := web.place.exposed:
        yield f"root runs Python and Portico from a place that others can change: {where}"


def few_connections(web: Web) -> Iterator[str]:
    """A file limit that allows few connections."""
    number = connections(web.place)
    if number < _FEW:
        yield f"only {number} connections fit the file limit of {web.place.file_limit}; raise it with ulimit -n"
