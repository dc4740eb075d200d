"""The app's own command that creates or migrates its database, for apps that run without their tables."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

_MAKES = re.compile(
    r"(init|create|setup|make|migrate|upgrade)[-_]?(db|database|tables|schema)"
    r"|(db|database|tables|schema)[-_]?(init|create|setup|upgrade|migrate)"
)
_FOUND_BY_FLASK = ("app", "application", "create_app()", "make_app()")


def remedy(things: list[Any], uri: str, directory: Path) -> str:
    """The command to type in `directory`, empty if unknown. `things` are the app and what it wraps."""
    for thing in things:
        if (commands := _commands(thing)) and (words := _flask(commands)):
            module, _, expression = uri.partition(":")
            app = module if expression in _FOUND_BY_FLASK else uri
            return f"flask --app {shlex.quote(app)} {words}"
    if (directory / "manage.py").is_file() and any(_is_django(thing) for thing in things):
        return "python manage.py migrate"
    return "alembic upgrade head" if (directory / "alembic.ini").is_file() else ""


def _commands(thing: Any) -> list[str]:
    """The names of the commands that a Flask app has beside Flask's own; an app without `cli` has none."""
    found = getattr(getattr(thing, "cli", None), "commands", None)
    return sorted(map(str, found)) if isinstance(found, dict) else []


def _flask(commands: list[str]) -> str:
    if "db" in commands:  # Flask-Migrate's
        return "db upgrade"
    return next((name for name in commands if _MAKES.fullmatch(name)), "")


def _is_django(thing: Any) -> bool:
    return any(base.__module__.startswith("django.") for base in type(thing).__mro__)
