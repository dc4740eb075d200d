"""What a client sees of a site's HTTPS."""

from __future__ import annotations

import hashlib
import socket
import ssl
from typing import NamedTuple

from cryptography import x509

from tests.support.until import until

APP = """
from flask import Flask, jsonify, request, url_for

app = Flask(__name__)

@app.route("/", methods=["GET", "POST"])
def home():
    return jsonify(url=url_for("home", _external=True), scheme=request.environ["wsgi.url_scheme"],
                   https=request.environ.get("HTTPS"), method=request.method, host=request.host,
                   client={k: v for k, v in request.environ.items() if k.startswith("SSL_CLIENT")})

@app.route("/.well-known/acme-challenge/<path:token>")
def hijack(token):
    return "not the answer"
"""


class Shown(NamedTuple):
    """What one handshake showed."""

    certificate: x509.Certificate
    fingerprint: str
    protocol: str
    alpn: str | None
    is_resumed: bool

    @property
    def names(self) -> set[str]:
        found = self.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return set(found.value.get_values_for_type(x509.DNSName))

    @property
    def issuer(self) -> str:
        return self.certificate.issuer.rfc4514_string()


def handshake(
    port: int,
    name: str | None = "shop.example",
    context: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
) -> Shown:
    """Raises ssl.SSLError or OSError when there is none."""
    context = context or anyone()
    with (
        socket.create_connection((host, port), 60) as plain,
        context.wrap_socket(plain, server_hostname=name) as connection,
    ):
        der = connection.getpeercert(binary_form=True) or b""
        return Shown(
            x509.load_der_x509_certificate(der), hashlib.sha256(der).hexdigest(), connection.version() or "",
            connection.selected_alpn_protocol(), connection.session_reused or False,
        )  # fmt: skip


def anyone(*protocols: str) -> ssl.SSLContext:
    """A client that believes everybody, and speaks these protocols: HTTP/2 and 1.1 unless they are named."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(protocols or ["h2", "http/1.1"])
    return context


def settled(
    port: int,
    name: str | None,
    issuer: str,
    *,
    other_than: str = "",
    seconds: float = 240,
    host: str = "127.0.0.1",
) -> Shown:
    """What is shown once ten handshakes in a row show one of that issuer, with another fingerprint than that one: a
    worker that leaves may still show the last one."""
    seen = list[Shown]()

    def is_settled() -> bool:
        shown = handshake(port, name, host=host)
        if issuer not in shown.issuer or shown.fingerprint == other_than:
            seen.clear()
        else:
            seen.append(shown)
        return len({one.fingerprint for one in seen[-10:]}) == 1 and len(seen) >= 10

    until(is_settled, f"a certificate by {issuer} for {name}", seconds)
    return seen[-1]
