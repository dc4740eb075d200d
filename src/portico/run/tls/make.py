"""Certificates of our own making: one to start with until the real one is there, and those of a private authority."""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PLACEHOLDER_DAYS = 7
LOCAL_DAYS = 90
AUTHORITY_DAYS = 3650
AUTHORITY, AUTHORITY_KEY = "portico-local-ca.pem", "portico-local-ca.key"
_PEM, _EARLIER = serialization.Encoding.PEM, datetime.timedelta(hours=1)


def placeholder(names: Sequence[str]) -> tuple[bytes, bytes]:
    """A certificate that nobody trusts, and its key: nginx needs one to start."""
    key, subject = _new_key(), _name("Portico placeholder")
    made = _builder(subject, subject, key.public_key(), PLACEHOLDER_DAYS)
    made = made.add_extension(_alternatives(names), critical=False)
    return made.sign(key, hashes.SHA256()).public_bytes(_PEM), _pem(key)


def local(names: Sequence[str], directory: Path) -> tuple[bytes, bytes]:
    """A certificate of the private authority in that directory, with its chain, and the key. Raises OSError."""
    authority, authority_key = _authority(directory)
    key = _new_key()
    made = (
        _builder(_name(names[0]), authority.subject, key.public_key(), LOCAL_DAYS)
        .add_extension(_alternatives(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_signs(handshakes=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_signed_by(authority), critical=False)
    )
    return made.sign(authority_key, hashes.SHA256()).public_bytes(_PEM), _pem(key)


def _authority(directory: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """The private authority, made the first time; ours alone."""
    directory.mkdir(mode=0o711, parents=True, exist_ok=True)  # who is to trust it reads it; the key is 0600
    try:
        found = x509.load_pem_x509_certificate((directory / AUTHORITY).read_bytes())
        key = serialization.load_pem_private_key((directory / AUTHORITY_KEY).read_bytes(), None)
        if isinstance(key, ec.EllipticCurvePrivateKey) and found.public_key() == key.public_key():
            return found, key
    except (FileNotFoundError, ValueError):
        pass
    key = _new_key()
    name = _name(f"Portico local authority ({socket.gethostname()})"[:64])
    made = (
        _builder(name, name, key.public_key(), AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_signs(handshakes=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write(directory / AUTHORITY_KEY, _pem(key), 0o600)
    write(directory / AUTHORITY, made.public_bytes(_PEM), 0o644)
    return made, key


def write(path: Path, content: bytes, mode: int) -> None:
    """The file whole or not at all, with that mode from its first byte. Raises OSError."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, mode)
            file.write(content)
            file.flush()
            os.fsync(handle)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _signs(*, handshakes: bool) -> x509.KeyUsage:
    """Handshakes, or certificates."""
    return x509.KeyUsage(
        digital_signature=handshakes, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=not handshakes, crl_sign=not handshakes, encipher_only=False,
        decipher_only=False,
    )  # fmt: skip


def _signed_by(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _alternatives(names: Sequence[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([_alternative(name) for name in names] or [x509.DNSName("localhost")])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.lower())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
