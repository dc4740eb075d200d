"""Why nginx does not refuse by the app's own routes, where the site wants it to; and what it leaves to the app."""

from __future__ import annotations

from collections.abc import Iterator

from portico.plan.web.allow_list import obstacles
from portico.plan.web.model import Web

_MOST = 3


def unlisted(web: Web) -> Iterator[str]:
    """One note, with the reasons."""
    guard, site = web.site.options.guard, web.site
    key = "guard.routes" if guard.routes else "guard.scanners"
    cause = site.cause(key)
    if web.is_waiting or not getattr(guard, key.removeprefix("guard.")) or key not in site.causes:
        return
    found = list(obstacles(site))
    if web.access.users and web.access.users.rest:
        found.append(
            "all clients are asked for a password first, and a refusal would reveal which routes exist"
        )
    if found:
        more = f"; and {len(found) - _MOST} more" if len(found) > _MOST else ""
        what = f"{cause}: {web.place.gateway.program} refuses nothing by the app's routes"
        yield f"{what}: {'; '.join(found[:_MOST])}{more}{_remedy(web)}"


def unbanned(web: Web) -> Iterator[str]:
    """A note where nobody can be banned, because nobody is seen to try paths of scanners."""
    site = web.site
    if web.is_waiting or not site.options.guard.ban:
        return
    found = list(obstacles(site))
    if web.access.users and web.access.users.rest:
        found.append("all clients are asked for a password first, and no path counts as one of scanners")
    if found:
        more = f"; and {len(found) - _MOST} more" if len(found) > _MOST else ""
        cause = site.cause("guard.ban")
        yield f"{cause}: no client is banned: {'; '.join(found[:_MOST])}{more}{_remedy(web)}"


def shown(web: Web) -> Iterator[str]:
    """A note where the list is on, and browsers still reach the app."""
    unrouted, cause = web.site.facts.unrouted, web.site.cause("guard.routes")
    if web.is_waiting or any(unlisted(web)):
        return
    if web.site.options.guard.routes and web.allow_list and web.allow_list.shows_page and unrouted:
        yield (
            f"{cause}: browsers that go to an unknown path still reach the app, for its own page "
            f"({unrouted.page}); a 404.html in [errors] answers them in {web.place.gateway.program}"
        )


def _remedy(web: Web) -> str:
    unrouted = web.site.facts.unrouted
    if unrouted is None or not unrouted.answers or web.site.options.guard.others is not None:
        return ""
    return '; if you know which paths that code answers, say so: [guard] others = ["/old/<path:rest>"], or [] for none'
