"""Does the machine have what the plan needs?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from portico.check.accepted import accepted
from portico.check.copies import copy_findings
from portico.check.directories import directory_findings
from portico.check.https import https_findings
from portico.check.model import Finding, fault, ok, warning
from portico.check.own import own_findings
from portico.check.programs import program_findings
from portico.check.security import security_findings
from portico.check.statics import static_findings
from portico.errors import PorticoError
from portico.place.access import blocked, remedy
from portico.place.model import Place
from portico.plan.gateway.kinds import gateway_of
from portico.plan.model import Plan
from portico.plan.web.ability import Ability
from portico.plan.web.entry.listeners import WANTED_BACKLOG
from portico.plan.web.sizes import FILES_PER_CONNECTION, connections
from portico.run.disk.lock import Running, running
from portico.run.sockets import ports
from portico.site.model import Site
from portico.values import Address


def machine_findings(
    site: Site, place: Place, planned: Plan, ours: frozenset[int] = frozenset()
) -> Iterator[Finding]:
    """Everything about the gateway, ports, paths and limits. `ours` are ports of sites beside this one."""
    if planned.has_gateway:
        yield from _gateway_findings(site, place, planned, ours)
    yield from directory_findings(place, planned)
    yield from program_findings(planned)
    yield _backlog(place)
    yield _user(place)
    if place.exposed:
        what = f"root runs Python and Portico from a place that others can change: {place.exposed}"
        yield warning(
            "rights",
            what,
            "install Portico where only root may write, such as /opt/portico",
            "portico-writable",
        )


def _gateway_findings(site: Site, place: Place, planned: Plan, ours: frozenset[int]) -> Iterator[Finding]:
    yield accepted(site, place)
    yield from security_findings(site, place)
    yield _reloads(place)
    yield from _ports(planned, ours)
    yield from _folders(site, place)
    yield from static_findings(site, place)
    yield from own_findings(site, place)
    yield from copy_findings(planned)
    yield from https_findings(planned)
    yield _files(place)


def _reloads(place: Place) -> Finding:
    """Idle connections while the gateway reloads its files; a reload of the app alone does not touch it."""
    kind = gateway_of(place)
    subject = f"{kind.name} reload"
    if Ability.KEEPS_IDLE in kind.abilities(place):
        return ok(
            subject,
            f"idle connections stay open while {kind.name} reads a changed configuration",
            "gateway-reload",
        )
    return warning(
        subject,
        f"{kind.name} {place.gateway.number} closes idle connections when its configuration changes, and a "
        "client that sends on such a connection at that moment loses the request; new connections and "
        "reloads of the app alone lose nothing",
        kind.remedies[Ability.KEEPS_IDLE],
        "gateway-reload",
    )


def ports_of(runtimes: Iterable[str]) -> frozenset[int]:
    """The current ports of the sites with those runtime directories."""
    owners = (_running(runtime) for runtime in runtimes if runtime)
    return frozenset(_port_of(url) for owner in owners if owner for url in owner.urls)


def _ports(planned: Plan, ours: frozenset[int]) -> Iterator[Finding]:
    """The ports that the gateway would bind; those of the running site are its own."""
    owner, own = _running(planned.runtime), set(ours)
    if owner:
        own |= {_port_of(url) for url in owner.urls} or {address.port for address in planned.listen}
        own |= {address.port for endpoint in planned.observer_endpoints for address in endpoint.listen}
        who = f"pid {owner.pid}, {' '.join(owner.urls)}" if owner.pid else "it is starting at this moment"
        yield ok("ports", f"this site is running: {who}", "port")
    for address in planned.listens:
        if address.port not in own:
            yield from _port(address, planned.binary)


def _port(address: Address, program: str) -> Iterator[Finding]:
    try:
        ports.check([address], program)
    except PorticoError as error:
        yield from (
            fault(f"port {address.port}", problem.what, problem.hint, "port") for problem in error.problems
        )
    else:
        yield ok(f"port {address.port}", f"{address} is free", "port")


def _running(runtime: str) -> Running | None:
    try:
        return running(runtime)
    except OSError:
        return None  # no access: the directory has a finding of its own


def _port_of(url: str) -> int:
    found = urlsplit(url)
    return found.port or (443 if found.scheme == "https" else 80)


def _folders(site: Site, place: Place) -> Iterator[Finding]:
    reader = f"user '{place.gateway_user}'" if place.gateway_user else place.gateway.program
    for folder in site.static:
        why = place.unreadable.get(folder.folder)
        if withheld := place.withheld.get(folder.folder):
            what = f"{place.gateway.program} does not serve {folder.folder}: {withheld}; the app answers these itself"
            yield warning(
                f"static {folder.url}",
                what,
                "name a folder that the app's user may read, and no other's; with Apache httpd one that\n"
                "root alone can change",
                "static-unread",
            )
        elif why:
            stopped = blocked(folder.folder, place.gateway_user)
            yield warning(
                f"static {folder.url}",
                f"{reader} cannot read {folder.folder}: {why}; the app answers these itself",
                remedy(stopped, place.gateway_user or place.user) if stopped else "portico reload",
                "static-unread",
            )
        else:
            yield ok(f"static {folder.url}", f"{reader} can read {folder.folder}", "static-unread")


def _backlog(place: Place) -> Finding:
    if place.somaxconn >= WANTED_BACKLOG:
        return ok("somaxconn", f"{place.somaxconn} connections may wait", "backlog")
    return warning(
        "somaxconn",
        f"only {place.somaxconn} connections may wait to be accepted, {WANTED_BACKLOG} are wanted; a burst beyond "
        "that is refused (11: Resource temporarily unavailable)",
        f"sysctl -w net.core.somaxconn={WANTED_BACKLOG}",
        "backlog",
    )


def _files(place: Place) -> Finding:
    held = connections(place)
    if held >= 1024:
        return ok(
            "open files",
            f"a limit of {place.file_limit} allows {gateway_of(place).room(place)}",
            "open-files",
        )
    need = 4096 * FILES_PER_CONNECTION
    return warning(
        "open files",
        f"a limit of {place.file_limit} allows only {held} connections",
        f"ulimit -n {need}",
        "open-files",
    )


def _user(place: Place) -> Finding:
    if not place.is_root:
        if place.app_user_why:
            return warning("user", place.app_user_why, "for all of it: sudo portico check", "app-user")
        return ok("user", f"everything runs as '{place.user}'", "app-user")
    if place.entangled:
        return warning(
            "user",
            place.entangled,
            "give the app a user of its own: useradd --system NAME, then --user NAME",
            "app-user",
        )
    gateways = f"{place.gateway.program}'s"
    if place.app_user:
        return ok(
            "user",
            f"the app runs as '{place.app_user}', {gateways} workers as '{place.gateway_user}'",
            "app-user",
        )
    return warning(
        "user",
        f"the app runs as root; {gateways} workers run as '{place.gateway_user}'",
        "name another user: --user NAME",
        "app-user",
    )
