"""Users with passwords (HTTP Basic): a rule chooses the users of the path, and httpd asks after every other guard.

Only a request that a mount with this guard has marked is asked. The mark gets another name where httpd leads to an
error page, so pages of refusals ask for nothing.
"""

from __future__ import annotations

from portico.plan.gateway.httpd.access import by_path
from portico.plan.gateway.httpd.app.link import is_http
from portico.plan.gateway.httpd.bans import looked_for
from portico.plan.gateway.httpd.entry.trust import setting
from portico.plan.gateway.httpd.names import GUARD
from portico.plan.gateway.httpd.syntax import Directive, directive, section
from portico.plan.paths import Paths, users_file
from portico.plan.web.access import Users
from portico.plan.web.guards import Password
from portico.plan.web.model import Web
from portico.plan.web.refusals import GUESS, PASSWORD

MODULES = ("authn_core", "authn_file", "authz_user", "auth_basic", "env")
USERS, _ASKED = "PORTICO_USERS", "PORTICO_ASKED"
"""The number of the users of the path; the same where a mount asks for them."""
_HEADER = "Remote-User"


def password_choice(web: Web) -> list[Directive]:
    """Before the rules of the mounts: which users the path has."""
    users = web.access.users
    return by_path(users, USERS, "the users with access here") if users else []


def asks_password(web: Web, guard: Password) -> list[Directive]:
    """The rules of a mount: refuse a client that has guessed too often, and mark every other."""
    made, cause = list[Directive](), _cause(guard)
    known = directive(
        "RewriteCond", f"%{{ENV:{USERS}}}", "^(.+)$", why="a password is asked for", cause=cause
    )
    if web.guesses:
        why = "the client has named many wrong passwords: Portico makes a file for it, for a while"
        flags = f"[R=429,L,E={GUARD}:{GUESS}]"
        made += [known, looked_for(web.guesses.directory, why, web.guesses.cause),
                 directive("RewriteRule", "^", "-", flags, why="no more guesses for now", cause=cause)]  # fmt: skip
    mark = directive("RewriteRule", "^", "-", f"[E={_ASKED}:%1]", why="the users who are asked", cause=cause)
    return [*made, known, mark]


def password_sections(web: Web) -> list[Directive]:
    """In a virtual host: what asks. Rules run before, and decide whether it does."""
    users = web.access.users
    return [_asks(web, number, one) for number, one in enumerate(users.values if users else ())]


def user_headers(web: Web) -> list[Directive]:
    """In a virtual host: nobody but httpd says who the user is."""
    users = web.access.users
    if users is None:
        return []
    why = "what a client sends under this name never arrives"
    return [directive("RequestHeader", "unset", _HEADER, why=why, cause=users.values[0].cause)]


def _asks(web: Web, number: int, users: Users) -> Directive:
    cause, file = users.cause, f"{Paths.of(web.place).conf}/{users_file(number)}"
    told = "the app is told the user, and no password that httpd asks for"
    said = [directive("RequestHeader", "unset", "Authorization", why=told, cause=cause)]
    if is_http(web):
        said.append(directive("RequestHeader", "set", _HEADER, "expr=%{REMOTE_USER}", why=told, cause=cause))
    line, right = (
        "what the log line says if httpd refuses the client",
        "the password was right: nobody has refused",
    )
    return section(
        "If", f"reqenv('{_ASKED}') == '{number}' && %{{IS_SUBREQ}} == 'false'", cause=cause,
        why="a rule has found that a password is asked for; a rule that looks for a file asks nobody",
        of=[
            setting("true", f"{GUARD}={PASSWORD}", line, cause),
            setting("-n req_novary('Authorization')", f"{GUARD}={GUESS}", line, cause),
            directive("AuthType", "Basic", why="asks for a name and a password", cause=cause),
            directive("AuthName", users.realm, why="the realm that browsers show", cause=cause),
            directive("AuthBasicProvider", "file", why="the users are in a file", cause=cause),
            directive("AuthUserFile", file, why="the users with access", cause=cause),
            directive("Require", "valid-user", why="each of them, and nobody else", cause=cause),
            directive("SetEnv", GUARD, "", why=right, cause=cause),
            *said,
        ],
    )  # fmt: skip


def _cause(guard: Password) -> str:
    return "; ".join(dict.fromkeys(one.cause for one in guard.users.values if one.cause))
