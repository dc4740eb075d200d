"""A Django project's settings about the proxy in front of it."""

# mypy: disable-error-code="import-untyped"
from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings as project

from portico.link.app.settings.cookie import cookie
from portico.link.app.settings.seconds import seconds

_STATEMENT = re.compile(r"statement_timeout=(\d+)(ms|s|min)?")
_MS = {None: 1, "ms": 1, "s": 1000, "min": 60_000}


def settings(_application: object, _directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = {
        "cookies": list(_cookies()),
        "waits": list(_waits()),
        "databases": dict(_files()),
        "body": project.DATA_UPLOAD_MAX_MEMORY_SIZE,
    }
    if project.SECURE_SSL_REDIRECT and any("SecurityMiddleware" in name for name in project.MIDDLEWARE):
        found["to_https"] = "SECURE_SSL_REDIRECT"
    if not project.DEBUG:  # in debug mode, an empty list means this machine's own names
        found |= {"hosts": [str(one) for one in project.ALLOWED_HOSTS], "hosts_name": "ALLOWED_HOSTS"}
    if project.SECURE_PROXY_SSL_HEADER:
        found["scheme_header"] = [str(one) for one in project.SECURE_PROXY_SSL_HEADER][:2]
    if project.FORCE_SCRIPT_NAME:
        found["layers"] = [
            {"name": "FORCE_SCRIPT_NAME", "prefix": str(project.FORCE_SCRIPT_NAME).rstrip("/")}
        ]
    return found


def _cookies() -> Iterator[dict[str, Any]]:
    yield _cookie("the session's cookie", "SESSION_COOKIE", project.SESSION_COOKIE_HTTPONLY)
    if not project.CSRF_USE_SESSIONS:
        yield _cookie("the cookie against forged forms", "CSRF_COOKIE", None)  # scripts may read it by design


def _cookie(what: str, beginning: str, httponly: Any) -> dict[str, Any]:
    marks = ("secure", "httponly", "samesite", "domain", "path")
    names = {mark: f"{beginning}_{mark.upper()}" for mark in marks}
    said = {mark: getattr(project, name) for mark, name in names.items()}
    place = (said["domain"], said["path"], getattr(project, f"{beginning}_NAME"))
    return cookie(what, names, said["secure"], httponly, said["samesite"], *place)


def _waits() -> Iterator[dict[str, Any]]:
    for name, database in project.DATABASES.items():
        options = database.get("OPTIONS") or {}
        where = f'DATABASES["{name}"] OPTIONS'
        for key in ("timeout", "connect_timeout", "read_timeout", "lock_timeout"):
            if isinstance(value := options.get(key), int | float):
                yield {"name": f"{where} {key}", "seconds": seconds(value)}
        if found := _STATEMENT.search(str(options.get("options", ""))):
            yield {
                "name": f"{where} statement_timeout",
                "seconds": seconds(int(found[1]) * _MS[found[2]] / 1000),
            }


def _files() -> Iterator[tuple[str, str]]:
    for name, database in project.DATABASES.items():
        file = str(database.get("NAME") or "")
        is_file = bool(file) and ":memory:" not in file and not file.startswith("file:")
        if is_file and "sqlite3" in str(database.get("ENGINE")):
            yield str(Path(file).absolute()), f'DATABASES["{name}"]'
