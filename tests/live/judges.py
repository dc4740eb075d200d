"""What others say of a site's HTTPS: Debian's testssl.sh, and sslyze with Mozilla's profile."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from portico.run.tls import make
from tests.live.test_https import FILES, put, secured
from tests.support import private_directory

SSLYZE = "sslyze==6.3.1"
FINE = ("OK", "INFO")
ABOUT_THE_MACHINE = ("engine_problem",)
"""That its own openssl lacks an engine says nothing of the site."""
TIMES = 3


@contextmanager
def certified(nginx: str) -> Iterator[tuple[int, Path]]:
    """The port of a site with a certificate like a public one, and the file of who signed it."""
    with private_directory() as home, private_directory() as authority:
        put(home, *_like_a_public_one(authority))
        with secured(*FILES, "--nginx", nginx, "--https-http2", "on", directory=home) as (_, port):
            yield port, authority / make.AUTHORITY


def _like_a_public_one(directory: Path) -> tuple[bytes, bytes]:
    """For shop.example, by the authority in that directory: it names a list of what was revoked, and no OCSP."""
    chain, key = make.local(["shop.example"], directory)
    plain = x509.load_pem_x509_certificate(chain)
    signer = serialization.load_pem_private_key((directory / make.AUTHORITY_KEY).read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    begins = plain.not_valid_before_utc
    made = x509.CertificateBuilder(
        plain.issuer, plain.subject, plain.public_key(), plain.serial_number, begins,
        begins + timedelta(days=90), list(plain.extensions),
    )  # fmt: skip
    where = x509.DistributionPoint(
        [x509.UniformResourceIdentifier("http://crl.example/1.crl")], None, None, None
    )
    made = made.add_extension(x509.CRLDistributionPoints([where]), critical=False)
    return made.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), key


def by_testssl(port: int, root: Path) -> tuple[dict[str, str], list[str]]:
    """What it found in its sections of protocols and server defaults, by name; and what is worse than a remark."""
    for left in reversed(range(TIMES)):
        found = _findings(port, root)
        if not left or all(one["severity"] != "WARN" for one in found):  # WARN: a look that was not possible
            break
    bad = [f"{one['severity']} {one['id']}: {one['finding']}" for one in found if one["severity"] not in FINE]
    return {one["id"]: one["finding"] for one in found}, bad


def _findings(port: int, root: Path) -> list[dict[str, str]]:
    program = shutil.which("testssl")
    assert program, "testssl.sh is missing: run the tests with `make test`, which installs it"
    told = root.with_name("testssl.json")
    told.unlink(missing_ok=True)
    words = [
        "--quiet",
        "--color",
        "0",
        "--warnings",
        "off",
        "--ip",
        "127.0.0.1",
        "--nodns",
        "none",
        "-p",
        "-S",
    ]
    done = subprocess.run(
        [program, *words, "--add-ca", str(root), "--jsonfile", str(told), f"shop.example:{port}"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert told.exists(), done.stdout + done.stderr
    found: list[dict[str, str]] = json.loads(told.read_text())
    return [one for one in found if one["id"] not in ABOUT_THE_MACHINE]


def by_sslyze(port: int, home: Path) -> list[str]:
    """What it complains of, in an environment of its own that is made in that directory."""
    python = home / "sslyze/bin/python"
    if not python.exists():
        venv.create(home / "sslyze", with_pip=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", SSLYZE], check=True, stderr=subprocess.DEVNULL
        )
    done = subprocess.run(
        [python, "-m", "sslyze", "--mozilla_config", "intermediate", "--sni", "shop.example", f"127.0.0.1:{port}"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    _, _, verdict = done.stdout.partition("COMPLIANCE AGAINST TLS CONFIGURATION")
    assert "intermediate" in verdict, done.stdout + done.stderr
    return [line.strip() for line in verdict.splitlines() if line.strip().startswith("* ")]


def main() -> int:
    """Print what both say of both builds; how many complaints there are beyond the private authority."""
    worse = 0
    with private_directory() as home:
        for nginx in ("embedded", "system"):
            with certified(nginx) as (port, root):
                complaints = [
                    line for line in by_sslyze(port, home) if "certificate_path_validation" not in line
                ]
                found, bad = by_testssl(port, root)
                print(f"{nginx}: sslyze, Mozilla intermediate: {len(complaints)} complaints; testssl.sh: "
                      f"{len(found)} findings, {len(bad)} not OK", *complaints, *bad, sep="\n  ")  # fmt: skip
                worse += len(complaints) + len(bad)
    return worse


if __name__ == "__main__":
    sys.exit(min(1, main()))
