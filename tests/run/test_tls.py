"""When certificates are asked for, what is remembered, what is refused before it is used, and what DNS says."""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain, repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from portico.errors import PorticoError, Problem
from portico.plan.bindings import Bindings, BindingTable, Listen, Spoken
from portico.plan.gateway.nginx.entry.tls import hsts_file
from portico.plan.subjects import Acme, Tls
from portico.run.tls import make, material, webroot
from portico.run.tls.acme import _failed
from portico.run.tls.certificate import Certificate, covers, read, unfit
from portico.run.tls.memory import Memory
from portico.run.tls.preflight import preflight
from portico.run.tls.renewer import Renewer
from portico.run.tls.schedule import (
    DAY,
    REFUSED,
    SERVER,
    hsts_seconds,
    pause,
    phase,
    remind_seconds,
    renew_at,
    urgent_at,
    warn_at,
)
from portico.site.load import load
from portico.values import Address
from tests.acme import authority
from tests.support import free_port

if TYPE_CHECKING:
    from portico.run.supervisor.effects import Effects

LIMIT_AN_HOUR = 5
LETSENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"


def plan(directory: Path, *names: str, mode: str = "auto", acme: Acme | None = None) -> Tls:
    made = acme or Acme(LETSENCRYPT, "")
    return Tls(
        mode, names or ("shop.example",), (), str(directory), acme=made, local_ca=str(directory / "ca")
    )


# When ---------------------------------------------------------------------------------------------------


def test_no_more_failures_in_any_hour_than_the_authority_allows() -> None:
    for jitter in (0.0, 1.0):
        moments, now = [0.0], 0.0
        for failures in range(1, 30):
            now += pause(REFUSED, failures, jitter)
            moments.append(now)
        for begin in moments:
            assert sum(begin <= moment < begin + 3600 for moment in moments) < LIMIT_AN_HOUR


def test_a_server_that_is_down_is_asked_again_soon_and_then_less_often() -> None:
    pauses = [pause(SERVER, failures, 0.0) for failures in range(1, 12)]
    assert pauses[0] == 10
    assert pauses == sorted(pauses)
    assert pauses[-1] == 1800


@given(
    lifetime=st.floats(60, 400 * DAY),
    jitter=st.floats(0, 1),
    wished=st.one_of(st.none(), st.floats(-400 * DAY, 800 * DAY)),
)
def test_a_certificate_is_renewed_before_anybody_is_warned_and_warned_of_before_its_end(
    lifetime: float, jitter: float, wished: float | None
) -> None:
    moments = [renew_at(0, lifetime, jitter, wished), warn_at(0, lifetime), urgent_at(0, lifetime), lifetime]
    assert moments == sorted(set(moments))
    assert [phase(0, lifetime, moment) for moment in moments] == ["good", "warn", "urgent", "ended"]
    assert remind_seconds(lifetime) <= max(60, lifetime / 90)


@pytest.mark.parametrize(
    ("days", "renewed", "warned", "urgent"),
    [(6, 3, 1, 0.4), (64, 21.3, 10.7, 4.3), (90, 30, 15, 6), (398, 132.7, 30, 7)],
)
def test_warnings_follow_the_life_of_the_certificate(
    days: float, renewed: float, warned: float, urgent: float
) -> None:
    """Days before the end."""
    end = days * DAY
    moments = (renew_at(0, end, 0.0), warn_at(0, end), urgent_at(0, end))
    assert [round((end - moment) / DAY, 1) for moment in moments] == [renewed, warned, urgent]


def test_browsers_are_told_in_steps() -> None:
    steps = [(None, 0), (0, 300), (DAY - 1, 300), (DAY, 86400), (8 * DAY - 1, 86400), (8 * DAY, 365 * 86400)]
    assert [(proven, hsts_seconds("ramp", proven)) for proven, _ in steps] == steps
    assert hsts_seconds("off", 9 * DAY) == 0
    assert hsts_seconds("30d", None) == 30 * 86400
    assert "; includeSubDomains; preload" in hsts_file(Tls("auto", (), (), "", hsts="preload"), 1).content


def test_what_is_remembered_outlives_a_restart_and_a_broken_file_is_none(tmp_path: Path) -> None:
    tls = plan(tmp_path)
    memory = Memory(failures=3, next_try=9.0, problems=[Problem("a", "b")], well_since=1.0)
    memory.keep(tls)
    assert Memory.of(tls) == memory
    (tmp_path / "memory.json").write_text("{")
    assert Memory.of(tls) == Memory()


# What is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "name", "is_covered"),
    [
        (("shop.example",), "SHOP.example", True),
        (("*.shop.example",), "a.shop.example", True),
        (("*.shop.example",), "a.b.shop.example", False),
        (("*.shop.example",), "shop.example", False),
        (("*.shop.example",), "*.shop.example", True),
        (("a.shop.example",), "*.shop.example", False),
    ],
)
def test_names(names: tuple[str, ...], name: str, is_covered: bool) -> None:
    assert covers(names, name) == is_covered


def test_a_short_rsa_key_and_a_broken_chain_are_refused(tmp_path: Path) -> None:
    chain, key = make.local(["shop.example"], tmp_path)
    other, _ = make.local(["other.example"], tmp_path)
    with pytest.raises(PorticoError, match="certificate 1 is not signed by certificate 2"):
        read(chain + other, key, "cert.pem", "key.pem")
    authority_pem = (tmp_path / make.AUTHORITY).read_bytes()
    assert read(chain + authority_pem, key, "cert.pem", "key.pem").names == ("shop.example",)
    short = rsa.generate_private_key(65537, 1024)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(name, name, short.public_key(), 1, now, now + datetime.timedelta(1))
    pem = made.sign(short, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    text = short.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(PorticoError, match="has 1024 bits"):
        read(pem, text, "cert.pem", "key.pem")
    locked = short.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    with pytest.raises(PorticoError, match="has a passphrase"):
        read(pem, locked, "cert.pem", "key.pem")


def test_a_chain_that_is_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    """All of it is there or none: half a chain works in some browsers and not in others."""
    chain, key = make.local(["shop.example"], tmp_path)
    whole = b"# comment\r\n" + chain + (tmp_path / make.AUTHORITY).read_bytes()
    assert read(whole, key, "c", "k").names == ("shop.example",)
    assert read(b"\xef\xbb\xbf" + whole, key, "c", "k").names == ("shop.example",)
    begin = whole.index(b"-----END CERTIFICATE-----") + len("-----END CERTIFICATE-----\n")
    for end in range(begin + 1, len(whole.rstrip())):
        with pytest.raises(PorticoError, match="not a complete certificate"):
            read(whole[:end], key, "c", "k")


def test_the_authority_s_chain_is_trusted_by_who_trusts_it_alone(tmp_path: Path) -> None:
    chain, key = make.local(["shop.example"], tmp_path)
    assert read(chain, key, "", "", str(tmp_path / make.AUTHORITY)).is_trusted
    assert not read(chain, key, "", "", "/etc/ssl/certs/ca-certificates.crt").is_trusted


def test_a_certificate_of_the_future_is_a_wrong_clock(tmp_path: Path) -> None:
    chain, key = make.local(["shop.example"], tmp_path)
    certificate = read(chain, key, "c", "k")
    problem = unfit(certificate, ["shop.example"], certificate.not_before - 10 * DAY, "c")
    assert problem is not None
    assert "clock" in problem.hint


def test_what_was_issued_belongs_to_the_server_that_issued_it(tmp_path: Path) -> None:
    """From staging to production the staging certificate does not stay."""
    tls, staging = plan(tmp_path), plan(tmp_path, acme=Acme("https://staging.example/dir", ""))
    pem = b"".join(make.local(["shop.example"], tmp_path / "ca"))
    assert material.store(staging, pem).names == ("shop.example",)
    assert material.stored(staging) is not None
    assert material.stored(tls) is None
    with pytest.raises(PorticoError, match=r"not for new\.example"):
        material.store(plan(tmp_path, "shop.example", "new.example"), pem)


def test_a_new_local_authority_makes_new_certificates(tmp_path: Path) -> None:
    tls = plan(tmp_path, mode="local")
    first, said = material.local(tls)
    assert said == ()  # there was none before
    assert material.local(tls) == (first, ())
    (tmp_path / "ca" / make.AUTHORITY_KEY).unlink()
    (tmp_path / "local.pem").unlink()
    second, said = material.local(tls)
    assert second.fingerprint != first.fingerprint
    assert "trust this one" in (said[0].hint or "")


def test_nothing_is_said_of_how_a_certificate_is_served_before_it_was_looked_at(tmp_path: Path) -> None:
    """It is in force a moment before the look: what the addresses showed until then is of the one before."""
    nobody = Address("127.0.0.1", free_port())
    tls = replace(plan(tmp_path, mode="local"), listen=(nobody,))
    first, second = (make_other(tmp_path / name) for name in ("a", "b"))
    running = SimpleNamespace(in_force=SimpleNamespace(tls=tls), material=material.Material(first, "local"))
    renewer = Renewer(cast("Effects", running), lambda _: None, lambda: True)

    asyncio.run(renewer._look(tls))
    told = renewer.status()
    assert told
    assert [one.is_served for one in told.addresses] == [False]
    running.material = material.Material(second, "local")
    told = renewer.status()
    assert told
    assert told.addresses == ()


def test_a_worker_of_nginx_that_leaves_is_no_fault_of_the_address(tmp_path: Path) -> None:
    """It may accept one more connection after others showed the new certificate: seen in CI."""
    old, fresh = (make_other(tmp_path / name) for name in ("a", "b"))
    with showing(old, fresh, old, fresh) as address:
        tls = replace(plan(tmp_path, mode="local"), listen=(address,))
        running = SimpleNamespace(
            in_force=SimpleNamespace(tls=tls), material=material.Material(fresh, "files")
        )
        said = list[object]()
        renewer = Renewer(cast("Effects", running), said.append, lambda: True)
        for _ in range(2):
            asyncio.run(renewer._look(tls))
            told = renewer.status()
            assert told
            assert [one.is_served for one in told.addresses] == [True]
        assert said == []


@contextmanager
def showing(*certificates: Certificate) -> Iterator[Address]:
    """A server that shows these, one for each connection, and the last for all after."""
    contexts = list[ssl.SSLContext]()
    with TemporaryDirectory() as directory:
        for one in certificates:
            file = Path(directory, "both.pem")
            file.write_bytes(one.pem)
            contexts.append(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
            contexts[-1].load_cert_chain(file)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for context in chain(contexts, repeat(contexts[-1])):
            try:
                plain, _ = listening.accept()
            except OSError:
                return
            plain.settimeout(60)  # whoever connects and says nothing must not hold up the end of the test
            with plain, suppress(OSError), context.wrap_socket(plain, server_side=True):
                pass

    thread = Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield Address("127.0.0.1", listening.getsockname()[1])
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def make_other(directory: Path) -> Certificate:
    """A certificate of a local authority of its own."""
    directory.mkdir()
    return material.local(plan(directory, mode="local"))[0]


# What the authority and DNS say ------------------------------------------------------------------------


SAID = """\
Certbot failed to authenticate some domains (authenticator: webroot). The Certificate Authority reported these problems:
  {word}: shop.example
  Type:   {kind}
  Detail: 203.0.113.9: Fetching http://shop.example/.well-known/acme-challenge/x: Timeout during connect

Hint: The Certificate Authority failed to download the temporary challenge files created by Certbot.
"""


@pytest.mark.parametrize("word", ["Domain", "Identifier"])
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("connection", "could not be reached"),
        ("dns", "no usable address"),
        ("caa", "CAA record"),
        ("odd", "not accepted"),
    ],
)
def test_verdicts_in_plain_words(word: str, kind: str, words: str) -> None:
    failed = _failed(SAID.format(word=word, kind=kind), Acme(LETSENCRYPT, ""), LETSENCRYPT, Path("/x"))
    (problem,) = failed.problems
    assert (failed.kind, problem.where) == (REFUSED, "shop.example")
    assert words in problem.what
    assert "Timeout during connect" in problem.quote


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (
            "Error finalizing order :: rateLimited :: too many certificates",
            REFUSED,
            "takes no more requests",
        ),
        ("requests.exceptions.ConnectionError: HTTPSConnectionPool: Max retries", SERVER, "does not answer"),
        ("The server experienced an internal error :: serverInternal", SERVER, "does not answer"),
        ("something new", REFUSED, "gave no certificate"),
        (
            "The ACME server believes me@x.y is an invalid email address.",
            REFUSED,
            "does not accept me@shop.example",
        ),
        ("ModuleNotFoundError: No module named 'certbot'", SERVER, "cannot be started"),
    ],
)
def test_other_failures(said: str, kind: str, words: str) -> None:
    failed = _failed(said, Acme(LETSENCRYPT, "", "me@shop.example"), LETSENCRYPT, Path("/x"))
    assert failed.kind == kind
    assert words in failed.problems[0].what


def test_a_caa_record_decides_for_the_names_below_it(tmp_path: Path) -> None:
    with authority() as ca:
        resolver = (f"127.0.0.1:{ca.dns_port}",)

        def asked(*names: str) -> tuple[Problem, ...]:
            acme = Acme(LETSENCRYPT, "", resolvers=resolver, dns="cloudflare")
            return preflight(plan(tmp_path, *names, acme=acme))

        assert asked("shop.example") == ()
        ca.caa("shop.example", "other.example")
        (problem,) = asked("a.shop.example")
        assert "allows other.example only, not letsencrypt.org" in problem.what
        ca.caa("shop.example", "letsencrypt.org; validationmethods=http-01")
        assert asked("*.shop.example") == ()


def test_certbot_never_writes_where_another_user_could_lead_it_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / ".well-known/acme-challenge"
    assert webroot.make(str(tmp_path)) == folder
    assert [path.stat().st_mode & 0o777 for path in (folder, folder.parent)] == [0o755, 0o755]
    folder.parent.chmod(0o777)
    with pytest.raises(PorticoError, match="can be changed by another user"):
        webroot.make(str(tmp_path))
    folder.parent.chmod(0o755)
    folder.rmdir()
    folder.symlink_to(tmp_path.parent)
    with pytest.raises(PorticoError, match="is not a directory"):
        webroot.make(str(tmp_path))


def test_two_sites_with_addresses_need_listening_addresses_of_their_own() -> None:
    def wanted(name: str, domain: str, address: str) -> Bindings:
        return Bindings(name, name, (Listen(address, (Spoken.TLS,)),), (f"{name}.example", domain))

    bindings = BindingTable()
    assert bindings.add(wanted("a", "203.0.113.5", "0.0.0.0:443")) is None
    problem = bindings.add(wanted("b", "[2001:db8::1]", "0.0.0.0:443"))
    assert problem is not None
    assert "has an IP address among its domains, and so has a" in problem.what
    assert bindings.add(wanted("c", "203.0.113.6", "203.0.113.6:8443")) is None
    assert bindings.add(Bindings("d", "d", (Listen("0.0.0.0:443", (Spoken.TLS,)),), ("d.example",))) is None


@pytest.mark.parametrize(
    ("domains", "more", "words"),
    [
        ('["2001:0db8::1"]', "", "write it as 2001:db8::1"),
        ('["10.0.0.1"]', "", "not a public address"),
        ('["1.1.1.1"]', 'acme_profile = "classic"', "for six days only"),
        ('["1.1.1.1"]', 'dns = "cloudflare"', "DNS cannot validate"),
        ('["shop.example"]', 'acme_profile = "a b"', "not the name of a profile"),
    ],
)
def test_what_is_wrong_with_an_address(tmp_path: Path, domains: str, more: str, words: str) -> None:
    toml = f'app = "app:app"\ndomains = {domains}\n[https]\nmode = "auto"\n{more}\n'
    (tmp_path / "portico.toml").write_text(toml)
    with pytest.raises(PorticoError, match=words):
        load(tmp_path / "portico.toml", {})
