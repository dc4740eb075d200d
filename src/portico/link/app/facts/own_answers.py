"""What the app's own functions may answer, read from their source: hooks, error handlers, middleware.

Only the function itself is read, not what it calls. A function without readable source may answer anything.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

_STATUSES = (404, 405)
_ENDS = ("abort",)
"""Calls that answer without `return`."""
_STEERS = frozenset(
    {"path", "path_info", "urlconf", "method", "status", "status_code", "url_rule", "script_root"}
)
"""Attributes that change a request's target or an answer's content."""
_KEYS = frozenset({
    "PATH_INFO", "SCRIPT_NAME", "REQUEST_METHOD", "REQUEST_URI", "path", "method", "root_path", "type", "status",
})  # fmt: skip
"""The same as keys of an environ, a scope, a message."""
_NEXT = ("get_response", "call_next", "handler", "app", "wsgi_app", "application")
"""Names that middleware gives the app that it wraps."""
_SAID = ("status", "status_code", "status_int")
_OF_FRAMEWORKS = ("http_exception_handler", "page_not_found")
"""Error handlers of frameworks, which an app's own handlers may call."""
_SENDERS = ("send", "start_response")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def never_answers(function: Any) -> bool:
    """A hook before the view that always lets the request pass."""
    tree = _tree(function)
    return tree is not None and all(map(_is_none, _returns(tree))) and not _ends(tree)


def gives_back(function: Any) -> bool:
    """A hook after the view that returns the answer it got (its last argument), with the same status."""
    tree = _tree(function)
    if tree is None or not tree.args.args:
        return False
    given = tree.args.args[-1].arg
    found = list(_returns(tree))
    kept = all(isinstance(one, ast.Name) and one.id == given for one in found)
    return kept and bool(found) and not _ends(tree) and not _steers(tree) and given not in _assigned(tree)


def refuses(function: Any) -> bool:
    """An error handler that always answers 404 or 405: `return page, 404`, or the error itself."""
    tree = _tree(function)
    if tree is None or not tree.args.args:
        return False
    errors = {argument.arg for argument in tree.args.args}
    found = list(_returns(tree))
    made = {
        name for name, values in _values(tree).items() if all(_says_refused(one, errors) for one in values)
    }
    if _steers(tree) or _ends(tree) or errors & _assigned(tree):
        return False
    return bool(found) and all(_says_refused(one, errors | made) for one in found)


def sets_refused(function: Any) -> bool:
    """A view that sets the status of its own answer to 404: `request.response.status = 404`."""
    tree = _tree(function)
    if tree is None or _ends(tree):
        return False
    said = [
        one.value
        for one in _inside(tree)
        if isinstance(one, ast.Assign)
        for target in one.targets
        if isinstance(target, ast.Attribute) and target.attr in _SAID
    ]
    return bool(said) and all(isinstance(one, ast.Constant) and str(one.value)[:3] == "404" for one in said)


def passes_on(function: Any) -> bool:
    """A middleware that always returns the answer of what it wraps."""
    tree = _tree(function)
    return tree is not None and _passes_on(tree)


def makes_passing(factory: Any) -> bool:
    """A function that makes such a middleware: `def middleware(get_response)` with a function in it."""
    tree = _tree(factory)
    inner = [one for one in tree.body if isinstance(one, _Function)] if tree else []
    return bool(inner) and all(map(_passes_on, inner))


def place(function: Any) -> str:
    """Its name and its place: `old_links (/srv/shop/app.py:12)`."""
    function = inspect.unwrap(function) if callable(function) else function
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    code = getattr(function, "__code__", None)
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if code else str(name)


def _tree(function: Any) -> _Function | None:
    function = getattr(function, "__func__", function)
    if (
        not inspect.isfunction(function)
        or hasattr(function, "__wrapped__")
        or inspect.isgeneratorfunction(function)
    ):
        return None
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError, ValueError):
        return None
    return tree if isinstance(tree, _Function) else None


def _inside(tree: ast.AST) -> Iterator[ast.AST]:
    """Everything in the function except nested functions."""
    for child in ast.iter_child_nodes(tree):
        yield child
        if not isinstance(child, _Function | ast.Lambda | ast.ClassDef):
            yield from _inside(child)


def _returns(tree: _Function) -> Iterator[ast.expr | None]:
    return (one.value for one in _inside(tree) if isinstance(one, ast.Return))


def _is_none(value: ast.expr | None) -> bool:
    return value is None or (isinstance(value, ast.Constant) and value.value is None)


def _ends(tree: _Function) -> bool:
    """Whether it raises an answer, or is a generator."""
    return any(
        isinstance(one, ast.Raise | ast.Yield | ast.YieldFrom)
        or (isinstance(one, ast.Call) and _name(one.func) in _ENDS)
        for one in _inside(tree)
    )


def _steers(tree: _Function) -> bool:
    """Whether it, or a nested function, changes the request's target or the answer's status."""
    return any(_is_steered(target) for one in ast.walk(tree) for target in _targets(one))


def _targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AugAssign | ast.AnnAssign) else []


def _is_steered(target: ast.expr) -> bool:
    if isinstance(target, ast.Tuple | ast.List):
        return any(map(_is_steered, target.elts))
    if isinstance(target, ast.Attribute):
        return target.attr in _STEERS
    key = target.slice if isinstance(target, ast.Subscript) else None
    return isinstance(target, ast.Subscript) and (not isinstance(key, ast.Constant) or key.value in _KEYS)


def _assigned(tree: _Function) -> set[str]:
    return {
        name.id
        for one in _inside(tree)
        for target in _targets(one)
        for name in ast.walk(target)
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
    }


def _values(tree: _Function) -> dict[str, list[ast.expr]]:
    """The values that each name of the function is set to."""
    made: dict[str, list[ast.expr]] = {}
    for one in _inside(tree):
        for target in _targets(one):
            if isinstance(target, ast.Name) and isinstance(one, ast.Assign):
                made.setdefault(target.id, []).append(one.value)
    return made


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _says_refused(value: ast.expr | None, errors: set[str]) -> bool:
    match value:
        case ast.Name(id=name):
            return name in errors
        case ast.Tuple(elts=[_, status, *_]):
            return _is_refusal(status, errors)
        case ast.Await(value=inner):
            return _says_refused(inner, errors)
        case ast.Call(func=function, args=[_, status, *_]) if _name(function) == "make_response":
            return _is_refusal(status, errors)
        case ast.Call(func=function, args=args) if _name(function) in _OF_FRAMEWORKS:
            return any(isinstance(one, ast.Name) and one.id in errors for one in args)
        case ast.Call(keywords=keywords):
            said = [keyword.value for keyword in keywords if keyword.arg in ("status", "status_code")]
            return bool(said) and _is_refusal(said[0], errors)
    return False


def _is_refusal(status: ast.expr, errors: set[str]) -> bool:
    match status:
        case ast.Constant(value=number):
            return number in _STATUSES
        case ast.Attribute(value=ast.Name(id=name), attr="code" | "status_code"):
            return name in errors
        case ast.Attribute(value=_, attr=name):
            return name in ("NOT_FOUND", "METHOD_NOT_ALLOWED", "HTTP_404_NOT_FOUND")
    return False


def _passes_on(tree: _Function) -> bool:
    answers = {
        target.id
        for one in _inside(tree)
        if isinstance(one, ast.Assign) and _is_next(one.value)
        for target in one.targets
        if isinstance(target, ast.Name)
    }
    others = {
        target.id
        for one in _inside(tree)
        for target in _targets(one)
        if isinstance(target, ast.Name) and not (isinstance(one, ast.Assign) and _is_next(one.value))
    }
    found = list(_returns(tree))
    is_kept = [
        _is_next(one) or (isinstance(one, ast.Name) and one.id in answers - others) or _is_none(one)
        for one in found
    ]
    calls = [one for one in _inside(tree) if isinstance(one, ast.Call)]
    asks = any(map(_is_next, calls)) and all(map(_is_next, filter(_sends, calls)))
    return asks and all(is_kept) and not _ends(tree) and not _steers(tree)


def _sends(call: ast.Call) -> bool:
    """Whether it passes on the callable that sends an answer."""
    return any(isinstance(one, ast.Name) and one.id in _SENDERS for one in call.args)


def _is_next(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Await):
        value = value.value
    return isinstance(value, ast.Call) and _name(value.func) in _NEXT


def overridden(thing: Any, names: tuple[str, ...], is_theirs: Callable[[Any], bool]) -> list[str]:
    """Those of the methods that are overridden."""
    return [name for name in names if hasattr(thing, name) and not is_theirs(getattr(thing, name))]
