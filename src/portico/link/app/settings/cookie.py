"""The attributes of a cookie, in the form of site.facts.Cookie."""

from __future__ import annotations

from typing import Any


def cookie(
    what: str,
    names: dict[str, str],
    secure: Any,
    httponly: Any,
    samesite: Any,
    domain: Any = None,
    path: Any = None,
    title: Any = "",
) -> dict[str, Any]:
    """The attributes of a cookie; `names` are the settings behind them. None if the app does not decide one."""
    return {
        "what": what,
        "names": names,
        "secure": bool(secure),
        "httponly": None if httponly is None else bool(httponly),
        "samesite": "" if samesite in (None, False, "") else str(samesite).lower(),
        "domain": str(domain) if isinstance(domain, str) else "",
        "path": str(path) if isinstance(path, str) else "",
        "title": str(title or ""),
    }
