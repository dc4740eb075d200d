"""One site of a gateway: its desired state, and its state on this machine before its supervisor runs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from msgspec import Struct, field

from portico.errors import PorticoError, Problem
from portico.plan import bindings
from portico.plan.gateway.kinds import gateway_named
from portico.plan.host import Fragment, fragment_of, read_of
from portico.plan.model import Plan
from portico.plan.paths import live_flag
from portico.plan.subjects import Tls
from portico.run.disk import directories, lock
from portico.run.gateway import files
from portico.run.host.host_file import HOST_FILE
from portico.run.host.state import SiteState
from portico.run.processes import child
from portico.run.processes.stderr import Lines


class DesiredSite(Struct, frozen=True):
    """A site to serve. `argv` starts its supervisor; `plan` is the site without facts about its app, which is used
    until the supervisor sends them; without a plan, `problems` say why."""

    name: str
    origin: str
    argv: tuple[str, ...]
    plan: Plan | None
    runtime: str = ""
    """Its runtime directory; "" if another site has it."""
    problems: tuple[Problem, ...] = ()
    doubt: str = ""
    """Who beside root can change its file, in words; empty if no one can, or if Portico is not root."""


class HostedSite(Struct):
    """An accepted site, and its supervisor if one runs."""

    desired: DesiredSite
    state: SiteState = field(default_factory=SiteState)
    child: child.Child | None = None
    words: Lines | None = None
    held: list[str] = field(default_factory=list)
    """Its output since it was restarted."""
    is_gone: bool = False
    """It is no longer wanted."""


def prepare(desired: DesiredSite, gateway: str) -> Fragment:
    """Make its directories and put its error pages where the gateway looks for them; returns its part without an app.

    Raises PorticoError for an invalid site, or one that another Portico runs.
    """
    plan = desired.plan
    if plan is None:
        raise PorticoError(*desired.problems)
    directories.make(plan)
    if other := lock.running(plan.runtime):
        hint = f"stop it first: portico stop --site {plan.name}" if other.pid else "wait for it, or stop it"
        raise PorticoError(Problem(desired.origin, f"already running: pid {other.pid}", hint))
    (Path(plan.runtime) / HOST_FILE).write_text(gateway, "utf-8")
    show_pages(plan)
    return waiting(plan)


def waiting(plan: Plan) -> Fragment:
    """The fragment of a plan without the app. Raises PorticoError without a usable certificate."""
    if plan.tls is None:
        return fragment_of(plan)
    from portico.run.tls.material import choose

    material = choose(plan)
    assert material is not None
    certificate = material.certificate.pem.decode("ascii")
    hsts = gateway_named(plan.gateway.name).hsts(plan.tls, material.hsts_seconds).content
    return fragment_of(plan, ((Tls.CERTIFICATE, certificate), (Tls.HSTS, hsts)))


def show_pages(plan: Plan) -> None:
    """Write the error pages of a site whose supervisor does not run. Raises OSError."""
    if files.link(plan.runtime).exists():
        return  # those of the last run
    number = files.next_number(plan.runtime)
    files.write(plan, number)
    files.use(plan.runtime, number)


def clear_away(desired: DesiredSite) -> None:
    """Remove the prepared files at the gateway's end, unless another process owns them now."""
    plan = desired.plan
    if plan is None or lock.running(plan.runtime):
        return
    (Path(plan.runtime) / HOST_FILE).unlink(missing_ok=True)
    Path(plan.booting).unlink(missing_ok=True)
    files.remove(plan)


def set_booting(desired: DesiredSite, *, on: bool) -> None:
    """The gateway says "starting" while the flag exists, else "down"."""
    if desired.plan is None:
        return
    flag = Path(desired.plan.booting)
    try:
        if on:
            flag.touch(mode=0o644)
        else:
            flag.unlink(missing_ok=True)
    except OSError:
        pass  # a full disk: the page says "down", which is almost correct


def set_down(desired: DesiredSite) -> None:
    """Its supervisor has ended: remove the flag for its sockets, which may still exist but have no reader."""
    set_booting(desired, on=False)
    if desired.plan is not None:
        with suppress(OSError):
            Path(live_flag(desired.plan.runtime)).unlink(missing_ok=True)


def read_part(where: Path) -> Fragment:
    """The part of a site whose files are in that directory. Raises PorticoError if there is none."""
    try:
        names = read_of([path.name for path in where.iterdir()])
        texts = {name: (where / name).read_text("utf-8") for name in names}
        return Fragment(bindings.parse((where / bindings.FILE).read_text("utf-8")), tuple(texts.items()))
    except (OSError, ValueError) as error:
        raise PorticoError(Problem(str(where), f"holds no site: {error}")) from None
