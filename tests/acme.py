"""Pebble, Let's Encrypt's own test server, with its own DNS: an authority for one test module."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from portico.run.tls import make
from tests.support import free_port, private_directory
from tests.support.process import DEVNULL, Program, finish, launch, running

PROGRAMS = ("pebble", "pebble-challtestsrv")
SECONDS = 90.0
USUAL = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0"}
"""Answers at once, and each order is proven anew: what is chosen at random would be another test every day."""


@dataclass
class Authority:
    """A running Pebble. It asks sites at `port`; names lead to 127.0.0.1 unless `dns` says otherwise."""

    directory: Path
    port: int
    acme: int
    dns_port: int
    manager: int
    environment: Mapping[str, str]
    process: Program | None = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.acme}/dir"

    @property
    def ca(self) -> Path:
        return self.directory / make.AUTHORITY

    def options(self) -> list[str]:
        """What Portico must know to ask here."""
        return [
            "--email", "me@shop.example", "--https-acme-server", self.url, "--https-acme-ca", str(self.ca),
            "--https-challenge-port", str(self.port), "--https-resolver", f"127.0.0.1:{self.dns_port}",
        ]  # fmt: skip

    def start(self, **environment: str) -> None:
        """Also again, as another server: it has forgotten everything."""
        assert self.process is None
        with (self.directory / "pebble.log").open("ab") as log:
            self.process = launch(
                ["pebble", "-strict", "-config", "pebble.json", "-dnsserver", f"127.0.0.1:{self.dns_port}"],
                cwd=self.directory, env=os.environ | USUAL | dict(self.environment) | environment,
                stdout=log, stderr=log,
            )  # fmt: skip
        until_open(self.acme)

    def stop(self) -> None:
        if self.process is not None:
            finish(self.process, signal.SIGKILL)
            self.process = None

    def dns(self, what: str, host: str, *addresses: str) -> None:
        """Give a name other records: `what` is add-a, add-aaaa, clear-a, clear-aaaa."""
        asked = {"host": f"{host}.", "addresses": list(addresses)}
        httpx.post(f"http://127.0.0.1:{self.manager}/{what}", json=asked, timeout=60).raise_for_status()

    def caa(self, host: str, *values: str) -> None:
        policies = [{"tag": "issue", "value": value} for value in values]
        asked = {"host": f"{host}.", "policies": policies}
        httpx.post(f"http://127.0.0.1:{self.manager}/add-caa", json=asked, timeout=60).raise_for_status()

    def log(self) -> str:
        return (self.directory / "pebble.log").read_text()


@contextmanager
def authority(
    *,
    port: int = 0,
    accounts: Mapping[str, str] | None = None,
    days: int = 90,
    **environment: str,
) -> Iterator[Authority]:
    """Pebble and its DNS on free ports, gone afterwards. `accounts`: it insists on an external one, key by name.

    Its certificates live for so many `days`.
    """
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    assert not missing, f"{missing}: run the tests with `make test`, which installs them"
    with private_directory() as directory:
        ports = [free_port() for _ in range(6)]
        made = Authority(directory, port or ports[0], ports[1], ports[2], ports[3], environment)
        chain, key = make.local(["127.0.0.1", "localhost"], directory)
        (directory / "cert.pem").write_bytes(chain)
        (directory / "key.pem").write_bytes(key)
        config = {
            "listenAddress": f"127.0.0.1:{made.acme}", "managementListenAddress": f"127.0.0.1:{ports[4]}",
            "certificate": "cert.pem", "privateKey": "key.pem", "httpPort": made.port, "tlsPort": ports[5],
            "ocspResponderURL": "", "externalAccountBindingRequired": bool(accounts),
            "externalAccountMACKeys": dict(accounts or {}), "certificateValidityPeriod": days * 86400,
        }  # fmt: skip
        (directory / "pebble.json").write_text(json.dumps({"pebble": config}))
        names = [
            "pebble-challtestsrv", "-dns01", f"127.0.0.1:{made.dns_port}", "-management", f"127.0.0.1:{made.manager}",
            "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", "",
        ]  # fmt: skip
        with running(names, stdout=DEVNULL, stderr=DEVNULL, number=signal.SIGKILL):
            try:
                until_open(made.manager)
                made.start()
                yield made
            finally:
                made.stop()


def until_open(port: int) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < deadline, f"nothing listens at port {port}"
        time.sleep(0.02)
