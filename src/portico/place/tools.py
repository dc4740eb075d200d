"""Variables of the environment that decide for app servers and gateways: they are not passed on, the plan decides."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from portico.app_servers.kinds import KINDS
from portico.place.gateway.finders import FINDERS

_NAMES = frozenset[str]().union(
    *(kind.variables for kind in KINDS), *(finder.decided_by for finder in FINDERS)
)
_PREFIXES = tuple(kind.prefix for kind in KINDS)


def of_tools(names: Iterable[str]) -> tuple[str, ...]:
    """Those of the names that change one of these programs, sorted."""
    return tuple(sorted(name for name in names if name in _NAMES or name.startswith(_PREFIXES)))


def without_tools(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without them."""
    left_out = frozenset(of_tools(environ))
    return {name: value for name, value in environ.items() if name not in left_out}


def with_programs(environ: Mapping[str, str], python: str) -> dict[str, str]:
    """The environment in which programs beside that Python (`flask`, `alembic`) are found first."""
    path = os.pathsep.join([str(Path(python).parent), environ.get("PATH", os.defpath)])
    return {**environ, "PATH": path}
