"""Whether a Flask app's own code handles its static files: hooks, middleware, overridden methods."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flask
from flask.sessions import SecureCookieSessionInterface

_FLASK = Path(str(flask.__file__)).parent
ON_THE_WAY = (
    "__call__", "wsgi_app", "request_context", "full_dispatch_request", "preprocess_request", "dispatch_request",
    "handle_user_exception", "handle_exception", "handle_http_exception", "make_response", "finalize_request",
    "process_response", "ensure_sync", "get_send_file_max_age",
)  # fmt: skip
"""Methods that handle a request for a static file; some apps and extensions override one."""
_SIGNALS = ("request_started", "request_finished", "appcontext_pushed")

Owner = flask.Flask | flask.Blueprint


def is_plain(view: Any, owner: Owner) -> bool:
    """True for Flask's own view of static files; a decorated or replaced one may require a login."""
    return all(is_flasks(function) for function in (view, owner.send_static_file))


def is_guarded(app: flask.Flask, owner: Owner, endpoint: str) -> bool:
    """Whether anything but Flask's own code handles a request for a file of `owner`, or its answer."""
    return (
        _has_hooks(app, endpoint)
        or not all(is_flasks(getattr(app, name, None)) for name in ON_THE_WAY if hasattr(flask.Flask, name))
        or not is_flasks(owner.get_send_file_max_age)
        or app.request_class is not flask.Request
        or app.response_class is not flask.Response
        or type(app.session_interface) is not SecureCookieSessionInterface
        or any(getattr(flask, name).receivers for name in _SIGNALS)
    )


def _has_hooks(app: flask.Flask, endpoint: str) -> bool:
    """Functions before and after the view, of the app and of each blueprint around the endpoint."""
    names: list[str | None] = [None]
    inside = endpoint.rpartition(".")[0]
    while inside:
        names.append(inside)
        inside = inside.rpartition(".")[0]
    tables = (app.before_request_funcs, app.after_request_funcs, app.url_value_preprocessors)
    return any(table.get(name) for table in tables for name in names)


def is_flasks(function: Any) -> bool:
    code = getattr(function, "__code__", None)
    return code is not None and Path(code.co_filename).is_relative_to(_FLASK)
