"""The functions of a module from its source: which look like views, and what they call."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

_ROUTES = frozenset({
    "route", "get", "post", "put", "patch", "delete", "head", "options", "websocket", "api_route", "on", "event",
    "before_request", "after_request", "teardown_request", "view_config", "view_defaults", "api_view", "expose",
    "callback", "require_POST", "require_GET", "require_http_methods", "csrf_exempt", "login_required", "middleware",
})  # fmt: skip
"""Decorators that make a function a view, or run it in every request."""
_NOT_A_ROUTE = frozenset({"click", "mock", "pytest", "cli", "typer", "celery", "atexit"})
_ARGUMENTS = frozenset({"request", "req", "environ", "scope"})
"""Names of a view's first argument: Django, Pyramid, Starlette, Falcon, WSGI, ASGI."""
_METHODS = re.compile(r"(on_)?(get|post|put|patch|delete)|dispatch|dispatch_request|render_(get|post)")

Definition = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, eq=False)
class Function:
    """One function or method; `nodes` are those of its own body, without nested functions."""

    module: ModuleType
    name: str
    line: int
    is_view: bool
    nodes: tuple[ast.AST, ...]
    local: frozenset[str]
    """Its local names, and those of a function around it."""
    globals: frozenset[str]
    calls: frozenset[tuple[str, str]]
    """The called functions by module and name; only the app's own if the module is known."""


def functions(module: ModuleType, source: str, known: set[tuple[str, str]]) -> list[Function]:
    """All functions of a module. `known` are views, by file and qualified name. None for source that is not valid
    Python.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    return list(_inside(module, tree, frozenset(), "", None, known))


def _inside(
    module: ModuleType,
    parent: ast.AST,
    around: frozenset[str],
    path: str,
    owner: ast.ClassDef | None,
    known: set[tuple[str, str]],
) -> Iterator[Function]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, Definition):
            name = f"{path}{node.name}"
            nodes = tuple(_own_nodes(node))
            declared = frozenset(one for each in nodes if isinstance(each, ast.Global) for one in each.names)
            local = (around | _bound(node, nodes)) - declared
            is_view = _is_view(node, owner) or (str(module.__file__), name) in known
            calls = frozenset(_calls(module, nodes))
            yield Function(module, node.name, node.lineno, is_view, nodes, local, declared, calls)
            yield from _inside(module, node, local, f"{name}.<locals>.", None, known)
        elif isinstance(node, ast.ClassDef):
            yield from _inside(module, node, around, f"{path}{node.name}.", node, known)
        else:
            yield from _inside(module, node, around, path, owner, known)


def _own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(function):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node
            yield from _own_nodes(node)


def _bound(function: Definition, nodes: tuple[ast.AST, ...]) -> frozenset[str]:
    """Arguments, and names that are assigned in it."""
    arguments = function.args
    every = [
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        arguments.vararg,
        arguments.kwarg,
    ]
    names = {one.arg for one in every if one}
    return frozenset(
        names | {one.id for one in nodes if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
    )


def _is_view(function: Definition, owner: ast.ClassDef | None) -> bool:
    if any(_is_route(one) for one in function.decorator_list):
        return True
    if owner and owner.bases and _METHODS.fullmatch(function.name):
        return True
    names = [
        one.arg for one in (*function.args.posonlyargs, *function.args.args) if one.arg not in ("self", "cls")
    ]
    if owner and function.name.startswith("on_") and _METHODS.fullmatch(function.name):
        return True
    return bool(names) and names[0] in _ARGUMENTS


def _is_route(decorator: ast.expr) -> bool:
    words = re.findall(r"\w+", ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator))
    return bool(words) and words[-1] in _ROUTES and not _NOT_A_ROUTE & set(words)


def _calls(module: ModuleType, nodes: tuple[ast.AST, ...]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Name):
            found = vars(module).get(called.id)
            if type(found) is FunctionType:  # any other object may run code when its attributes are read
                yield str(found.__module__), str(found.__name__)
            else:
                yield module.__name__, called.id
        elif isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
            owner: Any = vars(module).get(called.value.id)
            if issubclass(type(owner), ModuleType):
                yield owner.__name__, called.attr
            elif called.value.id in ("self", "cls"):
                yield module.__name__, called.attr
