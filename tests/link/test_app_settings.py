"""What an app believes of what is in front of it is read from its objects, whatever they hold.

What takes long to import is imported by the test that needs it: each process collects every file.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from flask import Flask
from starlette.applications import Starlette
from starlette.middleware import Middleware
from werkzeug.middleware.proxy_fix import ProxyFix

from portico.link.app.layers import layers
from portico.link.app.settings.pools import _of_engine
from portico.link.app.settings.seconds import seconds
from portico.link.app.settings.settings import settings
from portico.site.facts import AppSettings

NOWHERE = Path("/nowhere")


def asked(framework: str, inner: Any, app: Any = None) -> AppSettings:
    things = {id(thing): thing for thing in layers(app or inner)}
    said = settings(list(things.values()), framework, inner, NOWHERE)
    return msgspec.json.decode(msgspec.json.encode(said), type=AppSettings)


def flask(**config: Any) -> Flask:
    app = Flask("shop")
    app.config.update(config)
    return app


def test_cookies_of_flask_and_of_its_extensions() -> None:
    app = flask(SECRET_KEY="x", JWT_TOKEN_LOCATION=["headers", "cookies"], JWT_COOKIE_SECURE=True)
    app.login_manager = object()  # type: ignore[attr-defined]
    session, remember, token = asked("flask", app).cookies
    assert (session.secure, session.httponly, session.samesite, session.title) == (False, True, "", "session")
    assert (remember.names["secure"], remember.secure, remember.httponly) == (
        "REMEMBER_COOKIE_SECURE",
        False,
        True,
    )
    assert token.secure
    assert asked("flask", flask()).cookies == []


def test_talisman_makes_cookies_secure_and_redirects() -> None:
    from flask_talisman import Talisman  # type: ignore[import-untyped]

    app = flask(SECRET_KEY="x")
    Talisman(app)
    found = asked("flask", app)
    assert (found.to_https, found.cookies[0].secure) == ("Flask-Talisman (force_https)", True)
    app.debug = True
    assert asked("flask", app).to_https == ""


def test_middleware_of_proxies() -> None:
    from hypercorn.middleware import ProxyFixMiddleware

    app = flask()
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=3, x_prefix=1)  # type: ignore[method-assign]
    (layer,) = asked("flask", app).layers
    assert (layer.name, layer.counts) == ("ProxyFix", {"x_for": 3, "x_proto": 1, "x_host": 0, "x_prefix": 1})
    inner = Starlette(middleware=[Middleware(ProxyFixMiddleware, trusted_hops=2)])
    assert asked("starlette", inner).layers[0].counts == {"trusted_hops": 2}
    outer = ProxyFixMiddleware(Starlette(), mode="modern", trusted_hops=2)  # type: ignore[arg-type]
    assert asked("starlette", outer.app, outer).layers == [], "Forwarded never arrives"


def test_a_ticket_of_pyramid() -> None:
    from pyramid.authentication import AuthTktAuthenticationPolicy
    from pyramid.authorization import ACLAuthorizationPolicy
    from pyramid.config import Configurator

    policy = AuthTktAuthenticationPolicy("x" * 20, secure=True)
    config = Configurator(authentication_policy=policy, authorization_policy=ACLAuthorizationPolicy())
    (ticket,) = asked("pyramid", config.make_wsgi_app()).cookies
    assert (ticket.secure, ticket.httponly, ticket.samesite) == (True, False, "lax")
    assert ticket.names["httponly"] == "http_only of the ticket's helper"


@pytest.mark.parametrize(
    ("said", "found"), [(None, 0), (30, 30), (-1, 0), (float("inf"), 1e9), (float("nan"), 0), (True, 1)]
)
def test_times_are_numbers_whatever_an_app_says(said: Any, found: float) -> None:
    assert seconds(said) == found


def test_pools() -> None:
    from sqlalchemy import create_engine

    engine = create_engine("sqlite:////nowhere/a.db", pool_size=4, max_overflow=2, pool_timeout=7)
    assert _of_engine(("app.engine", engine)) == {
        "name": "SQLAlchemy (app.engine)",
        "most": 6,
        "seconds": 7.0,
    }
    unbound = create_engine("sqlite:////nowhere/a.db", max_overflow=-1)
    assert _of_engine(("app.engine", unbound))["most"] == 0
    assert _of_engine(("app.engine", create_engine("sqlite://"))) == {}


def test_an_app_that_raises_when_it_is_asked_says_nothing() -> None:
    class Broken:
        @property
        def config(self) -> Any:
            raise RuntimeError

        extensions = user_middleware = SimpleNamespace()

    assert settings([], "flask", Broken(), NOWHERE) == {}
