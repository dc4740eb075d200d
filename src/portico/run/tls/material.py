"""The material that the gateway needs for HTTPS: the certificate, and the time for HSTS."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from portico.errors import PorticoError, Problem
from portico.place.access import blocked
from portico.plan.model import Plan
from portico.plan.subjects import Tls
from portico.run.tls import acme, authority, make
from portico.run.tls.certificate import Certificate, read, unfit
from portico.run.tls.memory import Memory
from portico.run.tls.schedule import renew_at

PLACEHOLDER = "placeholder"
_OTHERS_READ = 0o004


class Material(Struct, frozen=True):
    """`origin` is auto, local, files or placeholder; `problems` are reports about it.

    `is_refused`: the user's files are not usable, and this is the best replacement.
    """

    certificate: Certificate
    origin: str
    hsts_seconds: int = 0
    problems: tuple[Problem, ...] = ()
    is_refused: bool = False

    @property
    def is_placeholder(self) -> bool:
        return self.origin == PLACEHOLDER


def choose(plan: Plan, before: Material | None = None) -> Material | None:
    """The plan's initial certificate, None without HTTPS: a stored one that fits, else the best available.

    `before` is the current one. Raises PorticoError if no certificate can be made.
    """
    tls = plan.tls
    if tls is None:
        return None
    chosen = _chosen(tls, before)
    return replace(chosen, hsts_seconds=hsts_of(chosen, tls, Memory.of(tls)))


def hsts_of(served: Material, tls: Tls, memory: Memory) -> int:
    """The max-age of HSTS while this is served; 0: the header is not sent."""
    is_good = not served.is_placeholder and not served.is_refused
    return memory.hsts_seconds(tls) if is_good and (served.certificate.is_trusted or tls.insists) else 0


def _chosen(tls: Tls, before: Material | None) -> Material:
    if tls.mode == "files":
        return _files(tls, before)
    if tls.mode == "local":
        certificate, problems = local(tls)
        return Material(certificate, "local", problems=problems)
    kept = stored(tls)
    if kept is not None and kept.not_after > time.time():
        # Also a certificate without a newly added name: it is valid for the others until the new one exists.
        return Material(kept, "auto", problems=complaints(tls))
    return Material(_placeholder(tls), PLACEHOLDER, problems=complaints(tls))


def _placeholder(tls: Tls) -> Certificate:
    return _read(b"".join(make.placeholder(tls.names)), PLACEHOLDER, tls)


def _files(tls: Tls, before: Material | None) -> Material:
    try:
        return Material(files(tls), "files", problems=complaints(tls))
    except PorticoError as error:
        if before is not None and before.origin == "files":
            return replace(before, problems=error.problems, is_refused=True)
        return makeshift(tls, error.problems)


def files(tls: Tls) -> Certificate:
    """The user's own files. Raises PorticoError if they are not usable."""
    certificate = _read_files(tls)
    if problem := unfit(certificate, tls.names, time.time(), tls.cert):
        raise PorticoError(problem)
    return certificate


def makeshift(tls: Tls, problems: tuple[Problem, ...]) -> Material:
    """The best for a site with unusable files: the files, if the gateway can load them, else a placeholder.

    So plain HTTP, the challenge path and clients that do not verify the certificate are served.
    """
    try:
        return Material(_read_files(tls), "files", problems=problems, is_refused=True)
    except PorticoError:
        return Material(_placeholder(tls), PLACEHOLDER, problems=problems, is_refused=True)


def _read_files(tls: Tls) -> Certificate:
    return read(_bytes(tls.cert, tls), _bytes(tls.key, tls), tls.cert, tls.key, tls.ca_file)


def _bytes(path: str, tls: Tls) -> bytes:
    try:
        return tls.reader.bytes(path)
    except OSError as error:
        what = f"cannot be read{tls.reader.as_whom(path)}: {error.strerror}"
        raise PorticoError(Problem(path, what, "name a file that Portico may read")) from None


def complaints(tls: Tls) -> tuple[Problem, ...]:
    """Faults of the user's files that do not prevent their use."""
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
        return Problem(path, f"all users of this machine can read this {what}", f"chmod 600 {path}")
    words = f"the app's user '{app_user}' can read this {what}, and so can whoever breaks into the app"
    return Problem(path, words, f"chown root: {path} && chmod 600 {path}")


def local(tls: Tls) -> tuple[Certificate, tuple[Problem, ...]]:
    """The local authority's certificate for these names; a new one if it lacks a name or expires soon.

    Reports a changed authority, too. Raises PorticoError if nothing can be written.
    """
    path, directory = Path(tls.directory) / "local.pem", Path(tls.local_ca)
    try:
        if kept := _saved_local(tls, path):
            return kept, ()
        before = authority.certificate(directory)
        made = _read(b"".join(make.local(tls.names, directory)), str(path), tls)
        make.write(path, made.pem, 0o600)
    except OSError as error:
        raise PorticoError(
            Problem(str(error.filename or path), f"cannot be written: {error.strerror}")
        ) from None
    is_other = before is not None and before != authority.certificate(directory)
    return made, (_another(directory),) if is_other else ()


def _saved_local(tls: Tls, path: Path) -> Certificate | None:
    try:
        kept = _read(path.read_bytes(), str(path), tls)
    except (OSError, PorticoError):
        return None
    is_fit = not is_old(kept, time.time()) and unfit(kept, tls.names, time.time(), "") is None
    signer = authority.certificate(Path(tls.local_ca))
    is_ours = signer is not None and authority.signed(signer, kept.pem) and authority.fits(signer, tls.names)
    return kept if is_fit and is_ours else None


def _another(directory: Path) -> Problem:
    what = "is a new local authority: the one before was old, or could sign more than the names of this site"
    return Problem(str(directory / authority.CERTIFICATE), what, "trust this one, too: portico cert trust")


def is_old(certificate: Certificate, now: float) -> bool:
    """Whether it is due for renewal."""
    return now >= renew_at(certificate.not_before, certificate.not_after, 0.0)


def stored(tls: Tls) -> Certificate | None:
    """The last certificate that this plan's ACME server issued, None if there is none."""
    path = _issued(tls)
    try:
        return _read(path.read_bytes(), str(path), tls)
    except (OSError, PorticoError):
        return None


def store(tls: Tls, pem: bytes) -> Certificate:
    """Store an issued certificate. Raises PorticoError if it is not usable, OSError if the disk is full."""
    certificate = _read(pem, "the new certificate", tls)
    if problem := unfit(certificate, tls.names, time.time(), "the new certificate"):
        raise PorticoError(problem)
    make.write(_issued(tls), certificate.pem, 0o600)
    return certificate


def left_over(tls: Tls) -> Certificate | None:
    """A certificate that certbot got from this server and nobody adopted; stores it. None if there is none."""
    try:
        return store(tls, acme.issued(tls))
    except (OSError, PorticoError):
        return None


def _issued(tls: Tls) -> Path:
    """Chain and key in one file, so that no crash can separate them; one file per server that issues."""
    server = tls.acme.server if tls.acme else ""
    return Path(tls.directory) / f"issued-{hashlib.sha256(server.encode()).hexdigest()[:8]}.pem"


def _read(pem: bytes, where: str, tls: Tls) -> Certificate:
    return read(pem, pem, where, where, tls.ca_file)
