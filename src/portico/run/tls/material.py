"""What nginx is given for HTTPS: the certificate, and how long browsers are to insist on it."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

from portico.errors import PorticoError, Problem
from portico.place.access import blocked
from portico.plan.model import Plan, Tls
from portico.run.tls import acme, make
from portico.run.tls.certificate import Certificate, read, unfit
from portico.run.tls.memory import Memory

PLACEHOLDER = "placeholder"
_OTHERS_READ = 0o004


@dataclass(frozen=True)
class Material:
    """`origin` is auto, local, files or placeholder; `problems` what is to be said about it."""

    certificate: Certificate
    origin: str
    hsts_seconds: int = 0
    problems: tuple[Problem, ...] = ()

    @property
    def is_placeholder(self) -> bool:
        return self.origin == PLACEHOLDER


def choose(plan: Plan, before: Material | None = None) -> Material | None:
    """What the plan's HTTPS begins with, None without HTTPS: what is there and fits, else the best there is.

    `before` is what is served now. Raises PorticoError when there is nothing to serve with.
    """
    tls = plan.tls
    if tls is None:
        return None
    hsts = Memory.of(tls).hsts_seconds(tls)
    certificate, origin, problems = _chosen(tls, before)
    return Material(certificate, origin, hsts if certificate.is_trusted or tls.insists else 0, problems)


def _chosen(tls: Tls, before: Material | None) -> tuple[Certificate, str, tuple[Problem, ...]]:
    if tls.mode == "files":
        return _files(tls, before)
    if tls.mode == "local":
        return local(tls), "local", ()
    kept = stored(tls)
    if kept is not None and kept.not_after > time.time():
        # Also one that lacks a name which was added: it is good for the others until the new one is there.
        return kept, "auto", complaints(tls)
    begin = _read(b"".join(make.placeholder(tls.names)), PLACEHOLDER, tls)
    return begin, PLACEHOLDER, complaints(tls)


def _files(tls: Tls, before: Material | None) -> tuple[Certificate, str, tuple[Problem, ...]]:
    try:
        return files(tls), "files", complaints(tls)
    except PorticoError as error:
        if before is None or before.origin != "files":
            raise
        return before.certificate, "files", error.problems


def files(tls: Tls) -> Certificate:
    """The user's own files. Raises PorticoError when they cannot be used."""
    certificate = read(_bytes(tls.cert, tls), _bytes(tls.key, tls), tls.cert, tls.key, tls.ca_file)
    if problem := unfit(certificate, tls.names, time.time(), tls.cert):
        raise PorticoError(problem)
    return certificate


def _bytes(path: str, tls: Tls) -> bytes:
    try:
        return tls.reader.bytes(path)
    except OSError as error:
        what = f"cannot be read{tls.reader.as_whom(path)}: {error.strerror}"
        raise PorticoError(Problem(path, what, "name a file that Portico may read")) from None


def complaints(tls: Tls) -> tuple[Problem, ...]:
    """What is wrong with the user's files and does not keep them from being used."""
    secrets = [(tls.key, "key")]
    if tls.acme:
        secrets += [(tls.acme.eab_hmac_file, "key"), (tls.acme.dns_credentials, "password")]
    return tuple(_open(path, what, tls.app_user) for path, what in secrets if path and _is_open(path, tls))


def _is_open(path: str, tls: Tls) -> bool:
    try:
        is_everybody_s = bool(Path(path).stat().st_mode & _OTHERS_READ)
    except OSError:
        return False
    return is_everybody_s or bool(tls.app_user and blocked(path, tls.app_user) is None)


def _open(path: str, what: str, app_user: str) -> Problem:
    if Path(path).stat().st_mode & _OTHERS_READ:
        return Problem(path, f"everybody on this machine can read this {what}", f"chmod 600 {path}")
    words = f"the app's user '{app_user}' can read this {what}, and so can whoever breaks into the app"
    return Problem(path, words, f"chown root: {path} && chmod 600 {path}")


def local(tls: Tls) -> Certificate:
    """The one that the private authority made for these names; a new one when it lacks a name or grows old."""
    path = Path(tls.directory) / "local.pem"
    try:
        kept = _read(path.read_bytes(), str(path), tls)
        is_ours = (Path(tls.local_ca) / make.AUTHORITY).stat().st_mtime <= path.stat().st_mtime
        if is_ours and not is_old(kept, time.time()) and unfit(kept, tls.names, time.time(), "") is None:
            return kept
    except (OSError, PorticoError):
        pass
    try:
        made = _read(b"".join(make.local(tls.names, Path(tls.local_ca))), str(path), tls)
        make.write(path, made.pem, 0o600)
    except OSError as error:
        raise PorticoError(
            Problem(str(error.filename or path), f"cannot be written: {error.strerror}")
        ) from None
    return made


def is_old(certificate: Certificate, now: float) -> bool:
    """Whether less than a third of its life is left."""
    return certificate.not_after - now < certificate.lifetime / 3


def stored(tls: Tls) -> Certificate | None:
    """The last certificate that the ACME server of this plan issued, None when there is none."""
    path = _issued(tls)
    try:
        return _read(path.read_bytes(), str(path), tls)
    except (OSError, PorticoError):
        return None


def store(tls: Tls, pem: bytes) -> Certificate:
    """Keep what was issued. Raises PorticoError when it is of no use, OSError when the disk has no place."""
    certificate = _read(pem, "the new certificate", tls)
    if problem := unfit(certificate, tls.names, time.time(), "the new certificate"):
        raise PorticoError(problem)
    make.write(_issued(tls), certificate.pem, 0o600)
    return certificate


def left_over(tls: Tls) -> Certificate | None:
    """What certbot has put down for this server and nobody took; kept from now on. None when there is none."""
    try:
        return store(tls, acme.issued(tls))
    except (OSError, PorticoError):
        return None


def _issued(tls: Tls) -> Path:
    """Chain and key in one file, so that no crash can part them; one for each server that issues."""
    server = tls.acme.server if tls.acme else ""
    return Path(tls.directory) / f"issued-{hashlib.sha256(server.encode()).hexdigest()[:8]}.pem"


def _read(pem: bytes, where: str, tls: Tls) -> Certificate:
    return read(pem, pem, where, where, tls.ca_file)
