"""The file that names the app's packages, and the commands that install them into /venv."""

from __future__ import annotations

from msgspec import Struct

from portico import DISTRIBUTION

VENV = "/venv"
_PIP = f"{VENV}/bin/python -m pip install --no-cache-dir"
_DECLARED = (
    f'{VENV}/bin/python -c "import tomllib; '
    "print(*tomllib.load(open('pyproject.toml', 'rb'))['project'].get('dependencies', ()), sep='\\n')\""
)

_UV = (
    f"UV_PROJECT_ENVIRONMENT={VENV} /tools/bin/uv sync --frozen --inexact --no-cache --no-dev "
    f"--no-install-project --no-install-package portico --no-install-package {DISTRIBUTION}"
)


class Kind(Struct, frozen=True):
    """One kind of file. `files` are those that must be there; the first one names the packages.

    `tool` is the package of PyPI that reads it, empty if pip does; `commands` are lines for a shell.
    """

    files: tuple[str, ...]
    commands: tuple[str, ...]
    tool: str = ""
    is_locked: bool = True


class Requirements(Struct, frozen=True):
    """The kind that was found, and every file to copy: what the first one includes is among them."""

    kind: Kind
    files: tuple[str, ...]


def _listed(file: str) -> Kind:
    return Kind((file,), (f"{_PIP} -r {file}",), is_locked=False)


KINDS = (
    Kind(
        ("uv.lock", "pyproject.toml"),
        (_UV,),
        "uv",
    ),
    Kind(
        ("poetry.lock", "pyproject.toml"),
        ("/tools/bin/poetry export --only main --output locked.txt", f"{_PIP} -r locked.txt"),
        "poetry-plugin-export",
    ),
    Kind(
        ("Pipfile.lock", "Pipfile"),
        ("/tools/bin/pipenv requirements > locked.txt", f"{_PIP} -r locked.txt"),
        "pipenv",
    ),
    *map(
        _listed,
        (
            "requirements.txt",
            "requirements/production.txt",
            "requirements/prod.txt",
            "requirements/base.txt",
        ),
    ),
    Kind(("pyproject.toml",), (f"{_DECLARED} > declared.txt", f"{_PIP} -r declared.txt"), is_locked=False),
)
"""In the order in which they are looked for: a lock says more than a list."""
