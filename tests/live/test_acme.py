"""Certificates from a real ACME server (Pebble, strict): issued, renewed, and never in the way of serving."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.acme import Authority, authority
from tests.acme_between import between
from tests.live.tls import APP, Shown, handshake, settled
from tests.support import Served, free_port, portico, served
from tests.support.until import until

pytestmark = pytest.mark.timeout(600)
PLACEHOLDER = "CN=Portico placeholder"
LATER = "import time; real = time.time; time.time = lambda: real() + 70 * 86400"
DOMAIN = ["--domain", "shop.example"]


@contextlib.contextmanager
def site(ca: Authority, *words: str, **how: Any) -> Iterator[tuple[Served, int]]:
    """A site that this authority certifies, and its port of HTTPS."""
    secure = free_port()
    more = [*ca.options(), "--https-listen", f"127.0.0.1:{secure}", *words]
    files = {"app.py": APP, **how.pop("files", {})}
    with served(files, *more, port=ca.port, **how) as run:
        yield run, secure


def until_served(run: Served, times: int = 1) -> None:
    try:
        until(lambda: run.stderr().count(" is served, good for ") >= times, "a certificate", 240)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{run.stderr()}") from None


def until_shown(port: int, other_than: str = "") -> Shown:
    """The authority's certificate, or another one of it; a worker of nginx that is leaving may still show the last."""
    return settled(port, "shop.example", "Pebble", other_than=other_than)


def status(run: Served) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(portico("cert", "--json", cwd=run.directory).stdout)
    return found


def test_from_nothing_to_a_certificate_and_through_a_renewal() -> None:
    with authority(PEBBLE_WFE_NONCEREJECT="20") as ca, site(ca, *DOMAIN) as (run, port):
        at_once = handshake(port).issuer
        assert PLACEHOLDER in at_once or "Pebble" in at_once
        until_served(run)
        first = until_shown(port)
        assert "Pebble" in first.issuer
        assert first.names == {"shop.example"}
        key = first.certificate.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert key.curve.name == "secp256r1"
        assert run.get("/.well-known/acme-challenge/x", headers={"Host": "shop.example"}).status_code == 404

        renewed = portico("cert", "renew", cwd=run.directory, seconds=300)
        assert renewed.returncode == 0, renewed.stderr
        second = until_shown(port, first.fingerprint)
        found = status(run)
        assert found["fingerprint"] == second.fingerprint
        assert (found["source"], found["failures"], found["problems"]) == ("auto", 0, [])
        assert 59 < (found["next_attempt"] - time.time()) / 86400 < 64
        assert [seen["is_served"] for seen in found["addresses"]] == [True]

        assert portico("cert", "renew", "--dry-run", cwd=run.directory, seconds=300).returncode == 0
        assert handshake(port).fingerprint == second.fingerprint

        ca.stop()  # down when a renewal is due: the site goes on with what it has
        refused = portico("cert", "renew", cwd=run.directory, seconds=300)
        assert refused.returncode == 1
        assert "the ACME server does not answer as it should" in refused.stderr
        assert handshake(port).fingerprint == second.fingerprint
        assert status(run)["failures"] == 1
        assert portico("cert", cwd=run.directory).returncode == 0


def test_every_second_nonce_rejected_and_an_external_account_are_only_slower() -> None:
    key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
    words = ["--https-eab-kid", "kid-1", "--https-eab-hmac-file", "eab.key"]
    with (
        authority(accounts={"kid-1": key}, PEBBLE_WFE_NONCEREJECT="50", PEBBLE_AUTHZREUSE="100") as ca,
        site(ca, *DOMAIN, *words, files={"eab.key": f"{key}\n"}) as (run, port),
    ):
        until_served(run)
        until(lambda: "Pebble" in handshake(port).issuer, "the new certificate")


def test_a_rehearsal_that_fails_costs_nothing_of_the_real_server() -> None:
    with authority() as ca, authority(port=ca.port) as staging:
        staging.dns("add-a", "shop.example", "127.0.0.12")
        (ca.directory / "both.pem").write_text(ca.ca.read_text() + staging.ca.read_text())
        words = ["--https-acme-staging", staging.url, "--https-acme-ca", str(ca.directory / "both.pem")]
        with site(ca, *DOMAIN, *words) as (run, port):
            until(lambda: "no certificate" in run.stderr(), "a failed try", 240)
            assert "could not be reached from outside" in run.stderr()
            assert "/order-plz" not in ca.log()
            assert PLACEHOLDER in handshake(port).issuer
            staging.dns("clear-a", "shop.example")
            staging.dns("add-a", "shop.example", "127.0.0.1")
            renewed = portico("cert", "renew", cwd=run.directory, seconds=300)
            assert renewed.returncode == 0, renewed.stderr
            assert "/order-plz" in staging.log()
            until(lambda: "Pebble" in handshake(port).issuer, "the new certificate")


def test_an_authority_that_is_down_at_boot_only_delays() -> None:
    with authority() as ca:
        ca.stop()
        with site(ca, *DOMAIN) as (run, port):
            until(lambda: "no certificate" in run.stderr(), "a failed try", 240)
            assert "the ACME server does not answer as it should" in run.stderr()
            assert PLACEHOLDER in handshake(port).issuer
            assert run.get(headers={"Host": "shop.example"}).status_code == 308
            assert portico("cert", cwd=run.directory).returncode == 1
            ca.start()
            until_served(run)
            until(lambda: "Pebble" in handshake(port).issuer, "the new certificate")
            memory = next(run.state.glob("certificates/memory.json"))
            until(lambda: json.loads(memory.read_text())["failures"] == 0, "no failure is remembered")


def test_a_name_that_is_added_later_is_certified_and_the_others_go_on() -> None:
    toml = 'domains = ["shop.example"]\n'
    with authority() as ca, site(ca, files={"portico.toml": toml}) as (run, port):
        until_served(run)
        before = until_shown(port).fingerprint
        (run.directory / "portico.toml").write_text('domains = ["shop.example", "new.example"]\n')
        assert portico("reload", cwd=run.directory).returncode == 0
        shown = handshake(port)
        assert shown.fingerprint == before or "new.example" in shown.names
        until_served(run, 2)
        until(lambda: handshake(port, "new.example").names == {"shop.example", "new.example"}, "both names")


def test_what_was_issued_is_there_at_the_next_start_and_renewed_when_its_time_has_come() -> None:
    with authority() as ca, site(ca, *DOMAIN) as (run, port):
        until_served(run)
        first = until_shown(port).fingerprint
        run.stop()
        with site(ca, *DOMAIN, directory=run.directory) as (again, port):
            until(lambda: handshake(port).fingerprint == first, "what was issued before")
            assert again.process.pid != run.process.pid
            again.stop()
        (run.directory / "clock").mkdir()
        (run.directory / "clock/sitecustomize.py").write_text(LATER)
        moved = {"PYTHONPATH": str(run.directory / "clock")}
        with site(ca, *DOMAIN, directory=run.directory, env=moved) as (later, port):
            until_served(later)
            until_shown(port, first)


class _Stranger(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"somebody else")

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("kind", "address", "words"),
    [
        ("a", "127.0.0.9", "points to 127.0.0.9 (A), where another server answers at port"),
        ("a", "127.0.0.10", "points to 127.0.0.10 (A), which no authority can reach"),
        ("aaaa", "::1", "points to ::1 (AAAA), which no authority can reach"),
    ],
)
def test_a_name_that_leads_elsewhere_is_said_before_anything_is_ordered(
    kind: str, address: str, words: str
) -> None:
    with authority() as ca:
        ca.dns(f"add-{kind}", "shop.example", address)
        stranger = http.server.ThreadingHTTPServer(("127.0.0.9", ca.port), _Stranger)
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        try:
            with site(ca, *DOMAIN) as (run, port):
                until(lambda: "no certificate" in run.stderr(), "a failed try", 240)
                assert words in run.stderr()
                assert "/order-plz" not in ca.log()
                assert PLACEHOLDER in handshake(port).issuer
                shown = portico("cert", cwd=run.directory)
                assert words in shown.stdout
                assert shown.returncode == 1
                # A record that is put right is seen soon: nothing was judged yet.
                ca.dns(f"clear-{kind}", "shop.example")
                until_served(run)
                until(lambda: "Pebble" in handshake(port).issuer, "the new certificate")
        finally:
            stranger.shutdown()
            stranger.server_close()


def test_the_authority_s_own_verdict_is_told_in_plain_words() -> None:
    """The names are right when we look, and wrong when the authority does."""
    with authority() as ca, site(ca, *DOMAIN) as (run, _):
        until_served(run)
        ca.dns("add-a", "shop.example", "127.0.0.11")
        refused = portico("cert", "renew", cwd=run.directory, seconds=300)
        assert refused.returncode == 1
        assert "shop.example: could not be reached from outside, at port" in refused.stderr
        assert "firewall" in refused.stderr


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_that_is_slow_and_fails_at_the_last_step_only_delays(status: int) -> None:
    with authority(PEBBLE_VA_NOSLEEP="", PEBBLE_VA_SLEEPTIME="2") as ca, between(ca) as server:
        server.refuse, server.status, server.seconds = 1, status, 0.2
        with site(ca, *DOMAIN, "--https-acme-server", server.url) as (run, port):
            until(lambda: "no certificate" in run.stderr(), "a failed try", 240)
            assert "the ACME server does not answer as it should" in run.stderr()
            assert "/finalize-order/" in server.refused[0]
            assert PLACEHOLDER in handshake(port).issuer
            until_served(run)
            until(lambda: "Pebble" in handshake(port).issuer, "the new certificate")


def test_a_revoked_certificate_is_replaced() -> None:
    """It is no longer good for anything: the next one has another key."""
    with authority() as ca, site(ca, *DOMAIN) as (run, port):
        until_served(run)
        first = until_shown(port)
        (home,) = run.state.glob("certificates/acme-*")
        words = [
            "revoke",
            "--non-interactive",
            "--server",
            ca.url,
            "--cert-name",
            "portico",
            "--no-delete-after-revoke",
        ]
        places = [word for one in ("config", "work", "logs") for word in (f"--{one}-dir", str(home / one))]
        revoked = subprocess.run(
            [sys.executable, "-m", "portico.run.tls.certbot", *words, *places],
            env=os.environ | {"REQUESTS_CA_BUNDLE": str(ca.ca)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert revoked.returncode == 0, revoked.stdout + revoked.stderr
        renewed = portico("cert", "renew", cwd=run.directory, seconds=300)
        assert renewed.returncode == 0, renewed.stderr
        second = until_shown(port, first.fingerprint)
        assert second.certificate.public_key() != first.certificate.public_key()


def test_what_was_issued_and_not_put_in_is_used_by_the_next_start_without_asking_again() -> None:
    """Portico is killed between the answer and the file: certbot has it."""
    with authority() as ca, site(ca, *DOMAIN) as (run, port):
        until_served(run)
        first = until_shown(port).fingerprint
        run.stop()
        kept = run.state / "certificates"
        for path in (*kept.glob("issued-*.pem"), kept / "memory.json"):
            path.unlink()
        ordered = ca.log().count("/order-plz")
        with site(ca, *DOMAIN, directory=run.directory) as (again, port):
            until_served(again)
            until(lambda: handshake(port).fingerprint == first, "what was issued before")
        assert ca.log().count("/order-plz") == ordered


def test_two_sites_at_once() -> None:
    with authority() as ca:
        ca.dns("add-a", "other.example", "127.0.0.2")
        secure = free_port()
        words = [*ca.options(), "--domain", "other.example", "--https-listen", f"127.0.0.2:{secure}", "--listen",
                 f"127.0.0.2:{ca.port}"]  # fmt: skip
        with site(ca, *DOMAIN) as (run, port), _on(words, "127.0.0.2", ca.port) as other:
            until_served(run)
            until_served(other)
            until(lambda: handshake(port).names == {"shop.example"}, "that of the one")
            until(
                lambda: handshake(secure, "other.example", host="127.0.0.2").names == {"other.example"},
                "that of the other",
            )
            if other.is_apache:  # it shows its own, and answers 421
                assert handshake(secure, "shop.example", host="127.0.0.2").names == {"other.example"}
            else:
                with pytest.raises(ssl.SSLError):
                    handshake(secure, "shop.example", host="127.0.0.2")


@contextlib.contextmanager
def _on(words: list[str], host: str, port: int) -> Iterator[Served]:
    with served({"app.py": APP}, *words, port=port, host=host) as run:
        yield run
