"""The supported languages: one for each gateway (`plan.gateway.kinds`). No other module names one."""

from __future__ import annotations

from pathlib import Path

from portico.errors import PorticoError, Problem
from portico.explain.language import Language
from portico.explain.nginx.language import NGINX
from portico.plan.model import Plan

LANGUAGES = (NGINX,)


def language_of(plan: Plan) -> Language:
    """The language of the gateway of a plan."""
    return language_named(plan.gateway.name)


def language_named(program: str) -> Language:
    found = next((language for language in LANGUAGES if language.name == program), None)
    if found is None:
        what = f"its configuration is not explained yet: Portico reads that of {LANGUAGES[0].name} alone"
        raise PorticoError(Problem(program, what, "the file itself has a reason for each line: portico plan"))
    return found


def language_in(directory: Path) -> Language:
    """The language whose first file is in that directory."""
    return next((one for one in LANGUAGES if (directory / one.main).exists()), LANGUAGES[0])


def language_of_file(path: Path) -> Language:
    """The language of a file, or else the first, whose error message helps."""
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        text = ""
    return next((language for language in LANGUAGES if language.recognised.search(text)), LANGUAGES[0])
