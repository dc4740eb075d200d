"""How much the gateway reads from a client, how slow it may be, and how much of an answer waits for it."""

from __future__ import annotations

from msgspec import Struct

from portico.place.model import Place
from portico.plan.web.sizes import answer_on_disk
from portico.site.model import Site
from portico.values import Size

LINE_KIB = 8
"""The largest header and request line."""
ANSWER_KIB = 64
"""The largest head of an answer; link/head.py refuses a larger one."""
HEAD_SECONDS = 10.0
"""The timeout for the head of a request; until it is complete, it counts against no address."""
BODY_PAUSE_SECONDS = 30.0
"""The longest pause in a request body: slow uploads work."""
SEND_PAUSE_SECONDS = 30.0
"""The longest pause in sending an answer: slow downloads work, dead ones end."""
IDLE_SECONDS = 65.0
"""The keep-alive timeout between requests: a browser's next click reuses the connection."""
LEAST_IDLE_SECONDS = 10.0
"""How long idle connections stay open after a change of the configuration. Without it 320 of 2 016 requests were
lost in 20 reloads, with it none.
"""
OLD_SECONDS = 12 * 3600.0
"""How long transfers may continue after a change of the configuration; a stop closes them."""


class Transfer(Struct, frozen=True):
    """Sizes that depend on the site and its place; those above, and timeouts, are the same for every site."""

    largest_body: Size
    """The largest request body; a larger one is refused with 413 before it costs anything. 0 is no limit."""
    answer_on_disk: int
    """Bytes of an answer that wait on disk for a slow client, while the app is free."""
    body_cause: str
    disk_cause: str


def transfer(site: Site, place: Place) -> Transfer:
    """How much is taken, and how much waits."""
    is_apps = site.options.max_upload is None and site.facts.max_content_length is not None
    return Transfer(
        largest_body=site.max_upload,
        answer_on_disk=answer_on_disk(place),
        body_cause="the app's MAX_CONTENT_LENGTH" if is_apps else site.cause("max_upload"),
        disk_cause=f"disk of {place.disk >> 30} GiB" if place.disk else "",
    )
