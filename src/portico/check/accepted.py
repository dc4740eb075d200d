"""Does the gateway accept the plan's files? Tested in a directory and on a port of its own: the real ones are not
touched.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import tempfile
from pathlib import Path

import msgspec
from msgspec.structs import replace

from portico.check.model import Finding, fault, ok
from portico.place.model import Place
from portico.plan.blame import blamed
from portico.plan.build import plan
from portico.plan.gateway.kinds import gateway_named
from portico.plan.model import Plan
from portico.plan.paths import temporary
from portico.plan.subjects import Tls
from portico.run.disk.write import write_files
from portico.run.gateway import files
from portico.site.model import Site
from portico.values import Address

_TAKEN, _TRIES = os.strerror(errno.EADDRINUSE), 5
"""Another process may take the free port, which the gateway binds for its test, at that moment."""


def accepted(site: Site, place: Place) -> Finding:
    """The gateway's verdict."""
    for _ in range(_TRIES):
        found = _tried(site, place)
        if _TAKEN not in f"{found.what}{found.hint}":
            break
    return found


def _tried(site: Site, place: Place) -> Finding:
    try:
        directory = Path(tempfile.mkdtemp(prefix="portico-", dir=_temporary()))
    except OSError as error:
        return fault(
            place.gateway.program,
            f"could not be asked: {error}",
            "set TMPDIR to a directory that may be written",
            "gateway-files",
        )
    try:
        return _asked(site, place, directory)
    except OSError as error:
        return fault(
            place.gateway.program,
            f"could not be asked: {error}",
            f"does {place.gateway.path} run?",
            "gateway-files",
        )
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _asked(site: Site, place: Place, directory: Path) -> Finding:
    private = _private(site, place, str(directory))
    conf = directory / "conf"
    conf.mkdir()
    write_files(private.files, conf)
    write_placeholder(private, conf)
    Path(temporary(str(directory))).mkdir()
    for found in files.tested(private, conf):
        if not found.quote:
            return fault(
                place.gateway.program, f"could not be asked: {found.what}", found.hint, "gateway-files"
            )
        said = found.quote.replace(str(directory), place.runtime).strip()
        if problem := blamed(private, found.quote):
            return fault(
                place.gateway.program,
                f"{problem.where}: {problem.what}",
                f"{said}\n{problem.hint}".rstrip(),
                "gateway-files",
            )
        hint = "look at your own [nginx] directives first"
        return fault(place.gateway.program, f"does not accept the files: {said}", hint, "gateway-files")
    lines = len(private.files[0].lines)
    return ok(
        place.gateway.program,
        f"{place.gateway.number} ({place.gateway.origin}) accepts the {lines} lines written for it",
        "gateway-files",
    )


def write_placeholder(plan: Plan, conf: Path) -> None:
    """The two files of HTTPS that are not part of the plan: the gateway reads them, too."""
    if plan.tls is None:
        return
    from portico.run.tls import make

    make.write(conf / Tls.CERTIFICATE, b"".join(make.placeholder(plan.tls.names)), 0o600)
    write_files([gateway_named(plan.gateway.name).hsts(plan.tls, 0)], conf)


def _private(site: Site, place: Place, directory: str) -> Plan:
    """The same plan, line for line, without the real one's ports and files."""
    # nginx -t binds its addresses: port 80 would be refused, and a port in use is judged elsewhere.
    host = "*" if site.listen.is_wildcard and site.listen.host == "*" else "127.0.0.1"
    options = msgspec.structs.replace(site.options, listen=Address(host, _free_port()))
    if site.has_https:
        https = msgspec.structs.replace(site.options.https, listen=Address(host, _free_port()))
        options = msgspec.structs.replace(options, https=https)
    return plan(replace(site, options=options), replace(place, runtime=directory, state=directory))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _temporary() -> str | None:
    """Usually /tmp: TMPDIR may be too long for a socket's path or contain what nginx cannot express."""
    return "/tmp" if os.access("/tmp", os.W_OK | os.X_OK) else None  # noqa: S108  mkdtemp makes it ours alone
