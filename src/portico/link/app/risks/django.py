"""Which of Django's settings are unsafe: those of a new project are."""

# mypy: disable-error-code="import-untyped"
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings

from portico.link.app.risks.memory import risk as of_memory
from portico.link.app.risks.risks import Risk, risk


def risks(_application: object) -> Iterator[Risk]:
    if settings.DEBUG:
        what = "DEBUG is on: error pages show settings, source and queries to all visitors"
        yield risk("debug", what, "set DEBUG = False, and ALLOWED_HOSTS to the site's names")
    if "*" in settings.ALLOWED_HOSTS:
        what = 'ALLOWED_HOSTS has "*": whatever a client calls the site stands in its links'
        yield risk("hosts", what, "name the site's hosts, or set domains: nginx then closes all others")
    if any("debug_toolbar" in one for one in settings.INSTALLED_APPS) and settings.DEBUG:
        what = "the debug toolbar shows queries, settings and source"
        yield risk("debug", what, "leave debug_toolbar out of INSTALLED_APPS")
    yield from _in_memory()


def _in_memory() -> Iterator[Risk]:
    """Django's cache is in memory by default; it counts if the project configures it, or stores sessions in it."""
    caches = [name for name, one in settings.CACHES.items() if "locmem" in str(one.get("BACKEND")).lower()]
    if caches and settings.SESSION_ENGINE == "django.contrib.sessions.backends.cache":
        what = "sessions are in LocMemCache: every worker has its own, and a login holds in one of them"
        yield of_memory(
            "sessions", what, 'use SESSION_ENGINE "cached_db" or "db"; or run one worker: --workers 1'
        )
    elif caches and settings.is_overridden("CACHES"):
        what = f"the cache ({', '.join(caches)}) is LocMemCache: every worker has its own"
        yield of_memory(
            "the cache", what, "use the database, files, Redis or memcached; or run one worker: --workers 1"
        )
    layers = [str(one.get("BACKEND")) for one in getattr(settings, "CHANNEL_LAYERS", {}).values()]
    if any("InMemoryChannelLayer" in one for one in layers):
        what = "the channel layer is in memory: a message reaches the clients of one worker only"
        yield of_memory("the channel layer", what, "use channels_redis; or run one worker: --workers 1")


def keys(_application: object) -> Iterator[tuple[str, Any]]:
    for name in ("SECRET_KEY", "SECRET_KEY_FALLBACKS"):
        try:
            value = getattr(settings, name)
        except Exception:  # noqa: BLE001, S112  an empty one raises, and Django does not start with it
            continue
        if value:
            yield name, value
