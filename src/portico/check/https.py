"""Would HTTPS work? Checks the user's files; for `auto`, the DNS of the names."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from importlib import metadata

from portico.check.model import Finding, fault, ok, warning
from portico.errors import PorticoError
from portico.plan.model import Plan
from portico.plan.subjects import Tls


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
        yield ok("https", f"a certificate for {', '.join(tls.names)} is made when it starts", "certificate")


def _files(tls: Tls) -> Iterator[Finding]:
    from portico.run.tls.certificate import day
    from portico.run.tls.material import complaints, files
    from portico.run.tls.schedule import phase

    try:
        certificate = files(tls)
    except PorticoError as error:
        yield from (
            fault("https", str(problem.where) + " " + problem.what, problem.hint, "certificate")
            for problem in error.problems
        )
        return
    yield ok(
        "https",
        f"{tls.cert} is for {', '.join(certificate.names)}, until {day(certificate.not_after)}",
        "certificate",
    )
    yield from (
        warning("https", f"{item.where}: {item.what}", item.hint, "certificate") for item in complaints(tls)
    )
    if phase(certificate.not_before, certificate.not_after, time.time()) != "good":
        what = (
            f"{tls.cert} ends on {day(certificate.not_after)}: a certificate of its length is renewed earlier"
        )
        yield warning("https", what, "does the program that renews it still run?", "certificate-age")
    if not certificate.is_trusted:
        what = f"this system does not trust the issuer of {tls.cert}: browsers may not either"
        yield warning(
            "https",
            what,
            "is the chain complete? the site's own certificate first, then the one that signed it",
            "certificate-issuer",
        )


def _names(tls: Tls) -> Iterator[Finding]:
    from portico.run.tls.material import complaints
    from portico.run.tls.preflight import unknown

    yield from (
        warning("https", f"{item.where}: {item.what}", item.hint, "certificate") for item in complaints(tls)
    )
    if (plugin := tls.acme.dns if tls.acme else "") and not _is_installed(plugin):
        yield fault(
            "https",
            f"certbot has no plugin {plugin}",
            f"beside Portico: pip install certbot-dns-{plugin}",
            "certificate",
        )
    for path in (tls.acme.eab_hmac_file, tls.acme.dns_credentials, tls.acme.ca) if tls.acme else ():
        if path and not os.access(path, os.R_OK):
            yield fault("https", f"{path} cannot be read", "name a file that Portico may read", "certificate")

    if problems := unknown(tls):
        yield from (
            warning("https", f"{item.where} {item.what}", item.hint, "certificate") for item in problems
        )
    else:
        yield ok(
            "https",
            f"{', '.join(tls.names)}: known to DNS, and no CAA record forbids the certificate",
            "certificate",
        )


def _is_installed(plugin: str) -> bool:
    """Whether certbot would find it: https://eff-certbot.readthedocs.io/en/stable/contributing.html"""
    return any(entry.name == f"dns-{plugin}" for entry in metadata.entry_points(group="certbot.plugins"))
