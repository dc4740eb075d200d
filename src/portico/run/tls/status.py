"""The status of a certificate."""

from __future__ import annotations

import time
from collections.abc import Iterable

from portico.errors import Problem
from portico.plan.subjects import Tls
from portico.protocol.status import CertificateAddress, CertificateStatus
from portico.run.tls import make
from portico.run.tls.look import Seen
from portico.run.tls.material import Material
from portico.run.tls.memory import Memory
from portico.run.tls.schedule import phase, urgent_at, warn_at


def certificate_status(
    tls: Tls,
    served: Material,
    memory: Memory,
    seen: Iterable[Seen],
    next_attempt: float | None,
    trouble: Iterable[Problem],
) -> CertificateStatus:
    """The status of the served certificate; `seen` are the results of the addresses."""
    certificate = served.certificate
    return CertificateStatus(
        mode=tls.mode,
        source=served.origin,
        refused=served.is_refused,
        phase=phase(certificate.not_before, certificate.not_after, time.time()),
        names=tuple(certificate.names),
        missing=tuple(name for name in tls.names if not certificate.covers(name)),
        issuer=certificate.issuer,
        serial=certificate.serial,
        fingerprint=certificate.fingerprint,
        trusted=certificate.is_trusted,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        warn_at=warn_at(certificate.not_before, certificate.not_after),
        urgent_at=urgent_at(certificate.not_before, certificate.not_after),
        days_left=round(certificate.days_left(time.time()), 2),
        server=tls.acme.server if tls.acme else None,
        next_attempt=next_attempt,
        last_attempt=memory.tried or None,
        last_success=memory.succeeded or None,
        failures=memory.failures,
        problems=tuple(map(str, trouble)),
        addresses=tuple(
            CertificateAddress(str(one.address), one.fingerprint == certificate.fingerprint, one.words)
            for one in seen
        ),
        hsts_seconds=served.hsts_seconds,
        well_since=memory.well_since,
        authority=f"{tls.local_ca}/{make.AUTHORITY}" if tls.mode == "local" else None,
    )
