"""Users with passwords (HTTP Basic): the path chooses the file of users, and the app gets the user's name."""

from __future__ import annotations

from portico.plan.gateway.nginx.app.users import cause_of
from portico.plan.gateway.nginx.bans import guessed, guesser_map
from portico.plan.gateway.nginx.by_path import by_path
from portico.plan.gateway.nginx.names import file_of, variable
from portico.plan.gateway.nginx.pages import error_pages
from portico.plan.gateway.nginx.syntax import Directive, directive, entries
from portico.plan.paths import users_file
from portico.plan.web.guards import Password
from portico.plan.web.model import Web

_OFF = "off"
_SATISFY = "https://nginx.org/en/docs/http/ngx_http_core_module.html#satisfy"


def password_maps(web: Web) -> list[Directive]:
    """At `http` level: which users a path accepts, and the name of an authenticated one."""
    users = web.access.users
    if users is None:
        return []
    numbers = {one: number for number, one in enumerate(users.values)}
    realms = {one: one.realm for one in numbers}
    files = {one: file_of(web, users_file(number)) for one, number in numbers.items()}
    realm, cause = variable(web, "realm"), cause_of(users)
    return [
        by_path(
            web, "realm", users, realms, "the realm that browsers show; off: no password", nothing=_OFF
        ),
        by_path(web, "users", users, files, "the file of users with access"),
        entries(
            "map", realm, variable(web, "user"), table=[("default", "$remote_user"), (_OFF, "")],
            why="the authenticated user, empty where no password is asked for", cause=cause,
        ),
        entries(
            "map", realm, variable(web, "authorization"), table=[("default", ""), (_OFF, "$http_authorization")],
            why="the app does not see passwords that nginx asks for", cause=cause,
        ),
        *guesser_map(web),
    ]  # fmt: skip


def asks_password(web: Web, guard: Password) -> list[Directive]:
    """In a location."""
    cause = cause_of(guard.users)
    return [
        *guessed(web),
        together(),
        directive("auth_basic", variable(web, "realm"), why="asks for a name and a password", cause=cause),
        directive("auth_basic_user_file", variable(web, "users"), why="the users with access", cause=cause),
    ]  # fmt: skip


def together() -> Directive:
    """In a location that may ask for more than one thing, own directives included."""
    why = "one thing that is asked is never enough, whatever is said above"
    return directive("satisfy", "all", why=why, source=_SATISFY)


def password_pages(web: Web) -> list[Directive]:
    """At server level, and in locations with error pages of their own."""
    return error_pages(401, 429) if web.access.users else []
