"""The house keeps its direction: rooms import only from the left, and the pure part touches no world."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "portico"
ORDER = [
    {"errors", "values", "edge", "turns", "backoff", "reading", "proxy_headers"},
    {"site", "place"},
    {"plan"},
    {"explain"},
    {"link"},
    {"run", "watch", "export"},
    {"check"},
    {"cli"},
]
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
PURE = (
    "proxy_headers.py",
    "site/model.py",
    "site/rules",
    "site/keys.py",
    "place/model.py",
    "plan/",
    "export/",
    "explain/match.py",
    "explain/node.py",
    "explain/words",
    "explain/effect.py",
    "run/machine",
    "run/event.py",
    "run/action.py",
    "run/news.py",
    "run/failures.py",
    "backoff.py",
)
WORLD = {
    "os", "io", "sys", "socket", "subprocess", "pathlib", "shutil", "tempfile", "asyncio", "threading",
    "time", "signal",
    "select", "psutil", "click", "httpx", "urllib", "http", "random", "logging", "multiprocessing",
}  # fmt: skip


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def room(name: str) -> str:
    return name.removeprefix("portico.").partition(".")[0]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_left(path: Path) -> None:
    own = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    if own not in RANK:
        return  # __init__ and __main__ are the door
    for name in imported(path):
        if name.startswith("portico.") and room(name) in RANK:
            other = room(name)
            assert other == own or RANK[other] < RANK[own], f"{own} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_the_pure_part_touches_no_world(path: Path) -> None:
    name = str(path.relative_to(SOURCE))
    if name.startswith(PURE):
        touched = {module.partition(".")[0] for module in imported(path)} & WORLD
        assert not touched, f"{name} imports {touched}"


def test_only_output_prints() -> None:
    for path in modules():
        if path.name == "output.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", f"{path.relative_to(SOURCE)}:{node.lineno} prints"


def test_nobody_changes_the_umask() -> None:
    """It is the whole process's: a program that another thread starts meanwhile would inherit it."""
    assert [path.name for path in modules() if "os.umask(" in path.read_text()] == []
