"""The supported languages: one for each gateway (`plan.gateway.kinds`). No other module names one."""

from __future__ import annotations

from pathlib import Path

from portico.explain.httpd.language import HTTPD
from portico.explain.language import Language
from portico.explain.nginx.language import NGINX
from portico.plan.model import Plan
from portico.reading import ordinary

LANGUAGES = (NGINX, HTTPD)


def language_of(plan: Plan) -> Language:
    """The language of the gateway of a plan."""
    return language_named(plan.gateway.name)


def language_named(program: str) -> Language:
    return next(language for language in LANGUAGES if language.name == program)


def language_in(directory: Path) -> Language:
    """The language whose first file is in that directory."""
    return next((one for one in LANGUAGES if (directory / one.main).exists()), LANGUAGES[0])


def language_of_file(path: Path) -> Language:
    """The language of most lines of a file, or else the first, whose error message helps."""
    try:
        text = ordinary(path).decode("utf-8", "replace")
    except (OSError, ValueError):
        text = ""
    return max(LANGUAGES, key=lambda language: len(language.recognised.findall(text)))


def first_file(path: Path) -> Path:
    """The file itself, or the one of a directory that a web server reads first."""
    places = (path / name for language in LANGUAGES for name in language.mains)
    return next((one for one in places if one.is_file()), path) if path.is_dir() else path
