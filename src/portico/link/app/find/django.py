"""Finds a Django project's application. Its settings are read, not imported: only the app itself may run code."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from portico.link.app.error import AppError
from portico.link.app.find.named import text_of

_SETTINGS = re.compile(r"DJANGO_SETTINGS_MODULE['\"]\s*[,\]]\s*=?\s*['\"]([\w.]+)['\"]")
_APPLICATION = r"^{}_APPLICATION\s*=\s*['\"]([\w.]+)\.(\w+)['\"]"
_CHANNELS = re.compile(r"['\"](channels|daphne)(\.apps\.\w+)?['\"]")


def django_application(directory: Path) -> tuple[str, str] | None:
    """Module and name of the application of the project in `directory`; None if there is no project.

    With Channels it is the ASGI application: the WSGI one does not answer WebSockets. Raises AppError.
    """
    manage = directory / "manage.py"
    text = text_of(manage) if manage.is_file() else ""
    if "django" not in text.lower():
        return None  # other frameworks have a manage.py, too
    match = _SETTINGS.search(text)
    settings = os.environ.get("DJANGO_SETTINGS_MODULE") or (match[1] if match else "")
    sources = [text_of(file) for file in _settings_files(directory, settings)]
    kinds = ("ASGI", "WSGI") if any(_CHANNELS.search(text) for text in sources) else ("WSGI",)
    for kind in kinds:
        for source in sources:
            if found := re.search(_APPLICATION.format(kind), source, re.MULTILINE):
                return found[1], found[2]
    return _beside_settings(directory, settings)


def _settings_files(directory: Path, settings: str) -> Iterator[Path]:
    base = directory.joinpath(*settings.split(".")) if settings else directory
    for file in (
        base.with_name(f"{base.name}.py"),
        base / "__init__.py",
        base.with_name("base.py"),
        base / "base.py",
    ):
        if file.is_file():
            yield file


def _beside_settings(directory: Path, settings: str) -> tuple[str, str]:
    project = settings.partition(".")[0]
    projects = [file.parent.name for file in sorted(directory.glob("*/wsgi.py"))]
    if project in projects or len(projects) == 1:
        return f"{project if project in projects else projects[0]}.wsgi", ""
    raise AppError(
        str(directory / "manage.py"),
        "this Django project has no WSGI application",
        "searched: WSGI_APPLICATION in the settings, and a wsgi.py beside them\n"
        "name it: portico run project.wsgi:application",
    )
