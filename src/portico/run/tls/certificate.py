"""One certificate with its chain and key, checked before use.

`cryptography` takes 60 ms to import: this file is imported only when HTTPS is on.
"""

from __future__ import annotations

import ipaddress
import re
import time
import warnings
from collections.abc import Collection, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from msgspec import Struct

from portico.errors import PorticoError, Problem

LEAST_RSA_BITS = 2048
"""Browsers reject shorter keys, and so does the gateway (OpenSSL's security level 1)."""
DAY = 86400.0
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_KEY = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)


class Certificate(Struct, frozen=True):
    """`pem` is for the gateway: the certificate, its chain, and the key. Times are seconds since 1970."""

    pem: bytes
    names: tuple[str, ...]
    not_before: float
    not_after: float
    issuer: str
    serial: str
    fingerprint: str
    """SHA-256 of the certificate, in hexadecimal."""
    is_trusted: bool = False
    """Whether the chain leads to an authority that this system trusts."""

    @property
    def lifetime(self) -> float:
        return self.not_after - self.not_before

    def days_left(self, now: float) -> float:
        return (self.not_after - now) / DAY

    def covers(self, name: str) -> bool:
        return covers(self.names, name)


def covers(names: Collection[str], name: str) -> bool:
    """Whether a certificate for these names covers that name, which may itself be a wildcard."""
    name = name.lower()
    if name in names:
        return True
    _, dot, parent = name.partition(".")
    return bool(dot) and not name.startswith("*") and f"*.{parent}" in names


def read(chain: bytes, key: bytes, where: str, key_where: str, trusted: str = "") -> Certificate:
    """The certificate of a chain (PEM, its own first) and its key; `trusted` is the system's file of authorities.

    Raises PorticoError with its fault. The caller judges names and dates (`unfit`).
    """
    certificates = _chain(chain, where)
    leaf, private = certificates[0], _key(key, key_where)
    if _public(leaf.public_key()) != _public(private.public_key()):
        raise _error(
            key_where, f"is not the key of {where}", "name the key that the certificate was made with"
        )
    if isinstance(private, rsa.RSAPrivateKey) and private.key_size < LEAST_RSA_BITS:
        raise _error(
            key_where, f"has {private.key_size} bits, which browsers refuse", "make one of 2048 or more"
        )
    _refuse_broken_chain(certificates, where)
    pem = b"".join(item.public_bytes(serialization.Encoding.PEM) for item in certificates)
    names = _names(leaf)
    return Certificate(
        pem=pem + _plain(private),
        names=names,
        not_before=leaf.not_valid_before_utc.timestamp(),
        not_after=leaf.not_valid_after_utc.timestamp(),
        issuer=_issuer(leaf),
        serial=f"{leaf.serial_number:x}",
        fingerprint=leaf.fingerprint(hashes.SHA256()).hex(),
        is_trusted=is_trusted(certificates, names, trusted),
    )


def unfit(certificate: Certificate, names: Sequence[str], now: float, where: str) -> Problem | None:
    """Why it cannot be used for these names at this time; None if it can."""
    if certificate.not_after <= now:
        return Problem(where, f"expired on {day(certificate.not_after)}", "renew it")
    if certificate.not_before > now + DAY:
        return Problem(
            where, f"is not valid before {day(certificate.not_before)}", "is this machine's clock right?"
        )
    missing = [name for name in names if not certificate.covers(name)]
    if missing:
        what = f"is for {', '.join(certificate.names) or 'no name at all'}, not for {', '.join(missing)}"
        return Problem(where, what, "get one for every name in domains")
    return None


def day(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(moment))


def is_trusted(certificates: Sequence[x509.Certificate], names: Sequence[str], trusted: str) -> bool:
    """Whether a browser that trusts this system's authorities would accept it."""
    roots = _roots(trusted)
    if not roots:
        return False
    name = next(iter(names), "").replace("*", "any", 1)
    try:
        subject: x509.GeneralName
        try:
            subject = x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            subject = x509.DNSName(name)
        verifier = PolicyBuilder().store(Store(list(roots))).build_server_verifier(subject)
        verifier.verify(certificates[0], list(certificates[1:]))
    except (VerificationError, ValueError):
        return False
    return True


@cache
def _roots(path: str) -> tuple[x509.Certificate, ...]:
    """The authorities in that file; unreadable ones are left out."""
    found = []
    try:
        text = Path(path).read_bytes()
    except OSError:
        return ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old roots have serial numbers that are not allowed today
        for match in _CERTIFICATE.finditer(text):
            try:
                found.append(x509.load_pem_x509_certificate(match[0]))
            except ValueError:
                continue
    return tuple(found)


def _chain(text: bytes, where: str) -> list[x509.Certificate]:
    if not text.strip():
        raise _error(where, "is empty", "write the certificate and its chain there, PEM")
    try:
        found = x509.load_pem_x509_certificates(text)
        if re.search(rb"^-", _BLOCK.sub(b"", text), re.MULTILINE):
            raise ValueError  # a block begins and does not end: part of the chain would be missing
        return found
    except ValueError:
        what = "is not a complete certificate in PEM"
        raise _error(
            where, what, "expected -----BEGIN CERTIFICATE----- ... -----END CERTIFICATE-----"
        ) from None


def _key(text: bytes, where: str) -> PrivateKeyTypes:
    found = _KEY.search(text)  # a file may hold other blocks, too: EC parameters, or the certificate
    try:
        return serialization.load_pem_private_key(found[0] if found else text, None)
    except TypeError:
        what = "has a passphrase, which cannot be typed at a start"
        raise _error(where, what, "remove it: openssl pkey -in KEY -out NEW") from None
    except ValueError:
        what = "is not a complete key in PEM"
        raise _error(
            where, what, "expected -----BEGIN PRIVATE KEY----- ... -----END PRIVATE KEY-----"
        ) from None


def _public(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _plain(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _refuse_broken_chain(certificates: Sequence[x509.Certificate], where: str) -> None:
    """Each certificate is signed by the one after it. Raises PorticoError."""
    for number, (item, above) in enumerate(pairwise(certificates), 1):
        try:
            item.verify_directly_issued_by(above)
        except (ValueError, TypeError, InvalidSignature):
            what = f"certificate {number} is not signed by certificate {number + 1}, so the chain is broken"
            raise _error(
                where, what, "put the site's own certificate first, then the one that signed it"
            ) from None


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    addresses = [str(address) for address in found.get_values_for_type(x509.IPAddress)]
    return (*(name.lower() for name in found.get_values_for_type(x509.DNSName)), *addresses)


def _issuer(leaf: x509.Certificate) -> str:
    for oid in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME):
        for attribute in leaf.issuer.get_attributes_for_oid(oid):
            return str(attribute.value)
    return leaf.issuer.rfc4514_string()


def _error(where: str, what: str, hint: str) -> PorticoError:
    return PorticoError(Problem(where, what, hint))
