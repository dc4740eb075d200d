"""The settings of a Flask or Quart app about the proxy in front of it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from flask import session

from portico.link.app.objects import is_a, own_modules
from portico.link.app.settings.cookie import cookie

_TALISMAN = ("flask_talisman.talisman", "Talisman")
_SSLIFY = ("flask_sslify", "SSLify")
_OWN_SESSIONS = ("flask.sessions", "SecureCookieSessionInterface")


def settings(app: Any, directory: Path) -> dict[str, Any]:
    trusted = app.config.get("TRUSTED_HOSTS")
    talisman = None if app.debug else next(_hooks(app, _TALISMAN), None)
    found: dict[str, Any] = {"cookies": list(_cookies(app, talisman))}
    if trusted:
        found |= {"hosts": [str(one) for one in trusted], "hosts_name": "TRUSTED_HOSTS"}
    if talisman is not None and talisman.force_https:
        found["to_https"] = "Flask-Talisman (force_https)"
    elif not app.debug and next(_hooks(app, _SSLIFY), None) is not None:
        found["to_https"] = "Flask-SSLify"
    if not app.config.get("SECRET_KEY") and is_a(app.session_interface, _OWN_SESSIONS):
        found["keyless"] = _keyless(app, directory)
    return found


def _hooks(app: Any, names: tuple[str, str]) -> Iterator[Any]:
    """The extensions of that class that run before each request."""
    for hook in (app.before_request_funcs or {}).get(None, ()):
        owner = getattr(hook, "__self__", None)
        if owner is not None and is_a(owner, names):
            yield owner


def _cookies(app: Any, talisman: Any) -> Iterator[dict[str, Any]]:
    get = app.config.get
    if get("SECRET_KEY"):
        is_secure = get("SESSION_COOKIE_SECURE") or getattr(talisman, "session_cookie_secure", False)
        yield _cookie(get, "the session's cookie", "SESSION_COOKIE", is_secure)
    if hasattr(app, "login_manager"):  # Flask-Login
        yield _cookie(
            get, "the cookie that remembers a login", "REMEMBER_COOKIE", get("REMEMBER_COOKIE_SECURE")
        )
    if "cookies" in (get("JWT_TOKEN_LOCATION") or ()):  # Flask-JWT-Extended
        yield _cookie(get, "the token's cookie", "JWT_COOKIE", get("JWT_COOKIE_SECURE"))


def _cookie(get: Callable[..., Any], what: str, beginning: str, is_secure: Any) -> dict[str, Any]:
    marks = ("secure", "httponly", "samesite", "domain", "path")
    names = {mark: f"{beginning}_{mark.upper()}" for mark in marks}
    httponly, samesite = get(names["httponly"], True), get(names["samesite"])
    place = (get(names["domain"]), get(names["path"]), get(f"{beginning}_NAME"))
    return cookie(what, names, is_secure, httponly, samesite, *place)


def _keyless(app: Any, directory: Path) -> str:
    """Where a session is used, which needs a key that the app does not have; empty for nowhere."""
    extensions = getattr(app, "extensions", None) or {}
    if hasattr(app, "login_manager"):
        return "Flask-Login"
    if "csrf" in extensions:
        return "Flask-WTF's CSRFProtect"
    for module in own_modules(directory):
        names = {name for name, value in vars(module).items() if _is_session(value)}
        if names and (line := _line(str(module.__file__), names)):
            return f"{Path(str(module.__file__)).relative_to(directory)}:{line}"
    return ""


def _is_session(value: Any) -> bool:
    """flask.session, or flask.flash, which stores its messages there."""
    if getattr(value, "__module__", "") == "flask.helpers" and getattr(value, "__name__", "") == "flash":
        return True
    return value is session


def _line(file: str, names: set[str]) -> int:
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return 0
    uses = (one for one in ast.walk(tree) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load))
    return min((one.lineno for one in uses if one.id in names), default=0)
