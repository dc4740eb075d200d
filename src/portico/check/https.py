"""Would HTTPS work? The user's files as they will be used; for `auto`, what DNS says of the names."""

from __future__ import annotations

from collections.abc import Iterator

from portico.check.model import Finding, fault, ok, warning
from portico.errors import PorticoError
from portico.plan.model import Plan, Tls


def https_findings(planned: Plan) -> Iterator[Finding]:
    """Nothing without HTTPS."""
    tls = planned.tls
    if tls is None:
        return
    if tls.mode == "files":
        yield from _files(tls)
    elif tls.mode == "auto":
        yield from _names(tls)
    else:
        yield ok("https", f"a certificate for {', '.join(tls.names)} is made when it starts")


def _files(tls: Tls) -> Iterator[Finding]:
    from portico.run.tls.certificate import day
    from portico.run.tls.material import complaints, files

    try:
        certificate = files(tls)
    except PorticoError as error:
        yield from (
            fault("https", str(problem.where) + " " + problem.what, problem.hint)
            for problem in error.problems
        )
        return
    yield ok("https", f"{tls.cert} is for {', '.join(certificate.names)}, until {day(certificate.not_after)}")
    yield from (warning("https", f"{item.where}: {item.what}", item.hint) for item in complaints(tls))
    if not certificate.is_trusted:
        what = f"this system does not know who signed {tls.cert}: browsers may not either"
        yield warning(
            "https", what, "is the chain complete? the site's own certificate first, then who signed it"
        )


def _names(tls: Tls) -> Iterator[Finding]:
    from portico.run.tls.preflight import unknown

    if problems := unknown(tls):
        yield from (warning("https", f"{item.where} {item.what}", item.hint) for item in problems)
    else:
        yield ok("https", f"{', '.join(tls.names)}: known to DNS, and no CAA record forbids the certificate")
