"""The risks of a site with the nginx in use, and the command that fixes them."""

from __future__ import annotations

from portico.place.model import Build, Place
from portico.plan.gateway.faults import Hole
from portico.plan.gateway.nginx.security.advisories import ADVISORIES, AS_OF
from portico.plan.gateway.nginx.security.choice import configuration
from portico.plan.gateway.nginx.security.holes import holes, open_in
from portico.plan.notes.reachable import is_reachable
from portico.site.model import Site

PACKAGES = "https://nginx.org/en/linux_packages.html"
_APT = ("apt update && apt install nginx", "apt update && apt install nginx")
_DNF = ("dnf install nginx", "dnf upgrade --refresh nginx")
_COMMANDS = {
    "debian": _APT, "ubuntu": _APT, "fedora": _DNF, "rhel": _DNF,
    "suse": ("zypper install nginx", "zypper update nginx"),
    "alpine": ("apk add nginx", "apk add --upgrade nginx"), "arch": ("pacman -S nginx", "pacman -Syu nginx"),
    "macos": ("brew install nginx", "brew upgrade nginx"),
}  # fmt: skip
"""For each system: the command that installs nginx, and the one that updates its package."""


def found(site: Site, place: Place) -> tuple[Hole, ...]:
    """The open advisories of the nginx in use, and whether the site's configuration uses each."""
    return holes(place.gateway, configuration(site, place)) if open_in(place.gateway) else ()


def alarms(site: Site, place: Place) -> tuple[str, ...]:
    """Warnings for a site that others can reach: severe faults that it uses, and their fix."""
    severe = [one.advisory for one in found(site, place) if one.is_severe] if is_reachable(site) else []
    if not severe:
        return ()
    named = "; ".join(f"{one.id}, {one.about}" for one in severe)
    what = f"nginx {place.gateway.described} has severe faults that this site uses ({named})"
    return (f"{what}, as of {AS_OF}: {mend(place)}",)


def mend(place: Place) -> str:
    """The command that installs a patched nginx here."""
    build, is_packaged = place.gateway, place.gateway.package is not None
    commands = next((_COMMANDS[name] for name in place.systems if name in _COMMANDS), None)
    if commands is None or (build.origin != "embedded" and not is_packaged):
        return f"install {_NEWER}"
    if build.origin == "embedded":
        left_out = ", and leave out --nginx embedded" if place.gateway_named == "embedded" else ""
        return f"{commands[0]}{left_out}"
    unseen = (
        "" if build.package and build.package.has_changelog else "; no changelog is here to tell its fixes"
    )
    return f"{commands[1]}; where that brings no fix, {_NEWER}{unseen}"


_NEWEST = max((one.fixed for one in ADVISORIES if one.severity == "major"), key=max)
_NEWER = f"nginx {' or '.join('.'.join(map(str, one)) for one in sorted(_NEWEST))} and newer, {PACKAGES}"


def judged_by(build: Build) -> str:
    """The basis of the judgement."""
    if build.package is None:
        return f"nginx's number {build.number}"
    if build.package.has_changelog:
        return f"the changelog of the package {build.package.name} {build.package.version}"
    return f"the version of the package {build.package.name} {build.package.version}: its changelog is missing here"
