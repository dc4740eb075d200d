"""The abilities of an Apache httpd, and what it cannot do for a site."""

from __future__ import annotations

from portico.errors import Problem
from portico.place.model import Build, Place
from portico.plan.gateway.httpd.modules import has
from portico.plan.web.ability import Ability

OLDEST = (2, 4, 47)
"""The first that passes WebSockets on by mod_proxy_http (`upgrade=websocket`)."""
REMEDIES = {
    Ability.CACHE: 'with Apache httpd, Portico keeps no answers of the app; nginx does (gateway = "nginx")',
    Ability.KEEPS_IDLE: "change portico.toml while few clients are there",
    Ability.HEALTH: 'nginx can (gateway = "nginx")',
    Ability.SIGNED: 'nginx can (gateway = "nginx")',
    Ability.CLEARS_HEADERS: "no option of httpd leaves its name out",
}
"""What to do if a build lacks it."""


def abilities(build: Build) -> frozenset[Ability]:
    """Every ability of the build that not all gateways have."""
    known = {
        Ability.TLS: has(build, "ssl"),
        Ability.HTTP2: has(build, "http2"),
        Ability.SAFE_HTTP2: has(build, "http2"),
        Ability.HTTP2_BY_SITE: True,
        Ability.EVERY_LINE: True,
        Ability.STICKY: True,
        Ability.ROUTES: True,
        Ability.FOLLOWS_NAMES: True,
    }
    return frozenset(one for one, can in known.items() if can)


def impossible_version(build: Build) -> list[Problem]:
    """Why this httpd is too old."""
    if build.since(*OLDEST):
        return []
    oldest = ".".join(map(str, OLDEST))
    what = f"Apache httpd {build.number} is too old, Portico writes for {oldest} and newer"
    return [Problem(build.path, what, "install a newer one: apt install apache2-bin")]


def impossible_folders(place: Place) -> list[Problem]:
    """Rules look for files there, and httpd would replace a part of the name: none would be found."""
    hint = "choose a directory without one for Portico's own files"
    return [
        Problem(path, f"has a {sign}, which httpd replaces in its rules", hint)
        for path in dict.fromkeys((place.runtime, place.state))
        for sign in "$%"
        if sign in path
    ]
