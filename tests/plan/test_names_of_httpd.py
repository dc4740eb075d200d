"""Names of httpd's variables: all sites of an httpd share them, and so do the subjects of one."""

from __future__ import annotations

import ast
from collections import defaultdict

from tests.support import ROOT

_ROOM = ROOT / "src/portico/plan/gateway/httpd"


def test_no_two_constants_name_one_variable() -> None:
    """`[cors]` and the limit of guesses once used one variable for two things."""
    seen = defaultdict[str, list[str]](list)
    for path in sorted(_ROOM.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            for name, value in _assigned(node):
                if value.startswith("PORTICO_"):
                    seen[value].append(f"{path.relative_to(_ROOM)}: {name}")
    assert len(seen) > 10
    assert {value: where for value, where in seen.items() if len(where) > 1} == {}


def _assigned(node: ast.stmt) -> list[tuple[str, str]]:
    if not isinstance(node, ast.Assign):
        return []
    pairs = [(node.targets[0], node.value)]
    if isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
        pairs = list(zip(node.targets[0].elts, node.value.elts, strict=True))
    return [
        (one.id, value.value)
        for one, value in pairs
        if isinstance(one, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, str)
    ]
