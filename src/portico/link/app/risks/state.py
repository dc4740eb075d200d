"""Module variables that requests write: each worker has its own copy of them.

The app is imported already, so names are looked up; the behaviour of a function is read from its source (`ast`).
Only writes in a view, or in a function that a view calls, are reported: what is written at import (registries,
decorators) is the same in every worker. A value that is computed once and reused (`if key not in CACHE`) does no
harm, either.
"""

from __future__ import annotations

import ast
import re
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from portico.link.app.objects import own_modules
from portico.link.app.risks.functions import Function, functions

_CONTAINERS = (dict, list, set, bytearray, Counter, OrderedDict, defaultdict, deque)
_NUMBERS = (int, float)
_MUTATORS = frozenset({
    "append", "appendleft", "add", "extend", "insert", "update", "pop", "popleft", "popitem", "remove", "discard",
    "clear",
})  # fmt: skip
_KEPT = re.compile(
    r"cache|memo|regist|lock|pool|plugin|compiled|singleton|instance|handlers|metric", re.IGNORECASE
)
"""Names of variables that each process may well have for itself."""
_MOST_BYTES = 512 << 10
"""The limit of source that is read at each start: it takes a third of a second. The rest is not read."""
_IN_FUNCTIONS = re.compile(r"^(?:[ \t]|def |async |class ).*$", re.MULTILINE)


class Write(NamedTuple):
    """A module variable, and where a request writes it: `place` is `shop.py:14`, `function` its name."""

    name: str
    place: str
    function: str


def writes(directory: Path, views: Iterable[Any] = ()) -> list[Write]:
    """The app's own module variables that requests write, one entry each, in the order of their places.

    `views` are known views, beside functions that look like views.
    """
    modules = [one for one in own_modules(directory) if not one.__name__.startswith("test")]
    sources = dict(_sources(modules))
    names = {name for module in modules for name in _candidates(module, sources.get(module, ""))}
    if not any(_mentions(text, names) for text in sources.values()):
        return []
    known = {(code.co_filename, code.co_qualname) for view in views if (code := _code(view))}
    every = [function for module, text in sources.items() for function in functions(module, text, known)]
    found: dict[object, Write] = {}
    for function in _in_requests(every):
        for key, name, line in _writes(function):
            place = f"{Path(str(function.module.__file__)).relative_to(directory)}:{line}"
            found.setdefault(key, Write(name, place, function.name))
    return sorted(found.values(), key=lambda one: one.place)


def _sources(modules: Iterable[ModuleType]) -> Iterator[tuple[ModuleType, str]]:
    total = 0
    for module in modules:
        path = Path(str(module.__file__))
        try:
            total += path.stat().st_size
            if path.suffix == ".py" and total <= _MOST_BYTES:
                yield module, path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue


def _candidates(module: ModuleType, source: str) -> set[str]:
    names = {name for name, value in list(vars(module).items()) if type(value) in _CONTAINERS}
    names |= {
        name
        for name, value in list(vars(module).items())
        if issubclass(type(value), type)  # a lazy object would run code when asked for its class
        and value.__module__ == module.__name__
        and any(map(_is_state, vars(value).values()))
    }
    for line in re.findall(r"\bglobal\s+([\w, ]+)", source):
        names |= {name.strip() for name in line.split(",")}
    return {name for name in names if not name.startswith("__") and not _KEPT.search(name)}


def _is_state(value: object) -> bool:
    return type(value) in _CONTAINERS


def _mentions(source: str, names: set[str]) -> bool:
    """Whether a line of a function roughly contains one of the names."""
    lines = _IN_FUNCTIONS.findall(source)
    return bool(names & {word for line in lines for word in re.findall(r"\w+", line)})


def _code(view: Any) -> Any:
    while hasattr(view, "__wrapped__"):
        view = view.__wrapped__
    return getattr(getattr(view, "__func__", view), "__code__", None)


def _in_requests(every: list[Function]) -> list[Function]:
    """The views, and the functions that they call, as far as names identify them."""
    by_name: dict[tuple[str, str], list[Function]] = {}
    for one in every:
        by_name.setdefault((one.module.__name__, one.name), []).append(one)
    reached = {id(one): one for one in every if one.is_view}
    waiting = list(reached.values())
    while waiting:
        function = waiting.pop()
        for called in (one for key in function.calls for one in by_name.get(key, ())):
            if id(called) not in reached:
                reached[id(called)] = called
                waiting.append(called)
    return list(reached.values())


# What a function writes ------------------------------------------------------------------------------------


def _writes(function: Function) -> Iterator[tuple[object, str, int]]:
    """The module variables that it writes: a key for the variable, its name, the line."""
    for node in function.nodes:
        for target in _targets(node):
            if (found := _variable(function, target)) and not _is_kept(function, found[1], node):
                yield *found, getattr(node, "lineno", function.line)
        if isinstance(node, ast.Assign | ast.AugAssign):
            yield from _of_globals(function, node)


def _targets(node: ast.AST) -> list[ast.expr]:
    """The expressions whose value a statement changes in place."""
    if isinstance(node, ast.Call):
        called = node.func
        return [called.value] if isinstance(called, ast.Attribute) and called.attr in _MUTATORS else []
    targets = (
        node.targets
        if isinstance(node, ast.Assign | ast.Delete)
        else [node.target]
        if isinstance(node, ast.AugAssign)
        else []
    )
    return [target.value for target in targets if isinstance(target, ast.Subscript)]


def _variable(function: Function, node: ast.expr) -> tuple[object, str] | None:
    """The module's container at the start of an expression: `ROOMS` of `ROOMS[name]["users"]`."""
    while True:
        if isinstance(node, ast.Subscript):
            node = node.value
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "setdefault"
        ):
            node = node.func.value
        else:
            break
    value, name = _value(function, node)
    return (id(value), name) if type(value) in _CONTAINERS and not _KEPT.search(name) else None


def _value(function: Function, node: ast.expr) -> tuple[Any, str]:
    if isinstance(node, ast.Name) and node.id not in function.local:
        return vars(function.module).get(node.id), node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        owner, _ = _value(function, node.value)
        if issubclass(type(owner), ModuleType | type) and not node.attr.startswith("__"):
            return vars(owner).get(node.attr), f"{node.value.id}.{node.attr}"
    return None, ""


def _is_kept(function: Function, name: str, write: ast.AST) -> bool:
    """Whether a value is computed once and reused: `if key not in NAME: NAME[key] = ...`, with nothing else in
    between.
    """
    return isinstance(write, ast.Assign) and any(
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Compare)
        and isinstance(node.test.ops[0], ast.NotIn)
        and ast.unparse(node.test.comparators[0]) == name
        and not any(isinstance(inner, ast.Return) for one in node.body for inner in ast.walk(one))
        and any(inner is write for one in node.body for inner in ast.walk(one))
        for node in function.nodes
    )


def _of_globals(function: Function, node: ast.Assign | ast.AugAssign) -> Iterator[tuple[object, str, int]]:
    """`global count` with `count += 1`, or a container that is replaced. A variable that is None at import is set
    once, later.
    """
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        name = target.id if isinstance(target, ast.Name) else ""
        if name not in function.globals or _KEPT.search(name):
            continue
        value = vars(function.module).get(name)
        counts = isinstance(node, ast.AugAssign) or name in {
            one.id for one in ast.walk(node.value) if isinstance(one, ast.Name)
        }
        if type(value) in _CONTAINERS or (counts and type(value) in _NUMBERS):
            yield (function.module.__name__, name), name, node.lineno
