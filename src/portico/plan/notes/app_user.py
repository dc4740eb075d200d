"""The user that the app runs as if Portico was started as root."""

from __future__ import annotations

from collections.abc import Iterator

from portico.plan.web.model import Web


def app_user(web: Web) -> Iterator[str]:
    """The app's user and the reason, or why the app has no user of its own."""
    place = web.place
    if not web.site.has_app:
        return
    if place.app_user:
        yield f"the app runs as '{place.app_user}': {place.app_user_why}"
        if place.entangled:
            yield place.entangled
    elif place.app_user_why:
        yield place.app_user_why
    elif place.is_root:
        yield "the app runs as root, as you said; name another with user"
