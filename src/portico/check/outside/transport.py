"""HTTPS: the certificate, versions and ciphers, and whether plain HTTP leads there."""

from __future__ import annotations

import socket
import ssl
import warnings
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

from cryptography import x509

from portico.check.model import Finding
from portico.check.outside.client import SECONDS, Client
from portico.check.outside.look import Look
from portico.check.outside.target import UnreachableError

_OLD = {"TLS 1.0": ssl.TLSVersion.TLSv1, "TLS 1.1": ssl.TLSVersion.TLSv1_1}
_WEAK = {
    "3DES": "3DES:@SECLEVEL=0", "RC4": "RC4:@SECLEVEL=0", "no encryption": "eNULL:@SECLEVEL=0",
    "no certificate": "aNULL:@SECLEVEL=0", "RSA without forward secrecy": "kRSA:@SECLEVEL=0",
}  # fmt: skip
_SOON_DAYS = 14
_HTTPS = (
    'https = "auto" and email = "you@example.org" fetch and renew a certificate, and lead plain HTTP there'
)
_OWN = "cert and key of [https], or the renewal: portico cert shows what clients get"
_CERTBOT = "fetch one from Let's Encrypt (certbot), and lead plain HTTP there with 301"


def transport_findings(look: Look) -> Iterator[Finding]:
    if look.target.is_secure:
        yield from _certificate(look)
        yield from _protocols(look)
        yield from _leads(look)
        return
    if not look.target.is_near:
        what = "no HTTPS: everybody on the way can read passwords and cookies, and change pages"
        yield look.fault("HTTPS", what, _CERTBOT, "url-plain", _HTTPS)
    else:
        yield look.ok("plain HTTP, on this machine or its network: HTTPS was not looked at", "url-plain")


def handshake(look: Look, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Raises OSError (ssl.SSLError among them)."""
    look.client.asked += 1
    plain = socket.create_connection((look.target.address, look.target.port), SECONDS)
    try:
        return context.wrap_socket(plain, server_hostname=look.target.host)
    except (OSError, ValueError):
        plain.close()
        raise


def anybody() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _certificate(look: Look) -> Iterator[Finding]:
    try:
        with handshake(look, anybody()) as connection:
            der = connection.getpeercert(binary_form=True) or b""
        certificate = x509.load_der_x509_certificate(der)
    except (OSError, ValueError):
        return
    found = [*_named(look, certificate), *_dated(look, certificate)] or list(_verified(look))
    yield from found
    if not found:
        yield look.ok("the certificate is for this name, and its chain is trusted", "url-certificate")


def _named(look: Look, certificate: x509.Certificate) -> Iterator[Finding]:
    names = list[str]()
    with suppress(x509.ExtensionNotFound):
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = [*alternatives.get_values_for_type(x509.DNSName)]
        names += map(str, alternatives.get_values_for_type(x509.IPAddress))
    host = look.target.host.lower()
    if not any(name.lower() in (host, f"*.{host.partition('.')[2]}") for name in names):
        what = f"it is for {', '.join(names[:3]) or 'no name'}, not for {host}: browsers refuse it"
        hint = f"a certificate for {host}, and in nginx a server with that server_name which has it"
        yield look.fault("certificate", what, hint, "url-certificate", _OWN)


def _dated(look: Look, certificate: x509.Certificate) -> Iterator[Finding]:
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    days = (end - datetime.now(UTC)).total_seconds() / 86400
    hint = "does the program that renews it still run, and does the server load what it renews?"
    if days < 0:
        what = f"it ended on {end:%Y-%m-%d}: browsers refuse it"
        yield look.fault("certificate", what, hint, "url-certificate", _OWN)
    elif days < min(_SOON_DAYS, (end - begin).days / 4):
        what = f"it ends in {days:.0f} days, and should have been renewed by now"
        yield look.warning("certificate", what, hint, "url-certificate", _OWN)


def _verified(look: Look) -> Iterator[Finding]:
    """The chain, by the authorities that this machine trusts."""
    try:
        with handshake(look, ssl.create_default_context()):
            return
    except ssl.SSLCertVerificationError as error:
        why = error.verify_message or str(error)
    except OSError as error:
        why = str(error)
    if look.target.is_near and ("self" in why.lower() or "local issuer" in why):
        what = f"a private certificate: trusted where its authority is installed ({why})"
        yield look.ok(what, "url-certificate")
        return
    hint = "the site's own certificate first in its file, then the one that signed it"
    yield look.fault("certificate", f"browsers refuse it: {why}", hint, "url-certificate", _OWN)


def _protocols(look: Look) -> Iterator[Finding]:
    old = [name for name, version in _OLD.items() if _speaks(look, version, "ALL:@SECLEVEL=0")]
    weak = [name for name, ciphers in _WEAK.items() if _speaks(look, ssl.TLSVersion.TLSv1_2, ciphers)]
    if old:
        what = f"{' and '.join(old)} can be had: broken for years, and no browser needs them"
        yield look.warning("TLS", what, "nginx: ssl_protocols TLSv1.2 TLSv1.3", "url-tls")
    if weak:
        what = f"weak ciphers can be had: {', '.join(weak)}"
        hint = "nginx: ssl_ciphers with ECDHE and GCM or CHACHA20 only (Mozilla's intermediate list)"
        yield look.warning("TLS", what, hint, "url-tls")
    if not old and not weak:
        yield look.ok("no old version of TLS and no weak cipher (as far as this OpenSSL can try)", "url-tls")


def _speaks(look: Look, version: ssl.TLSVersion, ciphers: str) -> bool:
    context = anybody()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's own, about the versions that are looked for
            context.minimum_version = context.maximum_version = version
            context.set_ciphers(ciphers)
        with handshake(look, context):
            return True
    except (OSError, ValueError):
        return False


def _leads(look: Look) -> Iterator[Finding]:
    """HSTS, and plain HTTP on its usual port."""
    if not look.page.header("Strict-Transport-Security") and not look.target.is_loopback:
        what = "no Strict-Transport-Security: a visitor who types the name comes by plain HTTP, each time"
        yield look.warning(
            "headers",
            what,
            'nginx: add_header Strict-Transport-Security "max-age=31536000" always',
            "url-headers",
        )
    if look.target.port != 443:
        return
    plain = Client(look.target.elsewhere("http", 80))
    with suppress(UnreachableError):
        answer = plain.get()
        if answer.status and not answer.header("Location").startswith("https://"):
            what = f"plain HTTP is answered with {answer.status}, and does not lead to HTTPS"
            yield look.warning(
                "http", what, "nginx: return 301 https://$host$request_uri", "url-plain", _HTTPS
            )


def http2_findings(look: Look) -> Iterator[Finding]:
    """Browsers speak HTTP/2 with TLS only."""
    if not look.target.is_secure:
        return
    context = anybody()
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        with handshake(look, context) as connection:
            is_there = connection.selected_alpn_protocol() == "h2"
    except OSError:
        return
    if is_there:
        yield look.ok("HTTP/2 is offered", "url-http2")
    else:
        what = "no HTTP/2: a page with many files loads slower"
        yield look.warning(
            "HTTP/2",
            what,
            "nginx: http2 on (before 1.25.1: listen 443 ssl http2)",
            "url-http2",
            'http2 = "on" in [https]',
        )
