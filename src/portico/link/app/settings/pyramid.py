"""A Pyramid app's settings about the proxy in front of it."""

# mypy: disable-error-code="import-untyped"
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyramid.interfaces import IAuthenticationPolicy, ISecurityPolicy, ISessionFactory

from portico.link.app.objects import is_a
from portico.link.app.settings.cookie import cookie

_TICKET = ("pyramid.authentication", "AuthTktCookieHelper")
_NAMES = {
    "secure": "secure",
    "httponly": "httponly",
    "samesite": "samesite",
    "domain": "domain",
    "path": "path",
}


def settings(router: Any, _directory: Path) -> dict[str, Any]:
    return {"cookies": [*_session(router.registry), *_ticket(router.registry)]}


def _session(registry: Any) -> Iterator[dict[str, Any]]:
    """Pyramid's own factory is a class with these attributes."""
    factory = registry.queryUtility(ISessionFactory)
    if hasattr(factory, "_cookie_secure"):
        marks = (factory._cookie_secure, factory._cookie_httponly, factory._cookie_samesite)
        place = (factory._cookie_domain, factory._cookie_path, factory._cookie_name)
        names = {key: f"{name} of the session factory" for key, name in _NAMES.items()}
        yield cookie("the session's cookie", names, *marks, *place)


def _ticket(registry: Any) -> Iterator[dict[str, Any]]:
    for kind in (ISecurityPolicy, IAuthenticationPolicy):
        policy = registry.queryUtility(kind)
        for thing in (policy, *getattr(policy, "__dict__", {}).values()):
            helper: Any = thing if is_a(thing, _TICKET) else getattr(thing, "cookie", None)
            if is_a(helper, _TICKET):
                names = {key: f"{name} of the ticket's helper" for key, name in _NAMES.items()} | {
                    "httponly": "http_only of the ticket's helper"
                }
                profile = helper.cookie_profile
                marks = (helper.secure, profile.httponly, profile.samesite)
                yield cookie(
                    "the ticket's cookie", names, *marks, helper.domain, profile.path, helper.cookie_name
                )
                return
