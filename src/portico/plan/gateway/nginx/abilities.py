"""The abilities of this build of nginx."""

from __future__ import annotations

from collections.abc import Iterable

from portico.errors import Problem
from portico.place.model import Build
from portico.plan.gateway.nginx.security.holes import http2_hole
from portico.plan.web.ability import Ability

HEADERS_MORE = "headers_more_filter"
"""The dynamic module that takes headers from answers."""
MODSECURITY = "modsecurity"
"""The dynamic module of the firewall."""
OLDEST_NGINX = (1, 22, 0)
"""Debian 12's version; generated configurations are tested with nothing older."""
_HINT = "leave --nginx out: Portico then takes one that can, at least its own (embedded)"
_MODULES = {
    Ability.TLS: ("TLS", "http_ssl_module"),
    Ability.HTTP2: ("HTTP/2", "http_v2_module"),
    Ability.HTTP3: ("HTTP/3", "http_v3_module"),
    Ability.SIGNED: ("signatures", "http_secure_link_module"),
    Ability.HEALTH: ("subrequests", "http_auth_request_module"),
}
"""Its name for people, and the module that a build needs for it."""
SINCE = {
    Ability.EVERY_LINE: (1, 23),
    Ability.HTTP2_BY_SITE: (1, 25, 1),
    Ability.FOLLOWS_NAMES: (1, 27, 3),
    Ability.KEEPS_IDLE: (1, 27, 4),
    Ability.STICKY: (1, 29, 6),
    Ability.LEAST_TIME: (1, 31, 0),
}
"""The first open-source nginx with it."""


def _first(ability: Ability) -> str:
    return ".".join(map(str, SINCE[ability]))


REMEDIES = {
    Ability.CLEARS_HEADERS: (
        "the nginx that comes with Portico can (--nginx embedded), Debian's with the package "
        "libnginx-mod-http-headers-more-filter"
    ),
    Ability.HEALTH: "leave --nginx out: Portico then takes one that can",
    Ability.SIGNED: _HINT,
    Ability.EVERY_LINE: f"{_first(Ability.EVERY_LINE)} and newer read all",
    Ability.KEEPS_IDLE: (
        f"nginx {_first(Ability.KEEPS_IDLE)} or newer has keepalive_min_timeout; choose it for that only when it has "
        "no known faults"
    ),
}
"""What to do if a build lacks it."""


def abilities(build: Build) -> frozenset[Ability]:
    """Every ability of the build that not all builds have."""
    known = {
        Ability.ROUTES: True,
        **{ability: module in build.modules for ability, (_, module) in _MODULES.items()},
        Ability.SAFE_HTTP2: http2_hole(build) is None,
        Ability.CLEARS_HEADERS: _clears_headers(build),
        Ability.WAF: MODSECURITY in build.loadable,
        **{ability: build.since(*version) for ability, version in SINCE.items()},
    }
    return frozenset(
        (Ability.CACHE, Ability.DOWNLOADS, Ability.FENCES, *(one for one, can in known.items() if can))
    )


def _clears_headers(build: Build) -> bool:
    """Whether headers can be taken from an answer (OpenResty's headers-more)."""
    is_compiled_in = any(name.startswith("headers-more-nginx-module") for name in build.modules)
    return is_compiled_in or HEADERS_MORE in build.loadable


def lacking(needed: Iterable[Ability], build: Build) -> list[Problem]:
    """The first of these that the build was made without."""
    return [
        Problem(build.path, f"was built without {name} ({module})", _HINT)
        for name, module in map(_MODULES.__getitem__, needed)
        if module not in build.modules
    ][:1]


def impossible_version(build: Build) -> list[Problem]:
    """Why this nginx is too old; None if it is not."""
    if build.since(*OLDEST_NGINX):
        return []
    oldest = ".".join(map(str, OLDEST_NGINX))
    what = f"nginx {build.number} is too old, Portico writes for {oldest} and newer"
    return [Problem(build.path, what, _HINT)]
