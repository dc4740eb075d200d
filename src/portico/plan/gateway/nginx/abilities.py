"""What this build of nginx can do."""

from __future__ import annotations

from portico.place.model import NginxBuild
from portico.plan.web.ability import Ability


def abilities(build: NginxBuild) -> frozenset[Ability]:
    """Everything that not every build can."""
    known = {
        Ability.HTTP3: "http_v3_module" in build.modules,
        Ability.HEALTH: "http_auth_request_module" in build.modules,
        Ability.FOLLOWS_NAMES: build.since(1, 27, 3),
    }
    return frozenset(one for one, can in known.items() if can)
