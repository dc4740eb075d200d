"""Which tests run in one process, and which come first, so that all processes end at about the same time.

Tests that share a site stay together: those of a module that use a fixture of the module, apart by the nginx of
it. Where a test starts servers for itself alone, any process may take it. What takes longest comes first; a long one
that began last would keep one processor busy while the other has nothing to do.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # it has no types

ROOT = Path(__file__).parents[2]
_ROOMS_WITH_SERVERS = ("tests/attack/", "tests/cli/", "tests/faults/", "tests/live/", "tests/run/")
_LONGEST = (
    "tests/export/test_image_runs.py",
    "tests/live/test_trace.py",
    "tests/live/test_sites.py",
    "tests/live/test_https.py",
    "tests/live/test_look.py",
    "tests/live/test_copies.py",
    "tests/run/test_hostile_files.py",
    "tests/live/test_trust.py",
    "tests/live/test_tracing.py",
    "tests/link/test_worker.py",
    "tests/faults/test_faults.py",
    "tests/live/test_acme.py",
    "tests/run/test_kill.py",
    "tests/live/test_cache.py",
    "tests/test_docs.py",
)
"""As measured, by group; another order is slower, and nothing else."""
_BUILD = re.compile(r"[\[-](embedded|system)[\]-]")


class Scheduler(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Gives whole groups to processes, in the order of the collection."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def group(nodeid: str) -> str:
    """The name of what a test runs together with."""
    module, _, test = nodeid.partition("::")
    if module.startswith(_ROOMS_WITH_SERVERS) and not _shares(module, test.partition("[")[0]):
        return nodeid
    build = _BUILD.search(test)
    return f"{module}[{build[1]}]" if build else module


def urgency(nodeid: str) -> int:
    """What comes first has a small one."""
    module = nodeid.partition("::")[0]
    if module in _LONGEST:
        return _LONGEST.index(module)
    return len(_LONGEST) + (not module.startswith(_ROOMS_WITH_SERVERS))


class _Function(NamedTuple):
    asks_for: list[str]
    is_shared: bool
    """Whether it is a fixture of the whole module."""


@cache
def _shares(module: str, test: str) -> bool:
    """Whether it uses a fixture that other tests of its module use."""
    file = ROOT / module
    rooms = [room / "conftest.py" for room in reversed(file.parents) if room.is_relative_to(ROOT)]
    known = {name: it for one in (*rooms, file) for name, it in _functions(one).items()}
    seen, names = set[str](), [test]
    while names:
        name = names.pop()
        if name in seen or name not in known:
            continue
        if known[name].is_shared:
            return True
        seen.add(name)
        names += known[name].asks_for
    return test not in known


@cache
def _functions(file: Path) -> dict[str, _Function]:
    """The fixtures and tests of a file."""
    found = dict[str, _Function]()
    for node in ast.parse(file.read_text()).body if file.exists() else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            marks = "\n".join(map(ast.unparse, node.decorator_list))
            asks_for = [one.arg for one in node.args.args] + re.findall(r"usefixtures\('(\w+)'", marks)
            found[node.name] = _Function(asks_for, "scope='module'" in marks)
    return found
