"""httpd's errors about its files, found without serving them."""

from __future__ import annotations

import re
import ssl
import subprocess
from pathlib import Path

from portico.errors import Problem
from portico.plan.blame import objection
from portico.plan.model import Plan
from portico.plan.subjects import Tls
from portico.run.processes.child import environment

TEST_SECONDS = 30.0
_AUTHORITY = re.compile(r"^\s*SSL(?:Proxy)?CACertificateFile \"?([^\"\n]+)\"?$", re.MULTILINE)


def objections(plan: Plan, where: Path) -> tuple[Problem, ...]:
    """The errors about the plan's files in that directory; blocks while httpd reads them."""
    argv = (*plan.gateway.at(str(where)), "-t")
    try:
        done = subprocess.run(
            argv, cwd=plan.gateway.cwd, env=environment(), stdin=subprocess.DEVNULL, capture_output=True,
            timeout=TEST_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return (Problem("httpd -t", f"no answer within {TEST_SECONDS:g} s", "does a name server answer?"),)
    if done.returncode == 0:
        unusable = map(_unusable, sorted(where.rglob(Tls.CERTIFICATE)))
        return tuple(filter(None, (*unusable, *map(_untrusted, _authorities(where)))))
    return (objection(plan, (done.stderr + done.stdout).decode("utf-8", "replace")),)


def _authorities(where: Path) -> list[str]:
    """The files of authorities that its files name."""
    texts = (path.read_text() for path in sorted(where.rglob("*.conf")))
    return sorted({one for text in texts for one in _AUTHORITY.findall(text)})


def _untrusted(path: str) -> Problem | None:
    """Why OpenSSL does not take this file of authorities, which `httpd -t` does not try either."""
    hint = "expected a file of certificates in PEM"
    if not Path(path).is_file():
        return Problem(path, "is no file, or is not there", hint)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except (OSError, ValueError) as error:
        return Problem(path, f"OpenSSL takes no certificate of an authority from it: {error}", hint)
    return None


def _unusable(path: Path) -> Problem | None:
    """Why OpenSSL does not take this certificate. `httpd -t` does not try it, and httpd ends over it when it starts or
    reads its files again, with every site.
    """
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path, password="")
    except (OSError, ValueError) as error:
        hint = "get one with a key of 2048 bits (RSA) or 256 (ECDSA), signed with SHA-256"
        return Problem(str(path), f"OpenSSL does not take this certificate: {error}", hint)
    return None
