"""Clients that are refused everything for a while: nginx looks for a file with the client's name, without a reload."""

from __future__ import annotations

from collections.abc import Sequence

from portico.plan.gateway.nginx.log.text import GUARD, refusing
from portico.plan.gateway.nginx.names import variable
from portico.plan.gateway.nginx.pages import PREFIX
from portico.plan.gateway.nginx.syntax import Directive, block, directive, entries
from portico.plan.subjects import PlannedBans
from portico.plan.web.guards import Guard, NotBanned
from portico.plan.web.model import Web
from portico.plan.web.pages import BANNED
from portico.plan.web.refusals import BAN, GUESS
from portico.plan.web.unwanted.bans import V4, V6, Bans

CLIENT_NAME = "$portico_client_name"
_REFUSED = 462
"""A status no layer uses otherwise; it never leaves nginx."""
_NOBODY = "-"
_NUMBERED = r"\$\{?[0-9]"
_WHY = "is refused for a while: Portico makes a file for each; looking for it costs a request 0.4 to 1.4 us"


def client_map() -> Directive:
    """At `http` level: the client as the name of a file. Each capture stands alone wherever it is used."""
    rows = [(f"portico_in_{number}", row) for number, row in enumerate((V4, *V6))]
    return entries(
        "map", "$remote_addr", CLIENT_NAME,
        table=[
            ("default", ""),
            *((f"~^{before}(?<{name}>{of}){behind}", f"${name}") for name, (before, of, behind) in rows),
        ],
        why="who counts as one client, as the name of a file: an IPv4 address, or how an IPv6 address writes its "
        "network of 64 bits",
    )  # fmt: skip


def planned(web: Web) -> PlannedBans | None:
    """What whoever bans clients has to know."""
    bans = web.bans
    if bans is None:
        return None
    return PlannedBans(
        bans.directory, bans.after, bans.seconds, bans.is_dry_run, bans.never, by_network(web), bans.cause
    )


def banned(web: Web, bans: Bans) -> list[Directive]:
    """In a location: refuses a client that is banned. A dry run is noted by `dry_run`."""
    if bans.is_dry_run:
        return []
    return [
        block(
            "if", "(-f", f"{bans.directory}/{client_name(web)})", why=f"the client {_WHY}", cause=bans.cause,
            of=[refusing(BAN), directive("return", _REFUSED, why="leads to the page of a ban", cause=bans.cause)],
        )
    ]  # fmt: skip


def dry_run(web: Web) -> list[Directive]:
    """At server level, where an `if` changes nothing else: notes who would be refused.

    nginx comes here again on its way to an error page: a guard that has refused by then keeps its name.
    """
    bans = web.bans
    if bans is None or not bans.is_dry_run:
        return []
    why = "only the log line says that the request would be refused"
    return [
        block(
            "if", "(-f", f"{bans.directory}/{client_name(web)}{GUARD})", why=f"the client would be refused; it {_WHY}",
            cause=bans.dry_run_cause,
            of=[directive("set", GUARD, f"{BAN}, dry run", why=why, cause=bans.dry_run_cause)],
        )
    ]  # fmt: skip


def guesser_map(web: Web) -> list[Directive]:
    """At `http` level: the client, where a password is asked for."""
    if web.guesses is None:
        return []
    table = [("default", client_name(web)), ("off", _NOBODY)]
    why = (
        "the client as the name of a file, where nginx asks for a password; elsewhere a name that no file has"
    )
    return [
        entries(
            "map",
            variable(web, "realm"),
            variable(web, "guesser"),
            table=table,
            why=why,
            cause=web.guesses.cause,
        )
    ]


def guessed(web: Web) -> list[Directive]:
    """In a location that asks for a password: refuses a client that has tried too many."""
    if web.guesses is None:
        return []
    cause = web.guesses.cause
    return [
        block(
            "if", "(-f", f"{web.guesses.directory}/{variable(web, 'guesser')})", cause=cause,
            why="the client has named many wrong passwords: Portico makes a file for it, for a while",
            of=[refusing(GUESS), directive("return", 429, why="no more guesses for now", cause=cause)],
        )
    ]  # fmt: skip


def ban_page(web: Web, guards: Sequence[Guard]) -> list[Directive]:
    """Where a banned client's requests lead: at server level, and where a location has pages of its own."""
    if not any(isinstance(guard, NotBanned) and not guard.bans.is_dry_run for guard in guards):
        return []
    return [
        directive(
            "error_page", _REFUSED, "=403", f"{PREFIX}{BANNED}.$portico_page",
            why="a client that is refused for a while learns why", cause=web.bans.cause if web.bans else "",
        )
    ]  # fmt: skip


def client_name(web: Web) -> str:
    return CLIENT_NAME if by_network(web) else "$remote_addr"


def by_network(web: Web) -> bool:
    """But where own directives have numbered captures, which those of `client_map` would replace."""
    return not web.own.say(_NUMBERED)
