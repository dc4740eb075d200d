"""The layers of WSGI middleware."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

_INNER = ("app", "wsgi_app", "application", "_app", "wrapped", "__wrapped__")
_MOST_LAYERS = 8


def layers(application: Any) -> Iterator[Any]:
    """The app, then the app that it wraps, level by level."""
    for _ in range(_MOST_LAYERS):
        yield application
        application = _inner(application)
        if application is None:
            return


def _inner(application: Any) -> Any:
    """The app inside a WSGI middleware, under its usual attribute names; None if there is none."""
    if inspect.ismethod(application):
        return application.__self__  # app.wsgi_app
    own = getattr(application, "__dict__", {})
    return next((own[name] for name in _INNER if callable(own.get(name))), None)
