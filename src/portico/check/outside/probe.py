"""All probes from outside, in their order; about 130 requests, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from portico.check.model import Finding, in_order
from portico.check.outside.client import Client
from portico.check.outside.errors import error_findings
from portico.check.outside.files import file_findings, traversal_findings
from portico.check.outside.framing import framing_findings
from portico.check.outside.headers import header_findings
from portico.check.outside.hosts import host_findings
from portico.check.outside.inside import method_findings, open_findings
from portico.check.outside.look import Look, look_at
from portico.check.outside.slow import slow_findings
from portico.check.outside.spoofed import spoofed_findings
from portico.check.outside.target import Target, UnreachableError
from portico.check.outside.transport import http2_findings, transport_findings
from portico.errors import PorticoError, UsageError

_REFUSALS = (0, 403, 429, 503)
PROBES: Final[dict[str, Callable[[Look], Iterator[Finding]]]] = {
    "HTTPS": transport_findings,
    "HTTP/2": http2_findings,
    "headers": header_findings,
    "headers that proxies send": spoofed_findings,
    "Host": host_findings,
    "files": file_findings,
    "paths that lead out": traversal_findings,
    "doors": open_findings,
    "methods": method_findings,
    "errors": error_findings,
    "framing": framing_findings,
    "slow client": slow_findings,
}


def probed(target: Target, tell: Callable[[str], None]) -> list[Finding]:
    """Every finding, the worst first; `tell` gets the name of the current probe. Raises UnreachableError.

    A plain URL that leads to HTTPS at the same host is looked at there.
    """
    tell("the page")
    look = look_at(Client(target))
    if secure := _secured(look):
        look = look_at(Client(secure))
    found = list(_answered(look))
    for name, probe in PROBES.items():
        tell(name)
        try:
            found += probe(look)
            again = look.client.get()
        except UnreachableError as error:
            found.append(_gone(look, name, error))
            break
        if again.status != look.page.status and again.status in _REFUSALS:
            found.append(_limited(look, name, again.status))
            break
    tell(f"{look.client.asked} requests")
    return in_order(found)


def _secured(look: Look) -> Target | None:
    """Where plain HTTP leads, when that is HTTPS at the same host."""
    location = look.page.header("Location")
    if look.target.is_secure or not location.startswith("https://"):
        return None
    with suppress(UsageError):
        return look.target.secured(location)
    return None


def _answered(look: Look) -> Iterator[Finding]:
    status = look.page.status
    if look.page.silent or status == 0 or status >= 500:
        said = f"is answered with {status}" if status else "is not answered"
        what = f"the page {said}: what follows is of little worth"
        yield look.fault(
            look.target.path, what, "is the app well? portico status, portico logs --status 5xx", "url-answer"
        )
    else:
        by = ", served by Portico" if look.is_portico else ""
        yield look.ok(
            f"{look.target.url} answers {status} in {look.page.seconds * 1000:.0f} ms{by}", "url-answer"
        )


def _limited(look: Look, name: str, status: int) -> Finding:
    said = f"answered with {status}" if status else "closed without an answer"
    what = f"after {look.client.asked} requests the page is {said}: the probes after {name!r} did not run"
    hint = "a limit or a firewall refused this address; exempt it for a whole test, and probe again later"
    option = "exempt in [limits] with this address; portico limits shows who is refused, and lifts it"
    return look.warning(look.target.authority, what, hint, "url-limited", option)


def _gone(look: Look, name: str, error: PorticoError) -> Finding:
    what = f"during the probe of {name} the site stopped answering: {error.problems[0].what}"
    return look.fault(
        look.target.authority, what, "does a limit refuse this address now? try again later", "url-answer"
    )
