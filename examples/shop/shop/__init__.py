"""Loam, a small pottery shop: one Flask app that uses what real apps use."""

import os
from pathlib import Path

from flask import Flask, Response, json, render_template, request
from werkzeug.exceptions import HTTPException

from shop import account, admin, api, db, diagnostics, live, store

MAX_UPLOAD = 16 * 1024 * 1024
POLICY = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"


def create_app() -> Flask:
    """Build the app; the database, the uploads and the key sit side by side in one folder."""
    app = Flask(__name__)
    database = Path(os.environ.get("SHOP_DATABASE") or Path(app.instance_path) / "shop.sqlite").absolute()
    app.config.update(
        DATABASE=database,
        FILES=database.with_suffix(".files"),
        SECRET_KEY=os.environ.get("SECRET_KEY") or account.shared_key(database.with_suffix(".key")),
        OWNER_PASSWORD=os.environ.get("SHOP_PASSWORD", "clay"),
        MAX_CONTENT_LENGTH=MAX_UPLOAD,
        SESSION_COOKIE_NAME="shop_session",
        SESSION_COOKIE_SAMESITE="Lax",
        SOCK_SERVER_OPTIONS={"ping_interval": 20, "max_message_size": 64 * 1024},
    )
    db.create(database, app.config["FILES"])
    app.teardown_appcontext(db.close)
    app.before_request(account.check_csrf)
    app.after_request(_add_policy)
    app.register_error_handler(HTTPException, _show_error)
    app.add_template_filter(_euros, "euros")
    app.add_template_filter(_kib, "kib")
    app.context_processor(lambda: {"csrf_token": account.csrf_token, "pid": os.getpid()})
    for part in (account.bp, store.bp, admin.bp, api.bp, live.bp, diagnostics.bp):
        app.register_blueprint(part)
    return app


def _add_policy(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", POLICY)
    return response


def _show_error(error: HTTPException) -> Response:
    """Keep the status and headers of an error; say it as JSON to programs, as a page to people."""
    response = Response(status=error.code, headers=error.get_headers())
    if request.path.startswith("/api/"):
        response.data = json.dumps({"error": {"status": error.code, "message": error.description}})
        response.content_type = "application/json"
    else:
        response.data = render_template("error.html", error=error)
    return response


def _euros(cents: int) -> str:
    return f"€{cents / 100:,.2f}".removesuffix(".00")


def _kib(size: int) -> str:
    kib = size / 1024
    return f"{round(kib, 1):g} KiB" if kib < 1024 else f"{round(kib / 1024, 1):g} MiB"


app = create_app()
