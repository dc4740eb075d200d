"""How browsers may cache a Flask app's static files: the app is asked for a URL, as its templates do."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import flask

_MOST_FILES = 200


def version_arguments(app: flask.Flask) -> list[str]:
    """Names of the query arguments that `url_for("static", ...)` adds: ["v"] for /static/app.css?v=1f3a."""
    name = _a_file(app.static_folder) if app.has_static_folder else ""
    if not name or "static" not in app.view_functions:
        return []
    try:
        with app.test_request_context("/"):
            url = flask.url_for("static", filename=name)
    except Exception:  # noqa: BLE001  the app's own code; without an answer nothing is assumed
        return []
    return sorted({key for key, value in parse_qsl(urlsplit(url).query) if value and key.isidentifier()})


def max_age(app: flask.Flask) -> int | None:
    """SEND_FILE_MAX_AGE_DEFAULT in seconds; None if browsers must revalidate."""
    said: Any = app.config.get("SEND_FILE_MAX_AGE_DEFAULT")
    seconds = said.total_seconds() if isinstance(said, timedelta) else said
    return int(seconds) if isinstance(seconds, int | float) and seconds > 0 else None


def _a_file(folder: str | None) -> str:
    """A file below the folder that is not hidden, by its path in it."""
    seen = 0
    for root, folders, files in os.walk(folder or ""):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                return os.path.relpath(os.path.join(root, name), folder)  # noqa: PTH118  as os.walk has it
        seen += len(folders)
        if seen > _MOST_FILES:
            break
    return ""
