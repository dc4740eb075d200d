"""Searches the app's own source for what works in one process and breaks in several."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

from portico.check.model import Finding, ok, warning
from portico.reading import ordinary
from portico.site.model import Site

_MOST_FILES = 2000
_SKIPPED = {"node_modules", "__pycache__", "site-packages", "venv", "tests", "test"}
_RANDOM = {"urandom", "token_hex", "token_bytes", "token_urlsafe", "uuid4", "uuid1", "randbytes", "choices"}
_SCHEDULERS = {"BackgroundScheduler", "APScheduler", "AsyncIOScheduler"}
_CONNECTORS = {"sqlite3.connect", "psycopg.connect", "psycopg2.connect", "pymysql.connect", "redis.Redis"}


def source_findings(site: Site) -> Iterator[Finding]:
    """Problems in the app's own files, each with file and line."""
    found = [
        finding
        for path in _own_files(Path(site.facts.directory))
        for finding in _in_file(path, Path(site.facts.directory))
    ]
    in_memory = any(one.kind == "memory" for one in site.facts.risks) or site.facts.one_process
    yield from found or (
        [] if in_memory else [ok("source", "nothing found that breaks with several workers", "source")]
    )


def _own_files(directory: Path) -> list[Path]:
    found: list[Path] = []
    for root, folders, files in os.walk(directory):  # Path.walk came with 3.12
        folders[:] = [name for name in folders if not _is_not_ours(Path(root, name))]
        found += [Path(root, name) for name in files if name.endswith(".py")]
        if len(found) > _MOST_FILES:
            break
    return sorted(found)[:_MOST_FILES]


def _is_not_ours(folder: Path) -> bool:
    return folder.name in _SKIPPED or folder.name.startswith(".") or (folder / "pyvenv.cfg").exists()


def _in_file(path: Path, directory: Path) -> Iterator[Finding]:
    try:
        tree = ast.parse(ordinary(path))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):  # the last two of nested text
        return
    name = str(path.relative_to(directory))
    for node in ast.walk(tree):
        yield from (_finding(name, node, *found) for found in _problems(node))
    for statement in tree.body:
        yield from (_finding(name, statement, *found) for found in _at_import(statement))


def _finding(name: str, node: ast.AST, what: str, hint: str, code: str) -> Finding:
    return warning(f"{name}:{getattr(node, 'lineno', 1)}", what, hint, code)


def _problems(node: ast.AST) -> Iterator[tuple[str, str, str]]:
    if isinstance(node, ast.Assign) and any(_is_secret_key(target) for target in node.targets):
        if _called(node.value) & _RANDOM:
            yield (
                "SECRET_KEY is random: every worker and every restart has another, and logins are lost",
                "read it from the environment or a file: the same for all workers",
                "random-key",
            )
        elif isinstance(node.value, ast.Constant) and node.value.value in ("dev", "secret", "changeme", ""):
            yield (
                f"SECRET_KEY is {node.value.value!r}: anyone can forge a session",
                "use a long random value from a file",
                "secret-key",
            )


def _at_import(statement: ast.stmt) -> Iterator[tuple[str, str, str]]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or _is_main_guard(
        statement
    ):
        return
    for node in ast.walk(statement):
        if not isinstance(node, ast.Call):
            continue
        if _name(node.func) in _SCHEDULERS:
            yield (
                "a scheduler made at import runs in every worker: each job runs several times",
                "run it in a process of its own",
                "jobs",
            )
        elif _dotted(node.func) in _CONNECTORS:
            yield (
                "a connection opened at import is shared by all threads of a worker",
                "open it in the request, or use a pool",
                "source",
            )


def _is_main_guard(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and "__name__" in ast.dump(statement.test)


def _is_secret_key(target: ast.expr) -> bool:
    if isinstance(target, ast.Attribute):
        return target.attr == "secret_key"
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        return target.slice.value == "SECRET_KEY"
    return isinstance(target, ast.Name) and target.id == "SECRET_KEY"


def _called(value: ast.expr) -> set[str]:
    """Names called in an expression, unless it first reads an environment variable or a file."""
    calls = {_name(node.func) for node in ast.walk(value) if isinstance(node, ast.Call)}
    return set() if calls & {"getenv", "get", "read_text", "read_bytes", "read"} else calls


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _dotted(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return f"{function.value.id}.{function.attr}"
    return ""
