"""Code around an app and beside it that may answer paths which no rule of the app matches."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from portico.link.app.facts.mounts import is_dispatcher
from portico.link.app.facts.own_answers import passes_on, place
from portico.link.app.layers import layers
from portico.site.pattern import ANYTHING, escape

_PASSING = (
    "werkzeug.middleware.proxy_fix", "werkzeug.middleware.profiler", "werkzeug.middleware.lint",
    "sentry_sdk.", "opentelemetry.", "elasticapm.", "newrelic.", "flask.",
    "starlette.middleware.", "asgi_correlation_id.",
)  # fmt: skip
"""Middleware of packages that only observe, or change the proxy headers that the app sees."""
_MOST_ALONE = 200
"""The most WhiteNoise files that are listed one by one; beyond that their folders are."""


class Beside:
    """The findings, app by app."""

    def __init__(self) -> None:
        self.answers: list[str] = []
        self.rules: list[dict[str, Any]] = []

    def look(self, application: Any, is_asked: Callable[[Any], bool], prefix: str = "") -> bool:
        """Records what may answer below `prefix`; returns whether the app that was asked is in there."""
        seen = set[int]()
        return self._look(application, is_asked, prefix, seen)

    def _look(self, application: Any, is_asked: Callable[[Any], bool], prefix: str, seen: set[int]) -> bool:
        for thing in layers(application):
            if is_dispatcher(thing):
                return self._dispatcher(thing, is_asked, prefix, seen)
            if is_asked(thing):
                own = getattr(thing, "__dict__", {}).get("wsgi_app")
                if own is None or id(thing) in seen:
                    return True
                return self._look(own, is_asked, prefix, seen | {id(thing)})
            self._wrapper(thing, prefix)
        return False

    def _dispatcher(self, thing: Any, is_asked: Callable[[Any], bool], prefix: str, seen: set[int]) -> bool:
        found = False
        for path, mount in thing.mounts.items():
            below = prefix + path.rstrip("/")
            inner = Beside()
            if inner._look(mount, is_asked, below, seen):
                found = True
                self.answers += inner.answers
                self.rules += inner.rules
            else:
                self._open(below)
        inner = Beside()
        if inner._look(thing.app, is_asked, prefix, seen):
            self.answers += inner.answers
            self.rules += inner.rules
            return True
        if not _is_not_found(thing.app):
            self.answers.append(f"the app {place(thing.app)} beside the mounted ones")
        return found

    def _wrapper(self, thing: Any, prefix: str) -> None:
        module = f"{type(thing).__module__}."
        if inspect.ismethod(thing) or module.startswith(_PASSING):
            return
        if (path := getattr(thing, "engineio_path", None)) and module.startswith(_SOCKETS):
            self._open(f"{prefix}/{str(path).strip('/')}")
        elif module.startswith("whitenoise."):
            self._files(thing, prefix)
        elif not passes_on(thing if inspect.isfunction(thing) else type(thing).__call__):
            name = getattr(thing, "__qualname__", "") or type(thing).__qualname__
            self.answers.append(f"the app is wrapped in {name}")

    def _files(self, whitenoise: Any, prefix: str) -> None:
        files = getattr(whitenoise, "files", None)
        if getattr(whitenoise, "autorefresh", True) or not isinstance(files, dict):
            self.answers.append("WhiteNoise looks for a file at each path (autorefresh)")
        elif len(files) <= _MOST_ALONE:
            self.rules += [{"rule": prefix + url, "pattern": escape(prefix + url)} for url in sorted(files)]
        else:
            for folder in sorted({url[: url.rindex("/")] for url in files}):
                self._open(prefix + folder)

    def _open(self, prefix: str) -> None:
        self.rules.append({"rule": f"{prefix}/", "pattern": f"{escape(prefix)}(?:/{ANYTHING})?"})


_SOCKETS = ("flask_socketio.", "socketio.", "engineio.")


def _is_not_found(thing: Any) -> bool:
    """werkzeug.exceptions.NotFound as an app: the usual placeholder."""
    made_of = thing if inspect.isclass(thing) else type(thing)
    return (made_of.__module__, made_of.__name__) == ("werkzeug.exceptions", "NotFound")
