"""What a Flask app does with a path that none of its rules matches: hooks run, and an error handler answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import flask
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import Map

from portico.link.app.facts.flask_own_code import ON_THE_WAY, is_flasks
from portico.link.app.facts.own_answers import gives_back, never_answers, overridden, place, refuses

_MORE = ("create_url_adapter", "raise_routing_exception", "add_url_rule")
_OF_REQUEST = ("__init__", "path", "method")
"""Attributes that an app's own request class may override, so that another path is looked up."""


def unrouted(app: flask.Flask, rules: list[dict[str, Any]]) -> dict[str, Any]:
    """`facts.Unrouted` of the app, with those rules."""
    pages = list(_handlers(app))
    unsure = list(dict.fromkeys(name for name, is_sure in pages if not is_sure))
    return {
        "rules": rules,
        "slashes": "append",
        "merges": True,
        "answers": [*_hooks(app), *_replaced(app), *unsure],
        "page": next((name for name, is_sure in pages if is_sure), ""),
    }


def _hooks(app: flask.Flask) -> Iterator[str]:
    before = app.before_request_funcs.get(None, ())
    values = app.url_value_preprocessors.get(None, ())
    for kind, functions, is_harmless in (
        ("before_request", before, never_answers),
        ("url_value_preprocessor", values, never_answers),
        ("after_request", app.after_request_funcs.get(None, ()), gives_back),
    ):
        yield from (f"{kind} {place(one)}" for one in functions if not is_harmless(one))


def _handlers(app: flask.Flask) -> Iterator[tuple[str, bool]]:
    """The code that answers 404 and 405, and whether those statuses are certain."""
    table = app.error_handler_spec[None]
    for code, error in ((404, NotFound), (405, MethodNotAllowed)):
        found = next(
            (one for number in (code, None) if (one := _handler(table.get(number, {}), error))), None
        )
        if found is not None:
            yield f"the error handler {place(found)}", refuses(found)


def _handler(table: Any, error: type[HTTPException]) -> Any:
    return next((table[one] for one in error.__mro__ if one in table), None)


def _replaced(app: flask.Flask) -> Iterator[str]:
    for name in overridden(app, (*ON_THE_WAY, *_MORE), is_flasks):
        if name != "wsgi_app":  # `link.app.facts.wrappers` checks that
            yield f"{type(app).__name__}.{name} is the app's own"
    if type(app.url_map) is not Map:
        yield f"its URL map is a {type(app.url_map).__qualname__}"
    made_of = app.request_class
    if any(getattr(made_of, name, None) is not getattr(flask.Request, name, None) for name in _OF_REQUEST):
        yield f"its requests are of a class of its own, {made_of.__qualname__}"
