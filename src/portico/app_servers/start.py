"""Starts a module of Portico's in the app's own environment. Pure."""

from __future__ import annotations

from collections.abc import Sequence

WEBSOCKETS, OLDEST_WEBSOCKETS = "websockets", 15
"""The package that the link of ASGI uses for WebSockets, and its oldest version (pyproject.toml)."""


def starts(path: str, package_path: Sequence[str], module: str) -> tuple[str, ...]:
    """The command that runs `main` of that module of `portico.link` with the interpreter `path`, which finds Portico's
    packages in the directories of `package_path`, Portico in the first.
    """
    # -P: the app's directory must not shadow a module that Portico needs.
    return (path, "-P", f"{package_path[0]}/portico/link/start.py", ":".join(package_path), module)


def asks(path: str, package_path: Sequence[str]) -> tuple[str, ...]:
    """The command that asks the app; empty for Portico's own Python, which has no `path`."""
    return starts(path, package_path, "portico.link.app.ask") if path else ()
