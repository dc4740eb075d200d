"""HTTPS by IP address, and short-lived certificates: a real ACME server, certbot, both builds of nginx."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator

import httpx
import pytest
from cryptography import x509

from portico.run.tls import make
from tests.acme import Authority, authority
from tests.acme_between import between
from tests.live.test_acme import site, status, until_served
from tests.live.test_sites import Gateway
from tests.live.test_sites import site as files_of
from tests.live.tls import anyone, handshake, settled
from tests.support import (
    Served,
    end,
    free_port,
    portico,
    private_directory,
    served,
    start,
    until_ready,
    write_files,
)
from tests.support.until import until

pytestmark = pytest.mark.timeout(600)
DAY = 86400
NAMES = ["--domain", "127.0.0.1", "--domain", "shop.example"]


def alternatives(certificate: x509.Certificate) -> set[str]:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(one.value) for one in found}


@pytest.fixture(scope="module", params=["embedded", "system"])
def by_address(request: pytest.FixtureRequest) -> Iterator[tuple[Served, int]]:
    words = [*NAMES, "--nginx", request.param, "--https-hsts", "365d"]
    with authority(days=6) as ca, site(ca, *words) as (run, port):
        until_served(run)
        settled(port, None, "Pebble")
        yield run, port


def test_an_address_is_certified_for_six_days_and_shown_to_who_gives_no_name(
    by_address: tuple[Served, int],
) -> None:
    run, port = by_address
    shown = handshake(port, None)
    assert alternatives(shown.certificate) == {"127.0.0.1", "shop.example"}
    assert handshake(port, "shop.example").fingerprint == shown.fingerprint
    told = status(run)
    life = told["not_after"] - told["not_before"]
    assert 5.9 * DAY < life < 6.1 * DAY
    assert told["phase"] == "good"
    assert time.time() < told["next_attempt"] < told["warn_at"] < told["urgent_at"] < told["not_after"]
    assert told["problems"] == []
    assert portico("cert", cwd=run.directory).returncode == 0


def test_the_address_has_its_site_and_no_hsts(by_address: tuple[Served, int]) -> None:
    run, port = by_address
    with httpx.Client(verify=anyone(), timeout=60) as client:
        by_number = client.get(f"https://127.0.0.1:{port}/")
        by_name = client.get(
            f"https://127.0.0.1:{port}/",
            headers={"Host": "shop.example"},
            extensions={"sni_hostname": "shop.example"},
        )
        strange = {"Host": "evil.example"}
        if run.is_apache:
            assert client.get(f"https://127.0.0.1:{port}/", headers=strange).status_code == 421
        else:
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):  # closed, or reset
                client.get(f"https://127.0.0.1:{port}/", headers=strange)
    assert by_number.json()["url"] == f"https://127.0.0.1:{port}/"
    assert "Strict-Transport-Security" not in by_number.headers
    assert by_name.headers["Strict-Transport-Security"] == "max-age=31536000"
    sent_on = run.client.get(f"{run.url}/a?b=1")
    assert (sent_on.status_code, sent_on.headers["Location"]) == (308, f"https://127.0.0.1:{port}/a?b=1")


def test_a_renewal_keeps_the_profile(by_address: tuple[Served, int]) -> None:
    run, port = by_address
    first = handshake(port, None).fingerprint
    renewed = portico("cert", "renew", cwd=run.directory, seconds=300)
    assert renewed.returncode == 0, renewed.stderr
    shown = settled(port, None, "Pebble", other_than=first)
    lifetime = shown.certificate.not_valid_after_utc - shown.certificate.not_valid_before_utc
    assert lifetime.days <= 6


@pytest.fixture(scope="module")
def ca() -> Iterator[Authority]:
    """For sites of one test each."""
    with authority(days=6) as made:
        yield made


@pytest.mark.parametrize(
    ("words", "profiles", "ordered"),
    [
        (NAMES, ("classic", "shortlived"), "shortlived"),
        (NAMES, ("classic",), ""),
        (["--domain", "shop.example", "--https-acme-profile", "classic"], ("classic",), "classic"),
    ],
)
def test_the_profile_that_is_asked_for(
    ca: Authority, words: list[str], profiles: tuple[str, ...], ordered: str
) -> None:
    """Debian's Pebble knows none: something between adds them to its directory."""
    with between(ca) as server:
        server.profiles = profiles
        with site(ca, *words, "--https-acme-server", server.url) as (run, _):
            until_served(run)
            assert set(server.ordered) == {ordered}  # a rejected nonce is a second order


def test_a_profile_that_the_server_does_not_have_is_a_clear_error(ca: Authority) -> None:
    words = ["--domain", "shop.example", "--https-acme-profile", "weekly"]
    with between(ca) as server:
        server.profiles = ("classic", "shortlived")
        with site(ca, *words, "--https-acme-server", server.url) as (run, _):
            until(lambda: "no certificate" in run.stderr(), "a failed try", 240)
            assert "https.acme_profile: " in run.stderr()
            assert "issues no certificate of profile weekly" in run.stderr()
            assert "classic, shortlived" in run.stderr()


@pytest.mark.parametrize("gateway", ["nginx", "apache"])
def test_a_local_certificate_by_ipv6_address(gateway: str) -> None:
    secure = free_port()
    words = ["--https", "local", "--domain", "::1", "--https-listen", f"[::1]:{secure}"]
    with served({"app.py": APP}, *words, "--gateway", gateway, host="[::1]") as run:
        trusted = ssl.create_default_context(cafile=run.directory / "state/local-ca" / make.AUTHORITY)
        answer = httpx.get(f"https://[::1]:{secure}/", verify=trusted, timeout=60)
        assert answer.json() == {"host": f"[::1]:{secure}"}


APP = """
from flask import Flask, request

app = Flask(__name__)

@app.get("/")
def home():
    return {"host": request.host}
"""


@pytest.mark.parametrize("nginx", ["embedded", "system"])
def test_one_of_several_sites_has_an_address(ca: Authority, nginx: str) -> None:
    with private_directory() as home:
        write_files(home, files_of("shop", "", "shop.example", "127.0.0.1"))
        write_files(home, files_of("blog"))
        secure = free_port()
        words = [*ca.options(), "--https-listen", f"127.0.0.1:{secure}", "--nginx", nginx]
        run = start(home, "sites", "--workers", "1", *words, port=ca.port)
        try:
            until_ready(run, 90)
            until(lambda: "Pebble" in handshake(secure, None).issuer, "a certificate for shop", 240)
            until(lambda: "Pebble" in handshake(secure, "blog.example").issuer, "one for blog", 240)
            assert alternatives(handshake(secure, None).certificate) == {"127.0.0.1", "shop.example"}
            answer = httpx.get(f"https://127.0.0.1:{secure}/", verify=anyone(), timeout=60)
            assert (answer.status_code, answer.text) == (200, "shop")
            assert "evil" not in Gateway(run).get("evil.example")[1]
        finally:
            end(run)
