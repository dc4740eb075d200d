"""Settings of an app that must fit its proxy, in the form of AppFacts.settings."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from portico.link.app.settings import pools, proxies


def settings(layers: Iterable[Any], framework: str, inner: Any, directory: Path) -> dict[str, Any]:
    """The settings of an app and all that it is wrapped in; `inner` is the framework's object. Unreadable ones are
    left out.
    """
    asked: list[Callable[[], dict[str, Any]]] = [lambda: proxies.settings(layers, inner)]
    if framework:
        module = importlib.import_module(f"portico.link.app.settings.{framework}")
        asked.append(lambda: module.settings(inner, directory))
    asked.append(lambda: pools.settings(inner, directory))
    found: dict[str, Any] = {}
    for part in asked:
        found = _together(found, _answer(part))
    return found


def _answer(part: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return part()
    except Exception:  # noqa: BLE001  an app that cannot be asked can still be served
        return {}


def _together(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    made = dict(one)
    for name, value in other.items():
        if isinstance(value, list) and name in made:
            made[name] = [*made[name], *value]
        elif isinstance(value, dict) and name in made:
            made[name] = {**made[name], **value}
        else:
            made[name] = value
    return made
