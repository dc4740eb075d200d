"""What a site is while it is developed (`--dev`): its timeouts, and what is watched. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from portico.errors import Problem
from portico.plan.model import STANDBY_SECONDS
from portico.plan.subjects import Ladder, PlannedDevelopment
from portico.plan.web.model import Web
from portico.site.environment import USUAL_FILES
from portico.site.model import Site
from portico.site.variants.development import CAUSE, is_loopback

_FILE = "portico.toml"
LEAVE_SECONDS, STOP_SECONDS, SERVICE_SECONDS = 3.0, 5.0, 8.0
"""At a change and at the end. A session in a debugger would never finish; one whose code has changed is worth little.
"""
VARIABLES = {"FLASK_DEBUG": "1", "QUART_DEBUG": "1"}
"""Read when the app is made."""


def ladder(site: Site) -> Ladder:
    """The timeouts of a site: in development a request may take as long as a debugger needs, and an end is quick."""
    made = Ladder.of(site.longest_timeout)
    if site.development is None:
        return made
    return replace(
        made, drain_seconds=LEAVE_SECONDS, stop_seconds=STOP_SECONDS, service_seconds=SERVICE_SECONDS
    )


def standby_seconds(site: Site) -> float:
    """How long a replaced release can be rolled back."""
    return 0.0 if site.development else STANDBY_SECONDS


def urls(web: Web) -> tuple[str, ...]:
    """Those to show: every name below localhost answers, too."""
    every = web.hosts.urls
    return tuple(url for url in every if "*" not in url) if web.site.development else every


def development(web: Web) -> PlannedDevelopment | None:
    """What is watched."""
    site = web.site
    if site.development is None:
        return None
    own = site.origin if site.origin.endswith(".toml") else _FILE
    files = [own, *site.options.env_file, *USUAL_FILES]
    return PlannedDevelopment(
        directories=tuple(dict.fromkeys((site.directory, site.facts.directory))),
        without=(*(folder.path for folder in web.statics.folders), web.place.runtime, web.place.state),
        settings=tuple(dict.fromkeys(site.path(name) for name in files)),
    )


def impossible(web: Web) -> Iterator[Problem]:
    """Why a site cannot be developed like this."""
    site = web.site
    if site.development is None:
        return
    if not site.has_app:
        yield Problem(CAUSE, "reloads an app, and none runs here", f"leave {CAUSE} out")
    observed = (endpoint for endpoint in (web.observers.metrics, web.observers.dashboard) if endpoint)
    listens = [*web.listeners.tcp, *(address for endpoint in observed for address in endpoint.listen)]
    public = [str(one) for one in listens if not is_loopback(one)]
    if public:
        what = f"{CAUSE} serves this machine alone, and {' and '.join(public)} can be reached from others"
        yield Problem(
            CAUSE, what, "expected 127.0.0.1 or [::1]: whoever reaches the debugger of an app runs code"
        )


def notes(web: Web) -> Iterator[str]:
    """That it is no production, and what does not hold."""
    made = web.site.development
    if made is None:
        return
    yield (
        f"{CAUSE}: one worker, the debugger, no caches, no time limit for a request; a change in {web.site.directory} "
        "reloads it"
    )
    if made.set_aside:
        yield f"{CAUSE} sets aside: {', '.join(made.set_aside)}"
