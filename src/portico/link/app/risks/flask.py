"""What a Flask app exposes; Quart has the same names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from portico.link.app.risks.risks import Risk, risk
from portico.link.app.risks.secret_keys import NAMES


def risks(app: Any) -> Iterator[Risk]:
    if app.debug:
        said = " (FLASK_DEBUG says so)" if os.environ.get("FLASK_DEBUG") else ""
        what = f"the app's debug mode is on{said}: it is for one developer on one machine"
        yield risk("debug", what, "leave FLASK_DEBUG unset, and set neither app.debug nor DEBUG")
    if app.testing:
        yield risk(
            "testing", "TESTING is on: errors are not handled as they will be", "set it in tests alone"
        )
    if "debugtoolbar" in (getattr(app, "extensions", None) or {}) or "debugtoolbar" in getattr(
        app, "blueprints", {}
    ):
        yield risk(
            "debug", "the debug toolbar shows queries, settings and source", "leave Flask-DebugToolbar out"
        )


def keys(app: Any) -> Iterator[tuple[str, Any]]:
    return ((name, app.config[name]) for name in NAMES if app.config.get(name))
