"""Clients that are refused for a while: httpd looks for a file with the client's name, without a reload."""

from __future__ import annotations

from portico.plan.gateway.httpd.entry.trust import setting
from portico.plan.gateway.httpd.names import GUARD
from portico.plan.gateway.httpd.pages import FORBIDDEN
from portico.plan.gateway.httpd.syntax import Directive, directive
from portico.plan.subjects import PlannedBans
from portico.plan.web.model import Web
from portico.plan.web.pages import BANNED
from portico.plan.web.refusals import BAN
from portico.plan.web.unwanted.bans import V4, V6, Bans

CLIENT = "PORTICO_CLIENT"
"""Who counts as one client, as the name of a file: an IPv4 address, or how an IPv6 address writes its network."""
DRY = "PORTICO_DRY_RUN"
"""What a dry run appends to the name of the guard: a comma cannot stand in the flags of a rule."""
_WHY = "the client is refused for a while: Portico makes a file for each"


def planned(web: Web) -> PlannedBans | None:
    """What whoever bans clients has to know."""
    bans = web.bans
    if bans is None:
        return None
    return PlannedBans(
        bans.directory, bans.after, bans.seconds, bans.is_dry_run, bans.never, True, bans.cause
    )


def dry_settings() -> list[Directive]:
    """In a virtual host: the words of a dry run."""
    return [setting("true", f"{DRY}=, dry run", "only the log line says that the request would be refused")]


def client_choice() -> list[Directive]:
    """Before the rules of the mounts: the client's name. The first row that matches counts, so it is the last here."""
    why = (
        "who counts as one client, as the name of a file: an IPv4 address, or the network of an IPv6 address"
    )
    made = list[Directive]()
    for before, name, behind in reversed((V4, *V6)):
        made += [
            directive("RewriteCond", "%{REMOTE_ADDR}", f"^{before}({name}){behind}", why=why),
            directive("RewriteRule", "^", "-", f"[E={CLIENT}:%1]", why=why),
        ]
    return made


def dry_run(web: Web) -> list[Directive]:
    """Before the rules of the mounts: notes who would be refused. A guard that refuses replaces the note."""
    bans = web.bans
    if bans is None or not bans.is_dry_run:
        return []
    return [
        looked_for(bans.directory, _WHY, bans.dry_run_cause),
        directive("RewriteRule", "^", "-", f"[E={GUARD}:{BAN}%{{ENV:{DRY}}}]", why="a dry run: only the log line says "
                  "so", cause=bans.dry_run_cause),
    ]  # fmt: skip


def banned(bans: Bans) -> list[Directive]:
    """The rules of a mount: refuse a client that is banned."""
    if bans.is_dry_run:
        return []
    flags = f"[R=403,L,E={GUARD}:{BAN},E={FORBIDDEN}:{BANNED}]"
    why = "a client that is refused for a while learns why"
    return [
        looked_for(bans.directory, _WHY, bans.cause),
        directive("RewriteRule", "^", "-", flags, why=why, cause=bans.cause),
    ]


def looked_for(directory: str, why: str, cause: str) -> Directive:
    """The condition that the client has a file there."""
    return directive("RewriteCond", f"{directory}/%{{ENV:{CLIENT}}}", "-f", why=why, cause=cause)
