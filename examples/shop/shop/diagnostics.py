"""Views that show how the app is being run: what it sees, how it waits, how it fails."""

import os
import time

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from shop import db

MAX_SECONDS = 120.0
HEADERS = (
    "Host",
    "User-Agent",
    "X-Request-ID",
    "Forwarded",
    "X-Real-IP",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
)

bp = Blueprint("diagnostics", __name__)


@bp.get("/healthz")
def health() -> ResponseReturnValue:
    """Answer when the app and its database do."""
    db.get().execute("SELECT 1 FROM products LIMIT 1")
    return {"status": "ok"}


@bp.get("/slow")
def slow() -> ResponseReturnValue:
    """Take `?seconds=2` to answer, like a view that waits for somebody else."""
    seconds = max(0.0, min(request.args.get("seconds", 2.0, type=float), MAX_SECONDS))
    time.sleep(seconds)
    return {"slept_seconds": seconds, "pid": os.getpid()}


@bp.get("/fail")
def fail() -> ResponseReturnValue:
    """Fail, to show what a failure looks like from the outside."""
    raise RuntimeError("/fail was asked for, and always fails")


@bp.get("/whoami")
def whoami() -> ResponseReturnValue:
    """Show the request as the app sees it."""
    environ = request.environ
    return {
        "remote_addr": request.remote_addr,
        "scheme": request.scheme,
        "host": request.host,
        "url_root": request.url_root,
        "script_root": request.script_root,
        "path": request.path,
        "request_uri": environ.get("REQUEST_URI", environ.get("RAW_URI")),
        "url_for_external": url_for("store.index", _external=True),
        "headers": {name: request.headers[name] for name in HEADERS if name in request.headers},
        "protocol": environ.get("SERVER_PROTOCOL"),
        "server": environ.get("SERVER_SOFTWARE"),
        "multiprocess": environ.get("wsgi.multiprocess"),
        "multithread": environ.get("wsgi.multithread"),
        "pid": os.getpid(),
    }
