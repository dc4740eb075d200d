"""Who is the owner: login, logout, and a token in every form."""

import secrets
from collections.abc import Callable
from functools import wraps
from hmac import compare_digest
from pathlib import Path
from typing import ParamSpec
from urllib.parse import urlsplit

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from shop import db

P = ParamSpec("P")
bp = Blueprint("account", __name__)


@bp.get("/login")
def login() -> str:
    """Ask for the password."""
    return render_template("login.html")


@bp.post("/login")
def enter() -> ResponseReturnValue:
    """Check the password and remember the owner in the session cookie."""
    if not is_owner(request.form.get("username", ""), request.form.get("password", "")):
        flash("That is not the right name and password.", "error")
        return render_template("login.html"), 401
    session.clear()  # a token from before the login is not valid after it
    session["owner"] = True
    return redirect(_local(request.args.get("next", "")) or url_for("admin.index"))


@bp.post("/logout")
def logout() -> ResponseReturnValue:
    """Forget the owner."""
    session.clear()
    return redirect(url_for("store.index"))


def is_owner(username: str, password: str) -> bool:
    """Compare in constant time."""
    expected = str(current_app.config["OWNER_PASSWORD"])
    return username == "owner" and compare_digest(password.encode(), expected.encode())


def owner_only(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """Send anyone but the owner to the login page."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        if not session.get("owner"):
            return redirect(
                url_for("account.login", next=request.script_root + request.full_path.rstrip("?"))
            )
        return view(*args, **kwargs)

    return guarded


def csrf_token() -> str:
    """Return this session's token, made when first asked for."""
    token: str = session.setdefault("csrf", secrets.token_urlsafe())
    return token


def check_csrf() -> None:
    """Refuse a form that did not come from one of our pages; the API asks for JSON or a password instead."""
    if request.method != "POST" or request.blueprint == "api":
        return
    token, sent = session.get("csrf", ""), request.form.get("csrf", "")
    if not token or not compare_digest(token.encode(), sent.encode()):
        abort(403, "this form is too old, or not ours; reload the page and try again")


def shared_key(path: Path) -> str:
    """Return the key in a file that all workers share, made by whichever worker comes first."""
    db.create_once(path, _write_key)
    return path.read_text("ascii")


def _write_key(draft: Path) -> None:
    draft.touch(mode=0o600)
    draft.write_text(secrets.token_hex(), "ascii")


def _local(target: str) -> str | None:
    """Return the target if it stays on this site: browsers read '//' and a backslash as another host."""
    parts = urlsplit(target)
    outside = parts.scheme or parts.netloc or "\\" in target or not target.startswith("/")
    return None if outside or target.startswith("//") else target
