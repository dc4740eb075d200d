"""`portico cert`: shows the certificate of a running site, and orders a new one."""

from __future__ import annotations

import shlex
import sys

import click

from portico.cli import output
from portico.cli.certificate import details, is_bad
from portico.cli.running import named_site, running_site, runtime_of
from portico.errors import DONE, FAILED, PorticoError, Problem
from portico.protocol.answers import RenewStep
from portico.protocol.commands import CERTIFICATE, RENEW, RenewCertificate
from portico.protocol.status import CertificateStatus
from portico.run.control import client


@click.group("cert", invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@named_site
@click.option("--json", "is_json", is_flag=True, help="Everything as JSON.")
@click.pass_context
def command(context: click.Context, config: str | None, name: str, is_json: bool) -> None:
    """Show the certificate: names, days left, next renewal, last error. Exit code 1 when it needs attention."""
    if context.invoked_subcommand is not None:
        return
    certificate = _asked(runtime_of(None, config, name))
    if is_json:
        output.result(output.as_json(certificate))
    elif certificate is None:
        output.result(f"this site has no HTTPS\n  {_BEGIN}")
    else:
        output.results(details(output.safe(certificate)))
    if certificate is None:
        sys.exit(DONE)
    sys.exit(FAILED if is_bad(certificate) else DONE)


@command.command("renew")
@running_site
@click.option(
    "--dry-run", is_flag=True, help="Only test: DNS, the challenge path, an order at the staging server."
)
def renew(app: str | None, config: str | None, name: str, dry_run: bool) -> None:
    """Order a new certificate now."""
    for step in client.ask(runtime_of(app, config, name), RENEW, RenewCertificate(dry_run)):
        output.say(_step(step))


def _step(step: RenewStep) -> str:
    match step.step:
        case "asking":
            return f"{', '.join(step.names)}: asking {step.server} ..."
        case "looked":
            return "DNS and the challenge path are as they should be"
        case "rehearsed":
            return output.good(f"{step.server} would give a certificate")
        case _:
            return output.good(
                f"a certificate by {step.issuer} is served, good for {step.days_left or 0:.0f} days"
            )


@command.command("trust")
@running_site
def trust(app: str | None, config: str | None, name: str) -> None:
    """Show how to trust the authority of mode local."""
    found = _asked(runtime_of(app, config, name))
    authority = found and found.authority
    if not authority:
        raise PorticoError(Problem("", "only mode local has an authority of its own", "portico cert"))
    path = shlex.quote(authority)
    for system, line in _TRUST:
        output.result(f"{output.strong(system)}\n    {line.format(path)}")


_TRUST = (
    (
        "Debian, Ubuntu",
        "sudo cp {} /usr/local/share/ca-certificates/portico.crt && sudo update-ca-certificates",
    ),
    ("Fedora, Red Hat", "sudo trust anchor {}"),
    ("Arch", "sudo trust anchor --store {}"),
    ("macOS", "sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain {}"),
    ("Windows", "certutil -addstore -user Root {}"),
    ("Chrome and Chromium on Linux", "certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n portico -i {}"),
    ("Firefox", "Settings, Privacy & Security, Certificates, Authorities, Import: {}"),
    ("curl, requests", "curl --cacert {0} ...   REQUESTS_CA_BUNDLE={0}"),
)


def _asked(runtime: str) -> CertificateStatus | None:
    """None if the site has no HTTPS."""
    (answer,) = client.ask(runtime, CERTIFICATE)
    return answer.certificate


_BEGIN = "begin: portico run --https local, or --domain NAME --email ADDRESS"
