"""The app that stands in for the real one: it answers what it was asked. The real app and its data are not touched."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from typing import Any

_WANTED = (
    "REQUEST_METHOD",
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
    "REMOTE_ADDR",
    "SERVER_PORT",
    "CONTENT_TYPE",
)


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """A path below a prefix of STAND_IN_PREFIXES (default: all) is 200; a body is counted and hashed."""
    body = environ[
        "wsgi.input"
    ].read()  # also of a 404: who closes before the end of a body may be taken for dead
    prefixes = os.environ.get("STAND_IN_PREFIXES", "/").split()
    if not str(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).startswith(tuple(prefixes)):
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"the stand-in has no such path"]
    seen = {name: str(environ.get(name, "")) for name in _WANTED}
    seen["scheme"] = str(environ["wsgi.url_scheme"])
    seen["uri"] = str(environ.get("REQUEST_URI") or environ.get("RAW_URI") or "")
    seen["body"] = f"{len(body)} {hashlib.sha256(body).hexdigest()[:16]}"
    seen["headers"] = json.dumps(
        {name[5:]: str(value) for name, value in sorted(environ.items()) if name.startswith("HTTP_")}
    )
    start_response("200 OK", [("Content-Type", "application/json"), ("X-Stand-In", "1")])
    return [json.dumps(seen).encode()]


application = app
"""mod_wsgi's name for it."""
