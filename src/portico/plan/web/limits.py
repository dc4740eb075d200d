"""How much one client may ask for and hold. A request beyond that is refused with 429."""

from __future__ import annotations

from dataclasses import dataclass

from portico.place.model import Place
from portico.plan.web.sizes import share, uploads
from portico.site.model import Site
from portico.site.proxies import ranges


@dataclass(frozen=True)
class Share:
    """Requests that one client may have in progress."""

    most: int
    cause: str


@dataclass(frozen=True)
class Rate:
    """Requests that one client may begin in a time, as `10r/s`; `burst` more are let through at once."""

    requests: str
    burst: int
    cause: str


@dataclass(frozen=True)
class Limits:
    """What one client may ask for and hold of the site.

    A client is an IPv4 address or an IPv6 network of 64 bits. `uncounted` are the networks of declared proxies, which
    stand for many clients.
    """

    held: Share
    """Of everything: files, error pages, slow downloads and event streams, too."""
    bodies: Share
    """Of these, the requests that send a body, which may wait on disk."""
    uncounted: tuple[str, ...]
    uncounted_cause: str
    rate: Rate | None = None
    """Of requests to the app, as [limits] has it."""
    in_progress: Share | None = None
    """Of requests to the app, as [limits] has it."""
    is_dry_run: bool = False
    """What `rate` and `in_progress` would refuse is only logged."""
    dry_run_cause: str = ""


def limits(site: Site, place: Place) -> Limits:
    """What one client may ask for and hold."""
    options = site.options.limits
    return Limits(
        held=Share(share(place), f"file limit {place.file_limit}, {place.cpus:g} CPUs"),
        bodies=Share(
            uploads(place, site.largest_upload),
            f"disk of {place.disk >> 30} GiB" if place.disk else "",
        ),
        uncounted=ranges(site.proxies),
        uncounted_cause=site.cause("behind"),
        rate=Rate(str(options.rate), options.burst, site.cause("limits.rate")) if options.rate else None,
        in_progress=(
            Share(options.in_progress, site.cause("limits.in_progress")) if options.in_progress else None
        ),
        is_dry_run=options.dry_run,
        dry_run_cause=site.cause("limits.dry_run"),
    )
