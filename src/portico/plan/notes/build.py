"""The notes of a plan, in the order of the output. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from portico.plan.development import notes as development_notes
from portico.plan.gateway.kinds import gateway_of
from portico.plan.notes.allow_list import shown, unbanned, unlisted
from portico.plan.notes.app_risks import app_risks, processes, threads
from portico.plan.notes.app_user import app_user
from portico.plan.notes.cache import uncached
from portico.plan.notes.crawlers import robots_elsewhere
from portico.plan.notes.discovered import discovered
from portico.plan.notes.guarded import guarded_notes
from portico.plan.notes.headers import named_server
from portico.plan.notes.linked import linked_notes
from portico.plan.notes.machine import (
    exposed,
    few_connections,
    left_out,
    options_of_the_environment,
    other_python,
    short_lived,
    variables_left_out,
)
from portico.plan.notes.own import of_another_gateway
from portico.plan.notes.pages import unused_pages
from portico.plan.notes.passwords import dear_passwords, shown_passwords
from portico.plan.notes.reachable import reachable
from portico.plan.notes.static_folders import unreadable, unwritable, withheld
from portico.plan.notes.unreached import unanswered, unreached
from portico.plan.notes.uploads import upload_notes
from portico.plan.notes.upstream import nothing_to_choose
from portico.plan.web.app.challenge import notes as challenge_notes
from portico.plan.web.model import Web
from portico.plan.web.routing.build import notes as routing_notes
from portico.plan.web.waf import notes as waf_notes

NOTES: tuple[Callable[[Web], Iterable[str]], ...] = (
    development_notes,
    app_risks, processes, threads, discovered, guarded_notes, unreadable, withheld, unwritable, linked_notes, reachable,
    unused_pages, left_out, options_of_the_environment, variables_left_out, short_lived, unreached, unanswered,
    unlisted, unbanned, robots_elsewhere, shown, other_python,
    lambda web: gateway_of(web.place).notes(web), nothing_to_choose, named_server, uncached, upload_notes,
    lambda web: waf_notes(web.site),
    lambda web: challenge_notes(web.site, web.routed, is_waiting=web.is_waiting),
    lambda web: routing_notes(web.site, web.routing),
    app_user, exposed, few_connections, dear_passwords, shown_passwords, of_another_gateway,
)  # fmt: skip


OF_APP = (
    app_risks,
    processes,
    threads,
    left_out,
    options_of_the_environment,
    variables_left_out,
    short_lived,
    other_python,
    app_user,
    exposed,
)
"""Those of a site whose gateway is elsewhere."""


def notes(web: Web) -> tuple[str, ...]:
    """One sentence each."""
    return tuple(sentence for note in (NOTES if web.site.has_gateway else OF_APP) for sentence in note(web))
