"""Finds the app object of a module: the named one, or the one that the flask command would choose."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from portico.link.app.error import AppError, nearest
from portico.link.app.find.factory import Arguments, call, is_factory, kind_of
from portico.link.app.find.find import Target
from portico.link.app.find.foreign import is_foreign, refuse_foreign
from portico.link.app.layers import layers
from portico.link.app.objects import is_a

_APP_NAMES = ("app", "application")
_FACTORY_NAMES = ("create_app", "make_app")  # both as in flask.cli.find_best_app
_APP_CLASSES = {
    ("flask.app", "Flask"), ("quart.app", "Quart"), ("starlette.applications", "Starlette"), ("falcon.app", "App"),
    ("bottle", "Bottle"), ("sanic.app", "Sanic"), ("dash.dash", "Dash"), ("pyramid.router", "Router"),
    ("litestar.app", "Litestar"), ("cherrypy._cptree", "Application"), ("django.core.handlers.base", "BaseHandler"),
}  # fmt: skip
_BOTTLE_S = ("bottle", "AppStack")
"""`bottle.app` and `bottle.default_app`: a call returns the app of `@route`."""
_SEARCHED = "searched: app, application, an object of Flask, create_app(), make_app()"
_WITHOUT_A_NAME = {
    "bottle": "app = bottle.default_app()",
    "cherrypy": 'app = cherrypy.tree.mount(Root(), "/")',
}


def resolve(module: ModuleType, target: Target) -> tuple[str, Any]:
    """The app in `module`, and its expression: `app`, `create_app()`. Raises AppError."""
    if not target.expression:
        return _guess(module)
    name, arguments = _parse(target)
    thing = _attribute(module, name, target)
    refuse_foreign(f"{module.__name__}:{name}", thing)
    _refuse_uncallable(module, name, thing)
    if arguments is None:
        return _as_app(module, name, thing)
    return target.expression, call(module.__name__, name, thing, arguments)


def _parse(target: Target) -> tuple[str, Arguments | None]:
    """Splits `name` or `name(literals)`: the two forms that gunicorn.util.import_app accepts."""
    if target.expression.isidentifier():
        return target.expression, None
    import ast

    try:
        tree = ast.parse(target.expression, mode="eval").body
        if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
            named = {word.arg: ast.literal_eval(word.value) for word in tree.keywords if word.arg}
            return tree.func.id, Arguments(tuple(map(ast.literal_eval, tree.args)), named)
    except (SyntaxError, ValueError):
        raise _not_literal(target) from None
    raise _not_a_name(target)


def _not_literal(target: Target) -> AppError:
    what = f"'{target.expression}' is neither a name nor a call with plain values"
    return AppError(
        target.reference, what, "expected app, create_app() or create_app('production', debug=False)"
    )


def _not_a_name(target: Target) -> AppError:
    what = f"'{target.expression}' is not a plain name, and Gunicorn takes no other"
    line = f"add a line to {target.module}: app = {target.expression}"
    return AppError(target.reference, what, f"{line}\nthen type: portico run {target.module}:app")


def _attribute(module: ModuleType, name: str, target: Target) -> Any:
    try:
        return getattr(module, name)
    except AttributeError:
        hint = nearest(name, _offers(module), f"'{module.__name__}' has", f"{module.__name__}:{{}}")
        what = f"the module '{module.__name__}' has no '{name}'"
        raise AppError(
            target.reference, what, hint or "nothing in it is an app: name another module"
        ) from None


def _refuse_uncallable(module: ModuleType, name: str, thing: object) -> None:
    where = f"{module.__name__}:{name}"
    if isinstance(thing, ModuleType):
        hint = f"type: portico run {thing.__name__}"
        raise AppError(where, f"'{name}' is a module, not an app", hint)
    if not callable(thing):
        hint = nearest(name, _offers(module), "what can be called there", f"{module.__name__}:{{}}")
        what = f"'{name}' is {kind_of(thing)}, not an app"
        raise AppError(where, what, hint or "an app is called with (environ, start_response)")


def _as_app(module: ModuleType, name: str, thing: Any) -> tuple[str, Any]:
    """`thing` itself, or its result if it is a factory named without its parentheses."""
    if is_framework(thing) or not is_factory(thing):
        return name, thing
    return f"{name}()", call(module.__name__, name, thing)


def _offers(module: ModuleType) -> list[str]:
    """Names that the user may have meant: apps, and callables made in the module itself."""
    return sorted(name for name, thing in vars(module).items() if _is_offer(module, name, thing))


def _is_offer(module: ModuleType, name: str, thing: object) -> bool:
    if name.startswith("_") or not callable(thing):
        return False
    return getattr(thing, "__module__", "") == module.__name__ or is_framework(thing) or name in _APP_NAMES


def is_framework(thing: object) -> bool:
    """True for an application object of a known framework; checked by class name, so nothing is imported."""
    return any((base.__module__, base.__name__) in _APP_CLASSES for base in type(thing).__mro__)


# No name given --------------------------------------------------------------------------------------------


def _guess(module: ModuleType) -> tuple[str, Any]:
    """`app`, `application`, the only Flask app, a factory: the order of flask.cli.find_best_app."""
    apps = [name for name, thing in vars(module).items() if is_framework(thing)]
    named = [name for name in _APP_NAMES if _is_app(getattr(module, name, None))]
    best = [name for name in named if name in apps] or _distinct(module, apps) or named
    best = _around(module, best, named) or best
    if len(best) > 1 and best[0] not in _APP_NAMES:
        hint = f"say which: portico run {module.__name__}:{best[0]}"
        raise AppError(module.__name__, f"there are {len(best)} apps in it: {', '.join(best)}", hint)
    return (best[0], getattr(module, best[0])) if best else _guess_factory(module)


def _around(module: ModuleType, best: list[str], named: list[str]) -> list[str]:
    """The middleware called `app` around the only app of a module. The flask command takes the inner app, and would
    skip the middleware's protection.
    """
    if len(best) != 1 or best[0] in named:
        return []
    inside = getattr(module, best[0])
    return [name for name in named if any(layer is inside for layer in layers(getattr(module, name)))][:1]


def _is_app(thing: object) -> bool:
    if is_foreign(thing):
        return True  # the name says that it is one
    if is_a(thing, _BOTTLE_S):
        return False
    return callable(thing) and not isinstance(thing, (ModuleType, type)) and not is_factory(thing)


def _distinct(module: ModuleType, names: list[str]) -> list[str]:
    """One name for each app: two names of one object leave nothing to choose."""
    return list({id(getattr(module, name)): name for name in reversed(names)}.values())[::-1]


def _guess_factory(module: ModuleType) -> tuple[str, Any]:
    stacks = [name for name, thing in vars(module).items() if is_a(thing, _BOTTLE_S)]
    for name in (*_FACTORY_NAMES, *_APP_NAMES, *stacks):
        thing = getattr(module, name, None)
        if callable(thing):
            return f"{name}()", call(module.__name__, name, thing)
    offer = next(iter(_offers(module)), "NAME")
    for name, line in _WITHOUT_A_NAME.items():
        if isinstance(vars(module).get(name), ModuleType):
            raise AppError(
                module.__name__, f"its {name} app has no name in this module", f"add a line to it: {line}"
            )
    hint = f"{_SEARCHED}\nname it: portico run {module.__name__}:{offer}"
    raise AppError(module.__name__, "there is no app in this module", hint)
