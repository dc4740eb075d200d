"""Makes certificates: a placeholder for the start until the real one exists, and those of the local authority."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from portico.run.tls import authority, parts
from portico.run.tls.authority import CERTIFICATE as AUTHORITY
from portico.run.tls.authority import KEY as AUTHORITY_KEY
from portico.run.tls.parts import write
from portico.site.checks.https import address_of

__all__ = ["AUTHORITY", "AUTHORITY_KEY", "local", "placeholder", "write"]

PLACEHOLDER_DAYS = 7
LOCAL_DAYS = 30


def placeholder(names: Sequence[str]) -> tuple[bytes, bytes]:
    """A certificate that nobody trusts, and its key: the gateway needs one to start."""
    key, subject = parts.new_key(), parts.name("Portico placeholder")
    made = parts.builder(subject, subject, key.public_key(), PLACEHOLDER_DAYS)
    made = made.add_extension(parts.alternatives(names), critical=False)
    return made.sign(key, hashes.SHA256()).public_bytes(parts.PEM), parts.pem(key)


def local(names: Sequence[str], directory: Path) -> tuple[bytes, bytes]:
    """A certificate of the local authority in that directory, its chain, and the key. Raises OSError."""
    signer, signer_key = authority.signer(directory, names)
    key = parts.new_key()
    made = (
        parts.builder(parts.name(_title(names)), signer.subject, key.public_key(), LOCAL_DAYS)
        .add_extension(parts.alternatives(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(parts.signs(handshakes=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(parts.signed_by(signer), critical=False)
    )
    return made.sign(signer_key, hashes.SHA256()).public_bytes(parts.PEM), parts.pem(key)


def _title(names: Sequence[str]) -> str:
    """The common name. OpenSSL would compare an address there with the authority's constraints as if it were a
    name.
    """
    return next((name for name in names if address_of(name) is None), "Portico site")
