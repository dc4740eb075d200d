"""What a Pyramid app exposes: its settings, and the toolbar."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from portico.link.app.risks.risks import Risk, risk

_TRUE = ("true", "1", "yes", "y", "on", "t")


def risks(router: Any) -> Iterator[Risk]:
    settings = router.registry.settings or {}
    routes = router.registry.introspector.get_category("routes") or []
    names = [str(entry["introspectable"]["name"]) for entry in routes]
    if any("debugtoolbar" in one for one in (str(settings.get("pyramid.includes", "")), *names)):
        what = "pyramid_debugtoolbar is included: it shows settings and source, and its debugger runs code"
        yield risk("debugger", what, "leave it out of pyramid.includes outside of development")
    # With and without the prefix: Pyramid keeps the short names, too.
    short = {str(name).removeprefix("pyramid."): value for name, value in settings.items()}
    on = sorted(name for name, value in short.items() if name.startswith("debug_") and _is_on(value))
    if on:
        yield risk("testing", f"{', '.join(on)}: on, for developers", "set pyramid.debug_all = false")


def keys(router: Any) -> Iterator[tuple[str, Any]]:
    settings = router.registry.settings or {}
    return ((str(name), value) for name, value in settings.items() if "secret" in str(name) and value)


def _is_on(value: Any) -> bool:
    return value is True or str(value).lower() in _TRUE
