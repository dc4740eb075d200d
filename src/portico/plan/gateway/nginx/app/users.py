"""What the app is told of the user who came, and what it is not told."""

from __future__ import annotations

from portico.plan.gateway.nginx.names import variable
from portico.plan.web.access import ByPath, Users
from portico.plan.web.model import Web


def proof(web: Web) -> str:
    """The variable of the Authorization header that the app is given."""
    return variable(web, "authorization") if web.access.users else "$http_authorization"


def told(web: Web) -> list[tuple[str, str, str, str]]:
    """What the app is told of a user: header, value, reason and cause."""
    users = web.access.users
    if users is None:
        return []
    known = [
        (
            "Remote-User",
            variable(web, "user"),
            "who came, with a password that nginx verified",
            cause_of(users),
        )
    ]
    if web.cache is None:  # else it is said with the other headers that a cache looks at
        why = "passwords that nginx asks for are not the app's to know"
        known.append(("Authorization", proof(web), why, cause_of(users)))
    return known


def cause_of(users: ByPath[Users]) -> str:
    """Who said that passwords are asked for."""
    return "; ".join(dict.fromkeys(one.cause for one in users.values if one.cause))
