"""The local authority: it signs certificates for development, and cannot sign for public sites.

A thief of its key cannot impersonate a public site to those who trust it: its certificate has critical name
constraints (RFC 5280, section 4.2.1.10). It is valid for a year.
"""

from __future__ import annotations

import datetime
import fcntl
import ipaddress
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from portico.plan.tls import PRIVATE_NETWORKS, PRIVATE_ZONES, is_private
from portico.run.tls import parts
from portico.run.tls.parts import write

CERTIFICATE, KEY = "portico-local-ca.pem", "portico-local-ca.key"
DAYS = 365
LEAST = datetime.timedelta(days=30)
"""The authority is replaced if less time is left: a certificate of 30 days must expire before its authority."""


def signer(directory: Path, names: Sequence[str]) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """The authority in that directory; a new one if none there may sign these names. Raises OSError."""
    for one in (directory.parent, directory):
        one.mkdir(mode=0o711, parents=True, exist_ok=True)  # users must read it; the key is 0600
    with _alone(directory):
        found = certificate(directory)
        key = _key(directory)
        if found is not None and fits(found, names) and key and found.public_key() == key.public_key():
            return found, key
        return _make(directory, names)


def certificate(directory: Path) -> x509.Certificate | None:
    """Its certificate; None if there is none that can be read."""
    try:
        return x509.load_pem_x509_certificate((directory / CERTIFICATE).read_bytes())
    except (OSError, ValueError):
        return None


def fits(authority: x509.Certificate, names: Sequence[str]) -> bool:
    """Whether it may sign these names, can sign little else, and is valid for long enough."""
    try:
        found = authority.extensions.get_extension_for_class(x509.NameConstraints)
    except (x509.ExtensionNotFound, ValueError):
        return False  # made before there were constraints
    permitted = found.value.permitted_subtrees or []
    is_young = authority.not_valid_after_utc - _now() >= LEAST
    return found.critical and is_young and all(_permits(permitted, name) for name in names)


def signed(authority: x509.Certificate, pem: bytes) -> bool:
    """Whether this authority signed the first certificate in that PEM."""
    try:
        x509.load_pem_x509_certificate(pem).verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _make(directory: Path, names: Sequence[str]) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key, now = parts.new_key(), _now()
    # The date distinguishes it from the next one in a browser's list, and gives each its own subject.
    text = f"Portico local authority {now:%Y-%m-%d %H:%M:%S} ({socket.gethostname()})"
    name = parts.name(text)
    made = (
        parts.builder(name, name, key.public_key(), DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(parts.signs(handshakes=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.NameConstraints(_constraints(names), None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write(directory / KEY, parts.pem(key), 0o600)
    write(directory / CERTIFICATE, made.public_bytes(serialization.Encoding.PEM), 0o644)
    return made, key


def _constraints(names: Sequence[str]) -> list[x509.GeneralName]:
    """The names that are private everywhere, and those of the site that are not."""
    outside = dict.fromkeys(name.removeprefix("*.").lower() for name in names if not is_private(name))
    return [
        *(x509.DNSName(zone) for zone in PRIVATE_ZONES),
        *(x509.IPAddress(network) for network in PRIVATE_NETWORKS),
        *map(_constraint, outside),
    ]


def _constraint(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_network(name))
    except ValueError:
        return x509.DNSName(name)


def _permits(permitted: Sequence[x509.GeneralName], name: str) -> bool:
    wanted = _constraint(name.removeprefix("*.").lower())
    return any(_is_below(wanted.value, one.value) for one in permitted)


def _is_below(value: object, permitted: object) -> bool:
    if isinstance(value, str) and isinstance(permitted, str):
        return value == permitted or value.endswith(f".{permitted}")
    if isinstance(value, ipaddress.IPv4Network) and isinstance(permitted, ipaddress.IPv4Network):
        return value.subnet_of(permitted)
    if isinstance(value, ipaddress.IPv6Network) and isinstance(permitted, ipaddress.IPv6Network):
        return value.subnet_of(permitted)
    return False


def _key(directory: Path) -> ec.EllipticCurvePrivateKey | None:
    try:
        key = serialization.load_pem_private_key((directory / KEY).read_bytes(), None)
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else None


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Two sites that start at once make one authority, not two incomplete ones."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
