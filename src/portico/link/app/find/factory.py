"""App factories: recognizes them, calls them, and explains a failed call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from portico.link.app.error import AppError
from portico.link.app.find.foreign import DASH, refuse_foreign
from portico.link.app.objects import is_a

_FACTORY_NAME = ("create_app", "make_app", "main")
_PLACEHOLDERS = {"global_config": "{}"}  # PasteDeploy's, which Pyramid's main() takes and does not need
_APP_PARAMETERS = (2, 3)  # WSGI: environ, start_response; ASGI: scope, receive, send


class Arguments(NamedTuple):
    """The literals a factory is called with."""

    positional: tuple[Any, ...] = ()
    named: Mapping[str, Any] = {}


def is_factory(thing: Any) -> bool:
    """True for a function or class that makes an app, as far as its parameters tell."""
    if not (inspect.isfunction(thing) or inspect.isclass(thing)) or inspect.iscoroutinefunction(thing):
        return False
    required = _required(thing)
    return thing.__name__ in _FACTORY_NAME or (required is not None and len(required) not in _APP_PARAMETERS)


def call(module: str, name: str, factory: Any, arguments: Arguments = Arguments()) -> Any:  # noqa: B008  immutable
    """The app that `factory` returns. Raises AppError."""
    where = f"{module}:{name}()"
    _check_arguments(module, name, factory, arguments)
    try:
        application = factory(*arguments.positional, **arguments.named)
    except AppError:
        raise
    except BaseException as error:  # noqa: BLE001  whatever an app does is its author's to see
        raise _failed(where, error) from None
    refuse_foreign(where, application)
    if not callable(application) and not is_a(application, DASH):
        what = f"it returned {kind_of(application)} instead of an app"
        hint = "name the app itself, or a function that ends with: return app"
        raise AppError(where, what, hint, is_import=True)
    return application


def kind_of(thing: object) -> str:
    """`None`, `a str`, `an int`: the type of a thing, for a sentence."""
    name = type(thing).__name__
    if thing is None:
        return "None"
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"


def _failed(where: str, error: BaseException) -> AppError:
    from portico.link.app.frames import own_traceback

    what = f"it asked to exit: sys.exit({error.code!r})" if isinstance(error, SystemExit) else "it failed"
    return AppError(where, what, "", own_traceback(error), is_import=True)


def _check_arguments(module: str, name: str, factory: Callable[..., Any], arguments: Arguments) -> None:
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):
        return  # written in C: only the call itself can tell
    try:
        signature.bind(*arguments.positional, **arguments.named)
    except TypeError as error:
        what, hint = (
            f"{name}{signature} cannot be called like this: {error}",
            _what_to_type(module, name, factory),
        )
        if not (inspect.isroutine(factory) or inspect.isclass(factory)):
            what, hint = f"'{name}' is {kind_of(factory)}, not a factory", f"did you mean '{module}:{name}'?"
        raise AppError(f"{module}:{name}()", what, hint) from None


def _what_to_type(module: str, name: str, factory: Callable[..., Any]) -> str:
    words = [_PLACEHOLDERS.get(word, word.upper()) for word in _required(factory) or ()]
    if not words:
        return f"type: portico run '{module}:{name}()'"
    return (
        f"type it with plain values: portico run '{module}:{name}({', '.join(words)})'\n"
        f"or make the app in a file of its own, wsgi.py: from {module} import {name}; app = {name}(...)"
    )


def _required(thing: Callable[..., Any]) -> list[str] | None:
    """Names of the parameters that a call must pass; None if Python cannot tell."""
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return None
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [item.name for item in parameters if item.default is item.empty and item.kind not in variable]
