"""HTTPS as clients meet it: who is let in, what they are shown, where plain HTTP leads, what the app gets."""

from __future__ import annotations

import contextlib
import datetime
import json
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from portico.run.tls import make, parts
from tests.live.tls import APP, anyone, handshake
from tests.support import (
    Served,
    contents,
    end,
    free_port,
    portico,
    private_directory,
    served,
    start,
    until_ready,
)
from tests.support.clients import Clients
from tests.support.until import until
from tests.support.wire import read_all

pytestmark = pytest.mark.timeout(300)
STATIC = {"static/app.css": "body { color: teal }\n"}


@contextlib.contextmanager
def secured(*words: str, **how: Any) -> Iterator[tuple[Served, int]]:
    port = free_port()
    files = {"app.py": APP, **STATIC, **how.pop("files", {})}
    with served(files, "--https-listen", f"127.0.0.1:{port}", *words, **how) as run:
        yield run, port


@pytest.fixture(scope="module")
def local(front: tuple[str, str]) -> Iterator[tuple[Served, int]]:
    with secured("--https", "local", "--https-http2", "on", *front) as found:
        yield found


@pytest.fixture(scope="module")
def named(front: tuple[str, str]) -> Iterator[tuple[Served, int]]:
    """A site with names, the first of them canonical."""
    words = ["--domain", "shop.example", "--domain", "www.shop.example", "--canonical", "shop.example"]
    with secured("--https", "local", *front, *words) as found:
        yield found


def trusting(run: Served) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=run.directory / "state/local-ca" / make.AUTHORITY)


def test_who_trusts_the_local_authority_sees_a_good_site(local: tuple[Served, int]) -> None:
    run, port = local
    with httpx.Client(verify=trusting(run), http2=False, timeout=60) as client:
        for host in ("localhost", "127.0.0.1"):
            told = client.get(f"https://{host}:{port}/").json()
            assert (told["scheme"], told["https"], told["host"]) == ("https", "on", f"{host}:{port}")
            assert told["url"] == f"https://{host}:{port}/"


def test_no_header_changes_the_scheme(local: tuple[Served, int]) -> None:
    run, port = local
    lies = {"X-Forwarded-Proto": "http", "X-Forwarded-Ssl": "off", "HTTPS": "off", "X-Scheme": "http"}
    told = httpx.get(f"https://localhost:{port}/", headers=lies, verify=trusting(run), timeout=60).json()
    assert (told["scheme"], told["https"], told["url"]) == ("https", "on", f"https://localhost:{port}/")


def test_plain_http_leads_to_https_and_a_post_stays_one(local: tuple[Served, int]) -> None:
    run, port = local
    answer = run.client.post(f"{run.url}/a%2Fb?x=1", headers={"Host": f"localhost:{run.port}"})
    assert answer.status_code == 308
    assert answer.headers["Location"] == f"https://localhost:{port}/a%2Fb?x=1"
    assert run.get("/-/health").text.strip() == "ok"


def test_the_handshake(local: tuple[Served, int]) -> None:
    _, port = local
    assert (handshake(port, "localhost").protocol, handshake(port, "localhost").alpn) == ("TLSv1.3", "h2")
    older = anyone()
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    assert handshake(port, "localhost", older).protocol == "TLSv1.2"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_who_comes_back_resumes_the_session(named: tuple[Served, int], version: ssl.TLSVersion) -> None:
    """Also behind a default server that refuses: the session cache is looked up there."""
    _, port = named
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    session, resumed = None, []
    for _ in range(4):
        with (
            socket.create_connection(("127.0.0.1", port), 60) as plain,
            context.wrap_socket(plain, server_hostname="shop.example", session=session) as connection,
        ):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")
            assert read_all(connection)
            session = connection.session
            resumed.append(connection.session_reused)
    assert resumed == [False, True, True, True]


@pytest.mark.of_nginx  # httpd shows the site's certificate, then answers 421
def test_a_strange_name_is_refused_and_shown_nothing(named: tuple[Served, int]) -> None:
    _, port = named
    for name in ("evil.example", "localhost.example", None):
        with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
            handshake(port, name)


@pytest.mark.of_nginx  # httpd answers 421
def test_a_handshake_for_one_name_and_a_request_for_another_is_closed(named: tuple[Served, int]) -> None:
    _, port = named
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), 60) as plain,
        context.wrap_socket(plain, server_hostname="shop.example") as connection,
    ):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        assert read_all(connection) == b""


def test_other_names_lead_to_the_canonical_one(named: tuple[Served, int]) -> None:
    run, port = named
    extensions = {"sni_hostname": "www.shop.example"}
    with httpx.Client(verify=anyone(), timeout=60) as client:
        headers = {"Host": f"www.shop.example:{port}"}
        answer = client.post(f"https://127.0.0.1:{port}/a?b=1", headers=headers, extensions=extensions)
    assert (answer.status_code, answer.headers["Location"]) == (308, f"https://shop.example:{port}/a?b=1")
    assert run.get("/x", headers={"Host": f"www.shop.example:{run.port}"}).headers["Location"] == (
        f"https://www.shop.example:{port}/x"
    )
    # A client that named no port came by a port mapping.
    assert run.get("/x", headers={"Host": "www.shop.example"}).headers["Location"] == (
        "https://www.shop.example/x"
    )


def test_a_proxy_that_ended_the_tls_is_not_sent_round_in_circles() -> None:
    with secured("--https", "local", "--behind", "127.0.0.0/8") as (run, _):
        told = run.get(headers={"X-Forwarded-Proto": "https"}).json()
        assert (told["scheme"], told["https"]) == ("https", "on")
        assert run.get(headers={"X-Forwarded-Proto": "http"}).status_code == 308
        assert run.get("/-/health").text.strip() == "ok"


def test_uwsgi_is_told_too() -> None:
    with secured("--https", "local", "--workers-server", "uwsgi") as (run, port):
        told = httpx.get(f"https://localhost:{port}/", verify=trusting(run), timeout=60).json()
        assert (told["scheme"], told["url"]) == ("https", f"https://localhost:{port}/")


def test_the_key_is_nobody_else_s_and_in_no_answer() -> None:
    with secured("--https", "local") as (run, _):
        keys = [path for path, text in contents(run.directory).items() if b"PRIVATE KEY" in text]
        assert keys
        assert all(path.stat().st_mode & 0o077 == 0 for path in keys)
        for words in (
            ["plan", "--diff", "--json"],
            ["status", "--json"],
            ["cert", "--json"],
            ["plan", "--json"],
        ):
            said = portico(*words, *(["--https", "local"] if words[0] == "plan" else []), cwd=run.directory)
            assert "PRIVATE" not in said.stdout + said.stderr
        checked = portico("check", "--https", "local", cwd=run.directory)
        assert "lines written for it" in checked.stdout


# The user's own files -------------------------------------------------------------------------------------


def pair(
    names: Sequence[str],
    *,
    days: float = 90,
    begins: float = -100,
    key: ec.EllipticCurvePrivateKey | None = None,
) -> tuple[bytes, bytes]:
    """A certificate that signed itself, and its key."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Own")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=begins))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return made.public_bytes(serialization.Encoding.PEM), text


def put(directory: Path, chain: bytes, key: bytes) -> None:
    (directory / "key.pem").touch(mode=0o600)
    (directory / "key.pem").write_bytes(key)
    (directory / "cert.pem").write_bytes(chain)


FILES = ["--https-cert", "cert.pem", "--https-key", "key.pem", "--domain", "shop.example"]


def test_files_are_checked_before_use_and_swapped_when_they_change() -> None:
    chain, key = pair(["shop.example"])
    other_chain, other_key = pair(["shop.example"])
    wrong = {
        "is not a complete": (chain[: len(chain) // 2], key),
        "is not a complete certificate": (chain + other_chain[: len(other_chain) // 2], key),
        "is not the key of": (chain, other_key),
        "is empty": (b"", key),
        "expired on": pair(["shop.example"], days=-1),
        "not for shop.example": pair(["other.example"]),
        "is not a complete key": (chain, key[: len(key) // 2]),
    }
    with private_directory() as home:
        put(home, chain, key)
        with secured(*FILES, "--https-hsts", "365d", directory=home) as (run, port):
            first = handshake(port)
            for words, (bad_chain, bad_key) in wrong.items():
                put(home, bad_chain, bad_key)
                until(lambda words=words: words in run.stderr(), words)  # type: ignore[misc]
                assert handshake(port).fingerprint == first.fingerprint
                until(lambda words=words: words in _problem(home), lambda: _problem(home))  # type: ignore[misc]
            put(home, other_chain, other_key)
            until(lambda: handshake(port).fingerprint != first.fingerprint, "the new certificate")
            until(lambda: "is served" in run.stderr(), "the notice")
            answers = _everywhere(port)
            assert {answer.headers.get("Strict-Transport-Security") for answer in answers} == {
                "max-age=31536000"
            }
            assert "Strict-Transport-Security" not in run.get(headers={"Host": "shop.example"}).headers
            # A key that everybody may read is used, and said.
            (home / "key.pem").chmod(0o644)
            until(lambda: "all users of this machine can read this key" in run.stderr(), "the complaint")


def _problem(home: Path) -> str:
    """The first one that `portico cert` names."""
    found: list[str] = json.loads(portico("cert", "--json", cwd=home).stdout)["problems"]
    return found[0] if found else ""


def test_no_handshake_and_no_request_is_lost_in_a_swap() -> None:
    """`make certificates` does it twenty times."""
    with private_directory() as home:
        put(home, *pair(["shop.example"]))
        with (
            secured(*FILES, directory=home) as (run, port),
            Clients(port, count=4, host="shop.example", tls=anyone("http/1.1")) as clients,
        ):
            for _ in range(3):
                before = handshake(port).fingerprint
                put(home, *pair(["shop.example"]))
                until(lambda before=before: handshake(port).fingerprint != before, "a swap")  # type: ignore[misc]
        # httpd closes connections that are kept and idle while it reads the new certificate.
        assert [one for one in clients.failed if not (run.is_apache and one.is_kept)] == []
        assert sum(one.is_first for one in clients.good) > 4


def _everywhere(port: int) -> list[httpx.Response]:
    """The app's answer, a static file's, and an error's."""
    extensions, headers = {"sni_hostname": "shop.example"}, {"Host": "shop.example"}
    url, found = f"https://127.0.0.1:{port}", []
    for path in ("/", "/static/app.css", "/static/none", "/nothing"):
        # A connection for each: after a swap a worker of nginx that leaves answers on one no more than once.
        with httpx.Client(verify=anyone(), timeout=60) as client:
            found.append(client.get(url + path, headers=headers, extensions=extensions))
    return found


@pytest.mark.parametrize(
    ("words", "content", "is_shown"),
    [
        ("expired on", lambda: pair(["shop.example"], days=-1), True),
        ("is not valid before", lambda: pair(["shop.example"], days=400, begins=200), True),
        ("not for shop.example", lambda: pair(["snakeoil"]), True),
        (
            "is not a complete certificate in PEM",
            lambda: (b"nonsense", pair(["shop.example"])[1]),
            False,
        ),
        ("cannot be read: No such file or directory", None, False),
    ],
)
def test_a_start_with_files_that_are_not_fit_serves_what_can_be_served(
    words: str, content: Callable[[], tuple[bytes, bytes]] | None, is_shown: bool
) -> None:
    """After a reboot: plain HTTP and the challenge path are there, so that an ACME client can renew; HTTPS, too."""
    with private_directory() as home:
        if content:
            put(home, *content())
        with secured(*FILES, "--https-hsts", "365d", directory=home) as (run, port):
            until(lambda: words in run.stderr(), words)
            shown = handshake(port)
            assert ("placeholder" in shown.issuer) != is_shown
            assert {answer.headers.get("Strict-Transport-Security") for answer in _everywhere(port)} == {None}
            challenged(run, port)
            told = portico("cert", cwd=home)
            assert (told.returncode, words in told.stdout) == (1, True)
            checked = portico("check", *FILES, cwd=home)
            assert (checked.returncode, words in checked.stdout) == (1, True)
            # Renewed from outside: the next look takes it, and everything is well.
            put(home, *pair(["shop.example"]))
            until(lambda: handshake(port).fingerprint != shown.fingerprint, "the swap")
            until(lambda: portico("cert", cwd=home).returncode == 0, "all well")


def test_an_expired_certificate_over_a_restart_and_its_renewal() -> None:
    """The good one that serves stays; a start has the files alone, and serves what they are. Once they are renewed the
    end of the old certificate is no news: it was told once more after the new one was served."""
    with private_directory() as home:
        put(home, *pair(["shop.example"]))
        with secured(*FILES, directory=home) as (run, port):
            good = handshake(port)
            put(home, *pair(["shop.example"], days=-1))
            until(lambda: "expired on" in run.stderr(), "the complaint")
            assert portico("reload", cwd=home).returncode == 0
            assert handshake(port).fingerprint == good.fingerprint
        again = start(home, "--https-listen", f"127.0.0.1:{port}", *FILES, port=run.port)
        try:
            until_ready(again)
            until(lambda: "the certificate has ENDED" in again.stderr(), "the end")
            expired = handshake(port)
            assert expired.fingerprint != good.fingerprint
            challenged(again, port)
            for swap in (1, 2):  # the second comes when all is said that follows from the first
                put(home, *pair(["shop.example"]))
                until(lambda swap=swap: again.stderr().count("is served, good for") == swap, "a swap")  # type: ignore[misc]
            assert handshake(port).fingerprint not in (good.fingerprint, expired.fingerprint)
            assert "ENDED" not in again.stderr().partition("is served, good for")[2]
        finally:
            end(again)


def challenged(run: Served, port: int) -> None:
    """What an ACME client beside Portico puts into the challenge directory is answered by plain HTTP."""
    folder = run.state / "challenges/.well-known/acme-challenge"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "token").write_text("proof")
    host = {"Host": f"shop.example:{run.port}"}
    answer = run.get("/.well-known/acme-challenge/token", headers=host)
    assert (answer.status_code, answer.text) == (200, "proof")
    other = run.get("/.well-known/acme-challenge/of-the-app", headers=host)
    assert other.headers["Location"] == f"https://shop.example:{port}/.well-known/acme-challenge/of-the-app"
    assert run.get("/", headers=host).status_code == 308


def test_renewed_files_that_cannot_be_used_are_an_error_of_cert() -> None:
    with private_directory() as home:
        put(home, *pair(["shop.example"]))
        with secured(*FILES, directory=home) as (run, port):
            until(lambda: portico("cert", cwd=home).returncode == 0, "all well")
            first = handshake(port).fingerprint
            (home / "cert.pem").write_bytes(b"nonsense")
            until(lambda: "the previous one stays in use" in run.stderr(), "the refusal")
            until(lambda: portico("cert", cwd=home).returncode == 1, "the exit code")
            assert handshake(port).fingerprint == first


def test_a_reload_keeps_what_is_served() -> None:
    with private_directory() as home:
        put(home, *pair(["shop.example"]))
        with secured(*FILES, directory=home) as (run, port):
            first = handshake(port).fingerprint
            (home / "cert.pem").write_bytes(b"")
            (home / "app.py").write_text(APP + "\nVERSION = 2\n")
            assert portico("reload", cwd=home).returncode == 0
            assert handshake(port).fingerprint == first
            assert run.process.poll() is None


def test_clients_show_certificates() -> None:
    with private_directory() as home:
        authority, chain, key = _client()
        (home / "client.pem").write_bytes(chain + key)
        (home / "ca.pem").write_bytes(authority)
        with secured("--https", "local", "--https-client-ca", "ca.pem", directory=home) as (run, port):
            context = trusting(run)
            if run.is_apache:  # it refuses the handshake
                with pytest.raises(httpx.TransportError):
                    httpx.get(f"https://localhost:{port}/", verify=context, timeout=60)
            else:
                assert httpx.get(f"https://localhost:{port}/", verify=context, timeout=60).status_code == 400
            context.load_cert_chain(home / "client.pem")
            told = httpx.get(f"https://localhost:{port}/", verify=context, timeout=60).json()["client"]
            assert (told["SSL_CLIENT_VERIFY"], told["SSL_CLIENT_S_DN"]) == ("SUCCESS", "CN=Ada")


@pytest.mark.usefixtures("_needs_nginx")
@pytest.mark.parametrize("nginx", ["embedded", "system"])
def test_only_some_paths_ask_for_a_certificate(nginx: str) -> None:
    with private_directory() as home:
        authority, chain, key = _client()
        (home / "client.pem").write_bytes(chain + key)
        (home / "ca.pem").write_bytes(authority)
        (home / "portico.toml").write_text('[access."/a"]\ncertificate = true\n')
        flags = ("--nginx", nginx, "--https-client-ca", "ca.pem", "--https-client-verify", "optional")
        with secured("--https", "local", *flags, directory=home) as (run, port):
            context, url = trusting(run), f"https://localhost:{port}"
            found = [
                httpx.get(url + path, verify=context, timeout=60).status_code for path in ("/", "/a", "//A/x")
            ]
            assert found == [200, 403, 403]
            context.load_cert_chain(home / "client.pem")
            assert httpx.get(f"{url}/a", verify=context, timeout=60).status_code == 404  # the app's own
            told = httpx.get(f"{url}/", verify=context, timeout=60).json()["client"]
            assert (told["SSL_CLIENT_VERIFY"], told["SSL_CLIENT_S_DN"]) == ("SUCCESS", "CN=Ada")


def _client() -> tuple[bytes, bytes, bytes]:
    """An authority for staff, and Ada's certificate by it, with her key."""
    staff_key, staff, key = parts.new_key(), parts.name("Staff"), parts.new_key()
    authority = (
        parts.builder(staff, staff, staff_key.public_key(), 2)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(staff_key, hashes.SHA256())
    )
    made = parts.builder(parts.name("Ada"), staff, key.public_key(), 1).sign(staff_key, hashes.SHA256())
    return authority.public_bytes(parts.PEM), made.public_bytes(parts.PEM), parts.pem(key)


@pytest.mark.of_nginx  # httpd answers 500 above 64 KiB
def test_a_head_that_is_too_large_for_the_link_is_431_by_http_2_too(local: tuple[Served, int]) -> None:
    """Compressed on the way, it is the size of its text that counts."""
    _, port = local
    for name, lengths in {"100k": [1000] * 100, "66k": [1000] * 66, "many": [0] * 2000}.items():
        headers = {f"x-{number}": "x" * length for number, length in enumerate(lengths)}
        with httpx.Client(http2=True, verify=False, timeout=60) as client:
            answer = client.get(f"https://127.0.0.1:{port}/", headers=headers)
            again = client.get(f"https://127.0.0.1:{port}/", headers={"x-1": "x" * 1000})
        assert answer.http_version == "HTTP/2"
        assert (answer.status_code, again.status_code) == (431, 200), name
        assert "disk" not in answer.text
