"""What a Starlette or FastAPI app exposes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from portico.link.app.risks.risks import Risk, risk


def risks(app: Any) -> Iterator[Risk]:
    if app.debug:
        what = "debug is on: error pages show tracebacks and source to all visitors"
        yield risk("debug", what, "leave debug=True out")


def keys(app: Any) -> Iterator[tuple[str, Any]]:
    # str() of Starlette's Secret returns its value.
    return (
        ("secret_key", str(middleware.kwargs["secret_key"]))
        for middleware in _sessions(app)
        if middleware.kwargs.get("secret_key")
    )


def _sessions(app: Any) -> list[Any]:
    return [one for one in app.user_middleware if "Session" in getattr(one.cls, "__name__", "")]
