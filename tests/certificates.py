"""`python -m tests.certificates`: what takes too long for the suite. Fifty certificates from a server that rejects
every fifth nonce, twenty swaps under load, and what sslyze and testssl.sh say of both builds. Prints the figures."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.acme import authority
from tests.live import judges
from tests.live.test_acme import DOMAIN, site, until_served
from tests.live.test_https import FILES, pair, put, secured
from tests.live.tls import anyone, handshake
from tests.support import portico, private_directory
from tests.support.clients import Clients
from tests.support.until import until


def main() -> int:
    return (
        judges.main()
        + _swaps("embedded")
        + _swaps("system")
        + _issued(50, "20")
        + _issued(10, "5")
        + _issued(10, "50")
    )


def _swaps(nginx: str, count: int = 20) -> int:
    """How many handshakes and requests were lost; Debian's nginx closes kept connections at every reload."""
    with private_directory() as home:
        put(home, *pair(["shop.example"]))
        with (
            secured(*FILES, "--nginx", nginx, directory=home) as (_, port),
            Clients(port, host="shop.example", tls=anyone("http/1.1")) as clients,
        ):
            for _ in range(count):
                swap(home, port)
        lost, handshakes = clients.failed, sum(one.is_first for one in clients.good)
        print(f"{nginx}: {count} swaps, {len(clients.good)} requests, {handshakes} handshakes, "
              f"{len(lost)} lost", *sorted({str(one) for one in lost})[:3], sep="\n  ")  # fmt: skip
        return sum(nginx == "embedded" or not one.is_kept for one in lost)


def swap(home: Path, port: int) -> None:
    """Put other files there, and wait until they are served."""
    before = handshake(port).fingerprint
    put(home, *pair(["shop.example"]))
    until(lambda: handshake(port).fingerprint != before, "the new certificate")


def _issued(count: int, rejected: str) -> int:
    """How many certificates were not to be had at the first try."""
    failed, began = list[str](), time.monotonic()
    with (
        authority(PEBBLE_WFE_NONCEREJECT=rejected, PEBBLE_AUTHZREUSE="50") as ca,
        site(ca, *DOMAIN) as (run, port),
    ):
        until_served(run)
        seen = {handshake(port).fingerprint}
        for number in range(2, count + 1):
            asked = portico("cert", "renew", cwd=run.directory, seconds=300)
            if asked.returncode != 0:
                failed.append(f"number {number}: {asked.stderr}")
                continue
            shown = handshake(port).fingerprint
            if shown in seen:
                failed.append(f"number {number}: one of before is shown")
            seen.add(shown)
    seconds = (time.monotonic() - began) / count
    print(
        f"{rejected} % of nonces rejected: {len(seen)} of {count} certificates, {seconds:.1f} s each",
        *failed,
        sep="\n  ",
    )
    return len(failed)


if __name__ == "__main__":
    sys.exit(min(1, main()))
