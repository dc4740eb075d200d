"""What the containers of both kinds of compose.yaml have in common. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator

from portico.errors import Problem, UsageError
from portico.export.compose.lines import lines
from portico.export.image.dockerfile import RESERVED_PORTS, grace_seconds, ports
from portico.plan.files import Line
from portico.plan.model import Plan
from portico.site.model import Site

FEWEST, MOST = 2, 100


def refuse(site: Site, replicas: int, config: str) -> None:
    """Raises UsageError for a site that cannot be shared so; `config` is the file of the gateway."""
    if not FEWEST <= replicas <= MOST:
        what = f"{replicas} replicas: a rolling release needs {FEWEST}, and the network has room for {MOST}"
        raise UsageError(Problem("--replicas", what, f"expected {FEWEST} to {MOST}"))
    if not site.has_app or site.servers:
        what = "the site has servers of its own ([upstream]), so there is no app to replicate"
        raise UsageError(Problem("export", what, "write a service for each of its servers by hand"))
    if site.https_mode == "files":
        what = "the certificate is in files, and a container has no such files"
        raise UsageError(
            Problem(
                "https.cert",
                what,
                f"export without it, then mount the files and name them in {config}",
            )
        )
    if site.has_https and site.options.https.listen:
        what = "the gateway listens for HTTPS, not the replicas"
        raise UsageError(Problem("https.listen", what, "leave it out, or name another file with --config"))


def container(site: Site, plan: Plan) -> Iterator[Line]:
    """`*container`: what each of them may, and how it stops."""
    yield from lines(f"""\
name: {site.name}

x-container: &container
  image: {site.name}
  read_only: true
  tmpfs: [/tmp]
  cap_drop: [ALL]
  security_opt: ["no-new-privileges:true"]
  pids_limit: 2048
  # The last step of the ladder of request_timeout: requests in progress are finished before that.
  stop_grace_period: {grace_seconds(plan)}s
  restart: unless-stopped
""")


def published(site: Site) -> Iterator[Line]:
    """The ports of the gateway, and what it needs to open them."""
    opened = ports(site)
    yield Line(
        f"    ports: {json.dumps([f'{one}:{one}' if site.has_https else f'80:{one}' for one in opened])}"
    )
    if min(opened) < RESERVED_PORTS:
        yield from lines("""\
    # A user without rights opens them: Docker allows it by itself, Podman so.
    sysctls:
      net.ipv4.ip_unprivileged_port_start: "0\"""")


def once_for_all(plan: Plan) -> Iterator[str]:
    """The flags of a replica, which leaves to others what is done once for all of them."""
    flags = {"--release=": plan.before, "--release-after=": plan.after, "--processes=": plan.background}
    return (flag for flag, is_said in flags.items() if is_said)
