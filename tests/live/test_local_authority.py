"""The local authority can sign nothing but private names: OpenSSL, curl and Chromium refuse what its key signs else."""

from __future__ import annotations

import datetime
import http.server
import ipaddress
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import Error, sync_playwright

from portico.plan.subjects import Tls
from portico.run.tls import authority, make, material, parts
from tests.support import private_directory

pytestmark = pytest.mark.timeout(300)
INSIDE = [
    "localhost",
    "shop.localhost",
    "*.shop.test",
    "printer.local",
    "db.internal",
    "127.0.0.1",
    "192.168.1.5",
    "::1",
]
WAIT_MS = 120_000
OUTSIDE = ["bank.com", "localhost.com", "1.1.1.1", "2001:4860::8888"]


def key_of(directory: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key((directory / make.AUTHORITY_KEY).read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def stolen(directory: Path, names: list[str]) -> tuple[bytes, bytes]:
    """What whoever has the authority's key may make of it: a certificate for these names, and its key."""
    signer = authority.certificate(directory)
    assert signer is not None
    key = parts.new_key()
    made = (
        parts.builder(parts.name("stolen"), signer.subject, key.public_key(), 10)
        .add_extension(parts.alternatives(names), critical=False)
        .add_extension(parts.signed_by(signer), critical=False)
    )
    return made.sign(key_of(directory), hashes.SHA256()).public_bytes(parts.PEM), parts.pem(key)


@pytest.fixture
def ca() -> Iterator[Path]:
    with private_directory() as directory:
        make.local(["localhost"], directory)
        yield directory


def test_it_lives_a_year_and_signs_servers_of_private_names_only(ca: Path) -> None:
    found = authority.certificate(ca)
    assert found is not None
    assert 364 < (found.not_valid_after_utc - datetime.datetime.now(datetime.UTC)).days + 1 <= 366
    constraints = found.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert constraints.value.excluded_subtrees is None
    basic = found.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca, basic.value.path_length) == (True, True, 0)
    usage = found.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.key_cert_sign, usage.digital_signature) == (True, False)
    leaf = x509.load_pem_x509_certificate(make.local(["localhost"], ca)[0])
    assert leaf.not_valid_after_utc < found.not_valid_after_utc


@pytest.mark.parametrize("names", [*([name] for name in INSIDE), INSIDE])
def test_openssl_takes_what_is_inside(ca: Path, names: list[str]) -> None:
    assert verified(ca, make.local(names, ca)[0]) == ""


@pytest.mark.parametrize("name", OUTSIDE)
def test_openssl_refuses_what_is_outside(ca: Path, name: str) -> None:
    assert "permitted subtree violation" in verified(ca, stolen(ca, ["localhost", name])[0])


def verified(ca: Path, chain: bytes) -> str:
    """What OpenSSL says against it."""
    (ca / "leaf.pem").write_bytes(chain)
    words = [
        "openssl",
        "verify",
        "-purpose",
        "sslserver",
        "-CAfile",
        str(ca / make.AUTHORITY),
        str(ca / "leaf.pem"),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@contextmanager
def shown(ca: Path, chain: bytes, key: bytes) -> Iterator[int]:
    """A server with that certificate; its port."""
    (ca / "server.pem").write_bytes(chain + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca / "server.pem")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


def curl(ca: Path, name: str, port: int) -> tuple[int, str]:
    words = ["curl", "-sS", "--cacert", str(ca / make.AUTHORITY), "--resolve", f"{name}:{port}:127.0.0.1"]
    done = subprocess.run(
        [*words, f"https://{name}:{port}/"], capture_output=True, text=True, check=False, timeout=120
    )
    return done.returncode, done.stdout + done.stderr


def test_curl_and_chromium_refuse_what_is_outside_and_take_the_rest(ca: Path) -> None:
    chromium = shutil.which("chromium")
    assert chromium, "no browser: scripts/apt chromium"
    assert shutil.which("certutil"), "scripts/apt libnss3-tools"
    store = ca / ".pki/nssdb"
    store.mkdir(parents=True)
    subprocess.run(["certutil", "-d", f"sql:{store}", "-N", "--empty-password"], check=True)
    trust = [
        "certutil",
        "-d",
        f"sql:{store}",
        "-A",
        "-t",
        "C,,",
        "-n",
        "portico",
        "-i",
        str(ca / make.AUTHORITY),
    ]
    subprocess.run(trust, check=True)
    rules = "--host-resolver-rules=MAP * 127.0.0.1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=[rules], env={**os.environ, "HOME": str(ca)}, timeout=WAIT_MS
        )
        try:
            page = browser.new_page()
            page.set_default_timeout(WAIT_MS)
            with shown(ca, *make.local(["shop.localhost", "shop.test"], ca)) as port:
                for name in ("shop.localhost", "shop.test"):
                    assert curl(ca, name, port) == (0, "ok")
                    answer = page.goto(f"https://{name}:{port}/")
                    assert answer is not None
                    assert answer.status == 200
            with shown(ca, *stolen(ca, ["shop.test", "bank.com"])) as port:
                code, words = curl(ca, "bank.com", port)
                assert (code, "permitted subtree violation" in words) == (60, True)
                with pytest.raises(Error, match="ERR_CERT"):
                    page.goto(f"https://bank.com:{port}/")
        finally:
            browser.close()


def plan(home: Path, *names: str, ca: str = "ca") -> Tls:
    return Tls("local", names, (), str(home), local_ca=str(home / ca))


def test_a_public_name_needs_an_authority_of_its_own_which_signs_no_other(tmp_path: Path) -> None:
    chain, _ = make.local(["shop.com", "*.shop.com", "203.0.113.5", "localhost"], tmp_path)
    assert verified(tmp_path, chain) == ""
    assert "permitted subtree violation" in verified(tmp_path, stolen(tmp_path, ["bank.com"])[0])
    assert "permitted subtree violation" in verified(tmp_path, stolen(tmp_path, ["203.0.113.6"])[0])


def test_an_authority_without_constraints_or_near_its_end_is_made_anew_and_said(tmp_path: Path) -> None:
    tls = plan(tmp_path, "localhost")
    for constraints, days in ((None, 300), (x509.NameConstraints([x509.DNSName("localhost")], None), 20)):
        older(tmp_path / "ca", constraints, days)
        before = authority.certificate(tmp_path / "ca")
        certificate, said = material.local(tls)
        signer = authority.certificate(tmp_path / "ca")
        assert signer is not None
        assert signer != before
        assert authority.signed(signer, certificate.pem)
        assert [problem.hint for problem in said] == ["trust this one, too: portico cert trust"]
        assert material.local(tls) == (certificate, ())


def older(directory: Path, constraints: x509.NameConstraints | None, days: int) -> None:
    """As an earlier version made it, or long ago."""
    directory.mkdir(exist_ok=True)
    key, name = parts.new_key(), parts.name("Portico local authority (old)")
    made = parts.builder(name, name, key.public_key(), days)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    if constraints:
        made = made.add_extension(constraints, critical=True)
    (directory / make.AUTHORITY_KEY).write_bytes(parts.pem(key))
    (directory / make.AUTHORITY).write_bytes(made.sign(key, hashes.SHA256()).public_bytes(parts.PEM))


def test_what_is_private() -> None:
    from portico.plan.tls import is_private

    assert all(map(is_private, INSIDE))
    assert not any(map(is_private, OUTSIDE))
    assert is_private(str(ipaddress.ip_address("fd00::1")))
