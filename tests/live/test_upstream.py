"""Requests are shared among servers, and one that fails is missed by nobody: real nginx, real servers."""

from __future__ import annotations

import os
import shutil
import socket
import socketserver
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.live.backends import CUTTING, FAILING, HANGING, Backend, FastCgi, ask, backends
from tests.support import (
    KEEP_NONE,
    Served,
    end,
    free_port,
    portico,
    private_directory,
    rewrite,
    served,
    start,
    until_ready,
    write_files,
)
from tests.support.clients import STRANGERS, STRANGERS_WHO_POST, Clients

CHECK_SECONDS = 0.2
EACH = pytest.mark.parametrize("gateway", ["nginx", "apache"])
MOST_LATE = 20
FLASK = "from flask import Flask\napp = Flask(__name__)\n@app.route('/')\ndef here():\n    return 'the app'\n"


def toml(servers: list[str], *lines: str, before: str = "") -> dict[str, str]:
    listed = ", ".join(f'"{server}"' for server in servers)
    text = "\n".join(
        [before, "[upstream]", f"servers = [{listed}]", f'check = "{CHECK_SECONDS}s"', *lines, ""]
    )
    return {"portico.toml": text}


@contextmanager
def shared(
    count: int, *lines: str, words: tuple[str, ...] = (), before: str = "", gateway: str = "nginx"
) -> Iterator[tuple[Served, list[Backend]]]:
    """A running site and its servers; `words` follow their addresses."""
    with backends(count) as made, ExitStack() as stack:
        told = [
            f"{backend.address} {word}".strip()
            for backend, word in zip(made, words or ("",) * count, strict=True)
        ]
        run = stack.enter_context(served(toml(told, *lines, before=before), "--gateway", gateway))
        for backend in made:
            backend.hits.clear()
        yield run, made


def until(done: Callable[[], bool], seconds: float = 60) -> float:
    """How long it took."""
    began = time.monotonic()
    while not done():
        assert time.monotonic() - began < seconds, "too late"
        time.sleep(0.01)
    return time.monotonic() - began


def answers(run: Served, count: int, path: str = "/") -> Counter[str]:
    return Counter(ask(run.port, path=path)[1] for _ in range(count))


# Who gets a request --------------------------------------------------------------------------------------


@EACH
def test_weights_share_the_requests(gateway: str) -> None:
    with shared(3, words=("weight=2", "", ""), gateway=gateway) as (run, (a, b, c)):
        assert answers(run, 80) == {a.address: 40, b.address: 20, c.address: 20}


@EACH
def test_a_backup_gets_requests_when_no_other_is_left(gateway: str) -> None:
    with shared(2, words=("", "backup"), gateway=gateway) as (run, (a, b)):
        assert answers(run, 20) == {a.address: 20}
        a.stop()
        assert answers(run, 20) == {b.address: 20}


@EACH
def test_least_conn_spares_the_busy_one(gateway: str) -> None:
    with shared(2, 'method = "least_conn"', gateway=gateway) as (run, (a, b)):
        slow = [threading.Thread(target=ask, args=(run.port, "GET", "/slow")) for _ in range(2)]
        a.mode = HANGING
        for thread in slow:
            thread.start()
        until(lambda: a.hits["GET"] + b.hits["GET"] == 2)
        found = answers(run, 20)
        a.let_go.set()
        for thread in slow:
            thread.join()
        assert found[b.address] >= 19, found


@pytest.mark.parametrize(
    ("method", "is_spread"), [("ip_hash", False), ("hash", False), ("random_two", True), ("least_time", True)]
)
def test_methods_choose_as_their_names_say(method: str, is_spread: bool) -> None:
    with shared(3, f'method = "{method}"') as (run, made):
        assert (len(answers(run, 60)) > 1) == is_spread
        if method == "hash":
            spread = Counter(ask(run.port, path=f"/{number}")[1] for number in range(60))
            assert len(spread) == len(made), spread


@EACH
def test_a_sticky_client_stays_until_its_server_is_drained(gateway: str) -> None:
    with (
        shared(3, 'sticky = "route"', gateway=gateway) as (run, _),
        httpx.Client(base_url=run.url, timeout=60, limits=KEEP_NONE) as client,
    ):
        first = client.get("/")
        assert "httponly" in first.headers["set-cookie"].lower()
        assert {client.get("/").text for _ in range(12)} == {first.text}
        assert portico("drain", first.text, cwd=run.directory).returncode == 0
        second = client.get("/").text
        assert second != first.text
        assert {client.get("/").text for _ in range(12)} == {second}


# One of them fails ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "gateway"), [("dies", "nginx"), (FAILING, "nginx"), (HANGING, "nginx"), ("dies", "apache")]
)
def test_a_server_that_fails_is_out_within_two_checks_and_comes_back(how: str, gateway: str) -> None:
    with (
        shared(3, before='request_timeout = "3s"', gateway=gateway) as (run, (a, b, _)),
        Clients(run.port, STRANGERS) as load,
    ):
        time.sleep(0.3)
        failed, rounds = time.monotonic(), len(b.checked)
        if how == "dies":
            a.stop()
        else:
            a.mode = how
        out_seconds = until(lambda: f"server {a.address} is out" in run.stderr())
        # All are checked in the same rounds; some pass while the words are on their way on a busy machine.
        assert len(b.checked) - rounds <= 2 + MOST_LATE
        # nginx takes a moment to read its files again, and a worker of it that is leaving takes one more request
        # from a connection it has.
        until(lambda: _is_left_alone(a))
        out = back = time.monotonic()
        if how == "dies":
            a.start()
        else:
            a.mode = "well"
            a.let_go.set()
        until(lambda: f"server {a.address} is back" in run.stderr())
        until(lambda: a.hits["GET"] > 5)
        until(lambda: load.statuses(out)[200] > 20)
    during, after = load.statuses(failed) - load.statuses(out), load.statuses(out)
    print(
        f"{how}: out after {out_seconds:.2f} s, then {dict(after)}, before {dict(during)}; {back - out:.1f} s out"
    )
    assert set(after) == {200}, after
    if how != FAILING:  # what a server answers is its answer: only checks know that it should not be asked
        # httpd asks nobody else for a request that a server has begun.
        lost = load.statuses(0) if gateway == "nginx" else load.statuses(0) - Counter({502: 4})
        assert set(lost) == {200}, load.statuses(0)


def _is_left_alone(backend: Backend) -> bool:
    backend.hits.clear()
    time.sleep(1.5)
    return not backend.hits


@EACH
def test_the_last_server_goes_on_getting_requests(gateway: str) -> None:
    with shared(1, gateway=gateway) as (run, (a,)):
        a.mode = FAILING
        until(lambda: "no other is left" in run.stderr())
        assert ask(run.port) == (500, a.address)
        a.mode = "well"
        assert ask(run.port) == (200, a.address)


@EACH
def test_a_request_that_may_have_had_an_effect_is_never_sent_twice(gateway: str) -> None:
    with shared(3, gateway=gateway) as (run, made):
        for backend in made:
            backend.mode = CUTTING
        assert ask(run.port, "POST", "/cut")[0] == 502
        assert sum(backend.hits["POST"] for backend in made) == 1
        assert ask(run.port, "GET", "/cut")[0] == 502
        assert sum(backend.hits["GET"] for backend in made) == (1 if gateway == "apache" else 2)


@EACH
def test_a_post_that_no_server_has_seen_is_sent_to_another(gateway: str) -> None:
    with shared(2, gateway=gateway) as (run, (a, b)):
        a.stop()
        assert {ask(run.port, "POST") for _ in range(6)} == {(200, b.address)}


# Drained -------------------------------------------------------------------------------------------------


@EACH
def test_draining_loses_nothing(gateway: str) -> None:
    with shared(3, gateway=gateway) as (run, (a, _, __)), Clients(run.port, STRANGERS_WHO_POST) as load:
        slow: list[tuple[int, str]] = []
        threads = [
            threading.Thread(target=lambda: slow.append(ask(run.port, "POST", "/slow"))) for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        done = portico("drain", a.address, cwd=run.directory)
        assert "may be stopped" in done.stderr, done
        a.hits.clear()
        a.stop()
        time.sleep(0.5)
        assert not a.hits
        shown = portico("status", cwd=run.directory).stdout
        assert f"{a.address}  drained" in shown, shown
        a.start()
        assert portico("drain", a.address, "--undo", cwd=run.directory).returncode == 0
        until(lambda: a.hits["POST"] > 5)
        for thread in threads:
            thread.join()
    assert Counter(status for status, _ in slow) == {200: 6}
    assert set(load.statuses(0)) == {200}, load.statuses(0)


def test_a_drained_server_stays_drained_over_a_reload_and_a_start_until_undo() -> None:
    with shared(2) as (run, (a, b)):
        assert portico("drain", a.address, cwd=run.directory).returncode == 0
        assert portico("reload", cwd=run.directory).returncode == 0
        assert answers(run, 10) == {b.address: 10}
        run.stop()
        again = start(run.directory)
        try:
            until_ready(again)
            assert answers(again, 10) == {b.address: 10}
            until(lambda: f"server {a.address} is drained" in again.stderr())
            assert portico("drain", a.address, "--undo", cwd=run.directory).returncode == 0
            until(lambda: a.address in answers(again, 10))
        finally:
            end(again)


def test_stopping_finishes_what_a_server_has_in_hand() -> None:
    with shared(2) as (run, (a, b)):
        a.mode = b.mode = HANGING
        got: list[tuple[int, str]] = []
        thread = threading.Thread(target=lambda: got.append(ask(run.port)))
        thread.start()
        until(lambda: a.hits["GET"] + b.hits["GET"] > 0)
        for backend in (a, b):
            threading.Timer(4, backend.let_go.set).start()
        run.stop()
        thread.join()
        assert got[0][0] == 200


# What they speak -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates() -> Iterator[Path]:
    """A CA, and a certificate of it for app.internal."""
    with private_directory() as home:
        made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        _openssl(
            home,
            "req",
            "-x509",
            *made,
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-subj",
            "/CN=test",
            "-days",
            "2",
        )
        _openssl(home, "req", *made, "-keyout", "app.key", "-out", "app.csr", "-subj", "/CN=app.internal")
        (home / "ext").write_text("subjectAltName=DNS:app.internal")
        signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "ext"]
        _openssl(home, "x509", "-req", "-in", "app.csr", *signed, "-out", "app.pem")
        yield home


def _openssl(home: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=home, check=True, capture_output=True)


@pytest.mark.of_nginx  # httpd compares certificates with Host
@pytest.mark.parametrize(("name", "is_trusted"), [("app.internal", True), ("other.internal", False)])
def test_https_servers_must_prove_their_name(certificates: Path, name: str, is_trusted: bool) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "app.pem", certificates / "app.key")
    backend = Backend(context)
    options = (f'tls_name = "{name}"', f'ca = "{certificates / "ca.pem"}"')
    try:
        if is_trusted:
            with served(toml([f"https://{backend.address}"], *options)) as run:
                assert ask(run.port) == (200, backend.address)
                until(lambda: "last answer: status 200" in portico("status", cwd=run.directory).stdout)
        else:
            files = toml([f"https://{backend.address}"], *options, before='start_timeout = "6s"')
            with served(files) as run:
                assert "no server of [upstream] is healthy through the gateway" in run.stderr()
                assert ask(run.port)[0] == 502
                assert not backend.hits
    finally:
        backend.stop()


def test_a_start_while_every_server_is_down_serves_a_page_until_one_is_back() -> None:
    port = free_port()
    files = toml([f"127.0.0.1:{port}"], before='start_timeout = "6s"')
    with served(files) as run:
        assert "no server of [upstream] is healthy through the gateway: status 503" in run.stderr()
        assert ask(run.port)[0] == (503 if run.is_apache else 502)
        until(lambda: "failing" in portico("status", cwd=run.directory).stdout)
        back = Backend(port=port)
        try:
            until(lambda: ask(run.port) == (200, back.address))
        finally:
            back.stop()


def test_a_reload_to_servers_that_are_all_down_is_refused_while_those_of_before_serve() -> None:
    """It was accepted, and every client got 502."""
    gone = f"127.0.0.1:{free_port()}"

    def reloaded(run: Served, servers: list[str], *, before: str = "") -> tuple[int, str]:
        rewrite(run.directory / "portico.toml", toml(servers, before=before)["portico.toml"])
        done = portico("reload", cwd=run.directory)
        return done.returncode, done.stdout + done.stderr

    with shared(2) as (run, (a, b)):
        with Clients(run.port, STRANGERS) as load:
            code, words = reloaded(run, [gone, "nohost.invalid:80"])
            assert code == 1
            assert f"no server of the new [upstream] is healthy ({gone}: " in words
            assert "correct [upstream] servers" in words
            # One that is down takes nobody along, whatever else changes beside it.
            assert reloaded(run, [gone, a.address])[0] == 0
            assert reloaded(run, [gone, a.address], before='max_upload = "3M"')[0] == 0
            assert reloaded(run, [gone, b.address])[0] == 0
            until(lambda: f"{gone} is out" in run.stderr() or "is out" in run.stderr())
        assert load.statuses(0).keys() == {200}
        # With all of them down nothing is lost: another configuration is taken.
        b.stop()
        until(lambda: ask(run.port)[0] == 502)
        code, words = reloaded(run, [gone], before='max_upload = "4M"')
        assert code == 0, words
        assert reloaded(run, [a.address])[0] == 0
        until(lambda: ask(run.port) == (200, a.address))


@pytest.mark.of_nginx  # httpd asks servers of [upstream] by HTTP
def test_the_app_shares_with_another_site_over_uwsgi() -> None:
    there = FLASK.replace("the app", "the other")
    with served({"app.py": there}) as other, ExitStack() as stack:
        files = {"app.py": FLASK} | toml(["app", f"uwsgi://unix:{other.runtime}/app.sock"])
        run = stack.enter_context(served(files))
        assert answers(run, 20) == {"the app": 10, "the other": 10}
        with Clients(run.port, STRANGERS) as load:
            time.sleep(0.3)
            other.stop()
            until(lambda: "is out" in run.stderr())
            time.sleep(0.5)
        assert answers(run, 10) == {"the app": 10}
        assert set(load.statuses(0)) == {200}, load.statuses(0)


ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"the app"})
"""


@EACH
def test_an_asgi_app_shares_with_http_servers(gateway: str) -> None:
    words = ("--gateway", gateway)
    with backends(1) as (a,), served({"app.py": ASGI} | toml(["app", a.address]), *words) as run:
        assert answers(run, 20) == {"the app": 10, a.address: 10}
        until(lambda: "app  in, last answer: status 200" in portico("status", cwd=run.directory).stdout)
        assert (
            "[upstream] already distributes them"
            in portico("reload", "--canary", "10%", cwd=run.directory).stderr
        )


def test_debians_nginx_shares_and_drains_too() -> None:
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    if nginx is None:
        pytest.skip("no nginx of the system's")
    with backends(2) as (a, b), served(toml([a.address, b.address]), "--nginx", nginx) as run:
        assert answers(run, 20) == {a.address: 10, b.address: 10}
        assert portico("drain", a.address, cwd=run.directory).returncode == 0
        assert answers(run, 10) == {b.address: 10}


def test_a_mounted_site_asks_below_its_prefix() -> None:
    with shared(1, before='mount = "/shop"\nhealth = "/healthz"') as (run, (a,)):
        until(lambda: "/shop/healthz" in a.checked)
        assert ask(run.port, path="/shop/x") == (200, a.address)


@pytest.mark.of_nginx  # httpd asks servers of [upstream] by HTTP
def test_fastcgi_servers_are_asked() -> None:
    port = free_port()
    with socketserver.ThreadingTCPServer(("127.0.0.1", port), FastCgi) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with served(toml([f"fastcgi://127.0.0.1:{port}"])) as run:
            assert ask(run.port) == (200, "fastcgi has REQUEST_URI")
            until(lambda: "last answer: status 200" in portico("status", cwd=run.directory).stdout)
        server.shutdown()


class _Dns(socketserver.BaseRequestHandler):
    """Answers every question for an address with `_Dns.address`, which is good for one second."""

    address = "127.0.0.1"

    def handle(self) -> None:
        question, to = self.request
        end = question.index(b"\0", 12) + 5
        is_v4 = question[end - 4 : end - 2] == b"\0\1"
        head = question[:2] + struct.pack(">HHHHH", 0x8180, 1, int(is_v4), 0, 0) + question[12:end]
        record = struct.pack(">HHHIH", 0xC00C, 1, 1, 1, 4) + socket.inet_aton(self.address)
        to.sendto(head + (record if is_v4 else b""), self.client_address)


@pytest.mark.of_nginx  # httpd has no `upstream.resolver`
def test_a_server_that_moves_is_followed_by_its_name() -> None:
    first = Backend()
    second = Backend(host="127.0.0.2", port=first.port)
    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), _Dns) as dns:
        threading.Thread(target=dns.serve_forever, daemon=True).start()
        resolver = f'resolver = ["127.0.0.1:{dns.server_address[1]}"]'
        _Dns.address = "127.0.0.1"
        with served(toml([f"app.test:{first.port}"], resolver)) as run:
            assert ask(run.port) == (200, first.address)
            _Dns.address = "127.0.0.2"
            until(lambda: ask(run.port) == (200, second.address))
        dns.shutdown()
    first.stop()
    second.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file of names")
def test_a_server_that_moves_is_followed_where_nginx_itself_does_not() -> None:
    """nginx looks up names of /etc/hosts once. Only root has a mount namespace for the file."""
    first = Backend()
    second = Backend(host="127.0.0.2", port=first.port)
    with private_directory() as home:
        hosts, python = home / "hosts", home / "python"
        hosts.write_text("127.0.0.1 app.test\n")
        python.write_text(
            f"#!/bin/sh\nexec unshare -m --propagation private sh -c 'mount --bind {hosts} /etc/hosts && "
            f'exec "$@"\' sh {sys.executable} "$@"\n'
        )
        python.chmod(0o755)
        write_files(home, toml([f"app.test:{first.port}"]))
        run = start(home, python=str(python))
        try:
            until_ready(run)
            assert ask(run.port) == (200, first.address)
            asked = len(first.checked)
            until(lambda: len(first.checked) > asked + 2)  # Portico has looked the name up once by then
            hosts.write_text("127.0.0.2 app.test\n")
            until(lambda: ask(run.port) == (200, second.address))
            if not run.is_apache:  # looks a name up for each connection
                run.until_said("other addresses of app.test")
        finally:
            end(run)
    first.stop()
    second.stop()


# What is refused -----------------------------------------------------------------------------------------


def test_an_app_that_nobody_would_reach_is_refused() -> None:
    with private_directory() as home:
        (home / "portico.toml").write_text(toml(["127.0.0.1:9"])["portico.toml"])
        done = portico("plan", "shop:app", cwd=home)
        assert done.returncode == 2
        assert 'add "app" to them' in done.stderr
