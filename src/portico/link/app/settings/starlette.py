"""The settings of a Starlette or FastAPI app about the proxy in front of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from portico.link.app.settings.cookie import cookie

_NAMES = {"secure": "https_only", "samesite": "same_site", "domain": "domain", "path": "path"}


def settings(app: Any, _directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"cookies": [_cookie(one.kwargs) for one in _of(app, "SessionMiddleware")]}
    if next(_of(app, "HTTPSRedirectMiddleware"), None) is not None:
        found["to_https"] = "HTTPSRedirectMiddleware"
    for one in _of(app, "TrustedHostMiddleware"):
        names = [
            str(name) for name in one.kwargs.get("allowed_hosts") or (one.args[0] if one.args else ["*"])
        ]
        # It redirects example.com to www.example.com, if that is allowed.
        bare = [
            name[4:] for name in names if name.startswith("www.") and one.kwargs.get("www_redirect", True)
        ]
        found |= {"hosts": [*names, *bare], "hosts_name": "TrustedHostMiddleware"}
    return found


def _of(app: Any, name: str) -> Iterator[Any]:
    return (one for one in app.user_middleware if getattr(one.cls, "__name__", "") == name)


def _cookie(said: dict[str, Any]) -> dict[str, Any]:
    marks = (said.get("https_only"), None, said.get("same_site", "lax"))
    place = (said.get("domain"), said.get("path"), said.get("session_cookie"))
    return cookie("the session's cookie", _NAMES, *marks, *place)
