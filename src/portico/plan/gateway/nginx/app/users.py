"""What the app learns about an authenticated user, and what it does not."""

from __future__ import annotations

from portico.app_servers.kind import Feature
from portico.plan.gateway.nginx.names import variable
from portico.plan.web.access import ByPath, Users
from portico.plan.web.model import Web

USER = "REMOTE_USER"
"""CGI's variable for an authenticated user; over HTTP it is a header."""
USER_HEADER = "Remote-User"


def proof(web: Web) -> str:
    """The variable with the Authorization header for the app."""
    return variable(web, "authorization") if web.access.users else "$http_authorization"


def told(web: Web) -> list[tuple[str, str, str, str]]:
    """The app's headers (or USER) about a user and about the check that let the client in: name, value, reason and
    cause.
    """
    made = [*_of_password(web), *_of_check(web), *_of_certificate(web)]
    if (
        web.access.users and web.cache is None
    ):  # else it is set together with the other headers that a cache looks at
        why = "passwords that nginx asks for are not the app's to know"
        made.append(("Authorization", proof(web), why, cause_of(web.access.users)))
    return made


def headers(web: Web) -> list[str]:
    """The headers of granting answers that the app gets."""
    checks = web.access.checks.values if web.access.checks else ()
    return list(dict.fromkeys(name for check in checks for name in check.headers))


def answered(web: Web, header: str) -> str:
    """The variable with that header of the answer."""
    return variable(web, f"answer_{header.lower().replace('-', '_')}")


def both(web: Web) -> str:
    """The variable with the user's name if a password or an answer may set it; empty if only one of them is asked
    for.
    """
    return variable(web, "came") if web.access.users and USER_HEADER in headers(web) else ""


def are_headers(web: Web) -> bool:
    """Whether the app learns all of it from headers: over HTTP, and as ASGI, which has no variables of CGI."""
    return web.upstream.protocol in ("http", "https") or Feature.ASGI in web.app_server.features


def said(web: Web) -> list[tuple[str, str, str, str]]:
    """The same as the link carries it. As headers: one for each name, also if both passwords and answers name the
    user.
    """
    if not are_headers(web):
        return told(web)
    came = both(web)
    return [
        (
            USER_HEADER if name == USER else name,
            came if came and name == USER_HEADER else value,
            why,
            cause,
        )
        for name, value, why, cause in told(web)
        if not (came and name == USER)
    ]


def _of_password(web: Web) -> list[tuple[str, str, str, str]]:
    users = web.access.users
    if users is None:
        return []
    return [(USER, variable(web, "user"), "the user, with a password that nginx verified", cause_of(users))]


def _of_check(web: Web) -> list[tuple[str, str, str, str]]:
    why = "what the answer says of the client that lets it come; what a client sends under this name never arrives"
    return [(name, answered(web, name), why, "auth_headers") for name in headers(web)]


def _of_certificate(web: Web) -> list[tuple[str, str, str, str]]:
    """As headers only: CGI has variables for it."""
    if not (web.tls and web.tls.clients and are_headers(web)):
        return []
    known = {"Verify": "verify", "S-DN": "s_dn", "Serial": "serial"}
    why = "what the client's certificate says; what a client sends under this name never arrives"
    cause = web.tls.clients.authority_cause
    return [(f"X-SSL-Client-{name}", f"$ssl_client_{word}", why, cause) for name, word in known.items()]


def cause_of(users: ByPath[Users]) -> str:
    """The setting that asks for passwords."""
    return "; ".join(dict.fromkeys(one.cause for one in users.values if one.cause))
