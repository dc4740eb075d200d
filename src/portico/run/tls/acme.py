"""Orders a certificate from an ACME server with certbot, in directories of its own, and explains failures."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from portico.errors import PorticoError, Problem
from portico.plan.subjects import Acme, Tls
from portico.run.tls import make, webroot
from portico.run.tls.schedule import REFUSED, SERVER
from portico.site.checks.https import address_of
from portico.site.variables import without

ORDER_SECONDS = 600.0
"""Validation by DNS waits minutes for name servers to agree."""
RENEWAL_INFO_SECONDS = 30.0
_LINEAGE = "portico"
_FAILED = re.compile(
    r"(?:Domain|Identifier): (?P<name>\S+)\n\s*Type: +(?P<type>\S+)\n\s*Detail: "
    r"(?P<detail>.*?)(?=\n\s*\n|\n\s*(?:Domain|Identifier):|\Z)",
    re.S,
)
_BUSY = re.compile(
    r"Max retries exceeded|ConnectionError|ConnectTimeout|ReadTimeout|Timed out|timed out|NameResolutionError|"
    r"serverInternal|badNonce|5\d\d Server Error|Unexpected response|service (?:is )?busy|Service Unavailable|"
    r"Remote end closed|MissingNonce|Server .* returned 5|\b50[0234]\b",
    re.I,
)
_LIMIT = re.compile(r"too many|rateLimited|rate limit", re.I)
_EMAIL = re.compile(r"invalid email address|invalidContact|unsupportedContact", re.I)
_PROFILE = re.compile(r"invalidProfile|profile not|does not support profile", re.I)
_OFFERED = re.compile(r"^profiles of this server: (?P<names>.*)$", re.M)
_NO_CERTBOT = re.compile(r"ModuleNotFoundError|ImportError")
_NO_PLUGIN = re.compile(r"unrecognized arguments|does not appear to be installed|plugin .* not", re.I)


class FailedError(Exception):
    """The order failed. `kind` is one of the kinds in `schedule`."""

    def __init__(self, kind: str, problems: tuple[Problem, ...]) -> None:
        super().__init__(kind, problems)
        self.kind, self.problems = kind, problems


async def order(tls: Tls, *, rehearse: bool = False) -> bytes:
    """A new certificate, its chain and key (PEM); empty for a rehearsal (staging server). Raises FailedError."""
    assert tls.acme is not None
    server = tls.acme.staging if rehearse else tls.acme.server
    try:
        if not tls.acme.dns:
            webroot.make(tls.acme.challenges)
        argv = _words(tls, tls.acme, server, rehearse=rehearse)
        code, output = await _run(argv, tls.acme, ORDER_SECONDS)
    except (OSError, PorticoError) as error:
        raise FailedError(SERVER, _problems_of(error)) from None
    if code != 0:
        raise _failed(output, tls.acme, server, _home(tls, server))
    if rehearse:
        return b""
    try:
        return issued(tls)
    except OSError as error:
        problem = Problem(str(error.filename), f"certbot left no certificate: {error.strerror}")
        raise FailedError(SERVER, (problem,)) from None


def issued(tls: Tls) -> bytes:
    """The last certificate that certbot got, chain and key (PEM). Raises OSError if there is none."""
    assert tls.acme is not None
    live = _home(tls, tls.acme.server) / "config" / "live" / _LINEAGE
    return (live / "fullchain.pem").read_bytes() + (live / "privkey.pem").read_bytes()


async def renewal_info(tls: Tls, chain: bytes) -> tuple[float | None, float] | None:
    """The authority's time for the renewal, and when to ask again; None if it cannot be asked."""
    assert tls.acme is not None
    path = Path(tls.directory) / "asked.pem"
    try:
        make.write(path, chain.partition(b"-----BEGIN PRIVATE")[0], 0o600)
        code, output = await _run(
            ["renewal-info", tls.acme.server, str(path)], tls.acme, RENEWAL_INFO_SECONDS
        )
        found = json.loads(output) if code == 0 else None
    except (OSError, ValueError):
        return None
    return (found["at"], found["ask"]) if found else None


def _problems_of(error: OSError | PorticoError) -> tuple[Problem, ...]:
    if isinstance(error, PorticoError):
        return error.problems
    return (Problem(str(error.filename or "certbot"), f"cannot be used: {error.strerror or error}"),)


def _home(tls: Tls, server: str) -> Path:
    """certbot's directories, one tree per server: accounts and certificates of one server are unknown to others."""
    host = re.sub(r"[^A-Za-z0-9.-]+", "-", server.partition("://")[2].partition("/")[0])
    return Path(tls.directory) / f"acme-{host}-{hashlib.sha256(server.encode()).hexdigest()[:8]}"


def _words(tls: Tls, acme: Acme, server: str, *, rehearse: bool) -> list[str]:
    home = _home(tls, server)
    home.mkdir(mode=0o700, exist_ok=True)
    words = [
        "certonly", "--non-interactive", "--agree-tos", "--no-directory-hooks", "--no-autorenew",
        "--force-renewal", "--renew-with-new-domains", "--max-log-backups", "10",
        "--server", server, "--cert-name", _LINEAGE, "--key-type", "ecdsa", "--elliptic-curve", "secp256r1",
        "--config-dir", str(home / "config"), "--work-dir", str(home / "work"), "--logs-dir", str(home / "logs"),
        *(["--email", acme.email, "--no-eff-email"] if acme.email else ["--register-unsafely-without-email"]),
        *(["--dry-run"] if rehearse else []),
        *_profile(acme),
        *_proof(acme),
        *_account(acme, home),
    ]  # fmt: skip
    return words + [
        word for name in tls.names for word in ("--ip-address" if address_of(name) else "-d", name)
    ]


def _profile(acme: Acme) -> list[str]:
    if not acme.profile:
        return []
    return ["--preferred-profile" if acme.may_differ else "--required-profile", acme.profile]


def _proof(acme: Acme) -> list[str]:
    if not acme.dns:
        return ["--webroot", "--webroot-path", acme.challenges]
    words = ["--authenticator", f"dns-{acme.dns}"]
    return words + ([f"--dns-{acme.dns}-credentials", acme.dns_credentials] if acme.dns_credentials else [])


def _account(acme: Acme, home: Path) -> list[str]:
    """The external account, in a file: every user can see a command line with ps. Raises OSError."""
    if not acme.eab_kid:
        return []
    key = "".join(Path(acme.eab_hmac_file).read_text("ascii").split())
    path = home / "account.ini"
    make.write(path, f"eab-kid = {acme.eab_kid}\neab-hmac-key = {key}\n".encode(), 0o600)
    return ["--config", str(path)]


async def _run(words: list[str], acme: Acme, seconds: float) -> tuple[int, str]:
    """certbot's exit code and its whole output; it is ended if this task is cancelled or it takes too long."""
    environ = {
        name: value
        for name, value in without(os.environ).items()
        if not name.startswith(("PYTHON", "CERTBOT"))
    }
    if acme.ca:
        environ["REQUESTS_CA_BUNDLE"] = acme.ca
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "portico.run.tls.certbot", *words,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=environ,
        cwd="/",
    )  # fmt: skip
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate()
    except TimeoutError:
        return 1, f"Timed out: no end within {seconds:g} s"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output.decode("utf-8", "replace")


def _failed(output: str, acme: Acme, server: str, home: Path) -> FailedError:
    """certbot's output as a kind of failure and a message."""
    if judged := tuple(_judged(output, acme)):
        return FailedError(REFUSED, judged)
    quote = _last_words(output)
    if _LIMIT.search(output):
        hint = "Portico waits and tries again by itself"
        return FailedError(REFUSED, (Problem(server, "takes no more requests for now", hint, quote),))
    if _NO_PLUGIN.search(output) and acme.dns:
        hint = f"install it beside Portico: pip install certbot-dns-{acme.dns}"
        return FailedError(REFUSED, (Problem("https.dns", f"certbot has no plugin {acme.dns}", hint, quote),))
    if _EMAIL.search(output):
        hint = "name one that can receive mail: --email, or email in portico.toml"
        return FailedError(
            REFUSED, (Problem("email", f"{server} does not accept {acme.email}", hint, quote),)
        )
    if acme.profile and _PROFILE.search(output):
        offered = _OFFERED.search(output)
        names = (offered and offered["names"]) or "none"
        hint = f"leave acme_profile out, or name one that it has: {names}"
        what = f"{server} issues no certificate of profile {acme.profile}"
        return FailedError(REFUSED, (Problem("https.acme_profile", what, hint, quote),))
    if _NO_CERTBOT.search(output):
        hint = "install it again beside Portico: pip install --force-reinstall certbot"
        return FailedError(SERVER, (Problem("certbot", "cannot be started", hint, quote),))
    if _BUSY.search(output):
        hint = "the site keeps its certificate; Portico tries again by itself"
        return FailedError(
            SERVER, (Problem(server, "the ACME server does not answer as it should", hint, quote),)
        )
    return FailedError(
        REFUSED, (Problem(server, "gave no certificate", f"more in {home}/logs/letsencrypt.log", quote),)
    )


_PLAIN = {
    "dns": ("has no usable address in DNS", "add an A (and AAAA) record that points to this machine"),
    "connection": (
        "could not be reached from outside, at port {port}",
        "let port {port} through: firewall, router, the cloud's security group; and check that the name points here",
    ),
    "unauthorized": (
        "is answered by another server, or a server in front of Portico answers the challenge",
        "point the name (A and AAAA) to this machine alone; a server in front must pass /.well-known/ on",
    ),
    "caa": ("has a CAA record that does not allow this authority", "add one for it, or remove the record"),
    "rejectedIdentifier": (
        "is a name that this authority does not certify",
        "use another authority: acme_server",
    ),
}


def _judged(output: str, acme: Acme) -> Iterator[Problem]:
    for match in _FAILED.finditer(output):
        what, hint = _PLAIN.get(match["type"], ("was not accepted", "see what the authority says"))
        detail = " ".join(match["detail"].split())
        where = {"port": acme.port}
        yield Problem(match["name"], what.format(**where), hint.format(**where), detail)
    if not _FAILED.search(output) and re.search(
        r"\bcaa\b.*forbids|urn:ietf:params:acme:error:caa", output, re.I
    ):
        what, hint = _PLAIN["caa"]
        yield Problem("", what, hint, _last_words(output))


def _last_words(output: str) -> str:
    noise = ("Saving debug log", "Ask for help", "Please see the logfile", "See the logfile", "- - - -")
    lines = [line for line in output.strip().splitlines() if line.strip() and not line.startswith(noise)]
    return "\n".join(lines[-6:])[:1500]
