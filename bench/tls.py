"""`python -m bench.tls`: what a handshake costs behind Portico and behind a bare nginx with the same certificate.

openssl s_time shakes hands and asks for nothing, so that only TLS is measured. The two take turns, round by round; what
counts is nginx's own CPU time a handshake, the least of the rounds: whatever else the machine does only adds to it.
"""

from __future__ import annotations

import re
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from portico.place.gateway.nginx import find_nginx
from tests.live.test_https import pair
from tests.support import free_port, served
from tests.support.until import until

ROUNDS, SECONDS = 8, 2
KEYS = ("ECDSA P-256", "RSA 2048")
KINDS = {
    "new, TLS 1.3": ["-new", "-tls1_3"],
    "new, TLS 1.2": ["-new", "-tls1_2"],
    "resumed, TLS 1.2": ["-reuse", "-tls1_2"],
}
_COUNT = re.compile(r"(\d+) connections in (\d+) real seconds")
BARE = """\
daemon off; worker_processes 2; pid nginx.pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {here}/a; proxy_temp_path {here}/b; fastcgi_temp_path {here}/c; uwsgi_temp_path {here}/d;
  scgi_temp_path {here}/e;
  ssl_session_cache shared:tls:10m; ssl_session_tickets off;
  server {{ listen 127.0.0.1:{port} ssl; ssl_certificate cert.pem; ssl_certificate_key key.pem; return 204; }}
}}
"""
APP = "def app(environ, start):\n    start('204 No Content', [])\n    return []\n"


@dataclass(frozen=True)
class Cost:
    """Of one round: handshakes a second of one client, and nginx's CPU microseconds for each."""

    rate: float
    cpu_us: float


def certificate(key: str) -> tuple[bytes, bytes]:
    """A certificate and its key of that kind."""
    if key.startswith("ECDSA"):
        return pair(["bench.example"])
    with tempfile.TemporaryDirectory() as here:
        words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9", "-subj", "/CN=bench.example", "-addext",
                 "subjectAltName=DNS:bench.example", "-keyout", "key.pem", "-out", "cert.pem"]  # fmt: skip
        subprocess.run(["openssl", *words], cwd=here, check=True, capture_output=True)
        return Path(here, "cert.pem").read_bytes(), Path(here, "key.pem").read_bytes()


@contextmanager
def bare(chain: bytes, key: bytes) -> Iterator[tuple[psutil.Process, int]]:
    """nginx alone, with little more than the certificate."""
    with tempfile.TemporaryDirectory() as name:
        here, port = Path(name), free_port()
        (here / "cert.pem").write_bytes(chain)
        (here / "key.pem").write_bytes(key)
        (here / "nginx.conf").write_text(BARE.format(here=here, port=port))
        argv = [find_nginx("embedded").path, "-p", name, "-c", str(here / "nginx.conf"), "-e", "stderr"]
        process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
        try:
            until(lambda: _listens(port), "nginx")
            yield psutil.Process(process.pid), port
        finally:
            process.terminate()
            process.wait()


@contextmanager
def behind_portico(chain: bytes, key: bytes) -> Iterator[tuple[psutil.Process, int]]:
    """The same certificate, as a user would name it."""
    port = free_port()
    files = {"app.py": APP, "cert.pem": chain.decode(), "key.pem": key.decode()}
    words = ["--https-cert", "cert.pem", "--https-key", "key.pem", "--https-listen", f"127.0.0.1:{port}"]
    with served(files, *words) as run:
        nginx = next(item for item in run.processes() if "nginx: master" in " ".join(item.cmdline()))
        yield nginx, port


def shaken(nginx: psutil.Process, port: int, words: list[str]) -> Cost:
    """One round."""
    before = _cpu(nginx)
    done = subprocess.run(
        ["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-time", str(SECONDS), *words],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    found = _COUNT.search(done.stdout)
    assert found, done.stdout + done.stderr
    count = int(found[1])
    return Cost(count / SECONDS, (_cpu(nginx) - before) / count * 1e6)


def _cpu(nginx: psutil.Process) -> float:
    """Seconds of its workers, from the kernel's nanoseconds."""
    pids = [process.pid for process in (nginx, *nginx.children())]
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids) / 1e9


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def main() -> None:
    print(
        f"{'':12s} {'':18s} {'bare us':>9s} {'Portico us':>11s} {'ratio':>6s} {'bare/s':>8s} {'Portico/s':>10s}"
    )
    for key in KEYS:
        chain, private = certificate(key)
        with bare(chain, private) as alone, behind_portico(chain, private) as ours:
            for kind, words in KINDS.items():
                rounds = [(shaken(*alone, words), shaken(*ours, words)) for _ in range(ROUNDS)]
                us = [min(item[side].cpu_us for item in rounds) for side in (0, 1)]
                rate = [max(item[side].rate for item in rounds) for side in (0, 1)]
                print(f"{key:12s} {kind:18s} {us[0]:9.0f} {us[1]:11.0f} {us[0] / us[1]:6.2f} "
                      f"{rate[0]:8.0f} {rate[1]:10.0f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
