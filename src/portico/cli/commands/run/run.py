"""`portico run`: serves a site in the foreground."""

from __future__ import annotations

import functools
import math
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec.structs import replace

from portico.cli import output
from portico.cli.adopt.first import adopted_first
from portico.cli.banner import banner
from portico.cli.commands.look.logs import coloured
from portico.cli.flags import development_flag, given, site_flags
from portico.cli.journal import Priority
from portico.cli.notices import bar, priority, sentence
from portico.cli.screen import Screen
from portico.cli.waiting import Waiting
from portico.errors import Problem, UsageError
from portico.log.errors.kinds import error_log_of
from portico.log.follow import MOST, PIECE, Follower, decoded, paced
from portico.log.reader import request_reader
from portico.plan.model import Plan
from portico.plan.paths import live_path, socket_aliases, without_rules
from portico.project.alone import NO_COPY, Copy
from portico.project.expected import keep
from portico.project.gather import gather
from portico.project.gathered import Gathered
from portico.project.sites import is_several, refuse_config
from portico.protocol import notices
from portico.run.supervisor.early_signals import Ended, end_at_once, hold
from portico.site.variants.development import CAUSE, FLAG
from portico.ticks import WELL, Rounds
from portico.watch.lines import visible
from portico.watch.writer import FLUSH_SECONDS

if TYPE_CHECKING:
    from portico.link.development import Terminal
    from portico.run.supervisor.ahead import Begin
    from portico.run.supervisor.claim import Claim
    from portico.run.watchers.runner import Watcher

_LOOK_SECONDS = 0.2
_SELDOM_SECONDS, _QUIET_SECONDS = 1.0, 5.0
"""The interval when no lines have come for a while: an idle site uses no CPU time."""
_FULL_SECONDS = 0.005
"""How soon to check whether the reader has caught up; the interval grows."""
_FAR_BEHIND_BYTES = 64 << 20
"""A reader of the request lines that is further behind than this loses lines: some 200 000 requests."""
_MOST_LINES = 10
"""The number of lines per look: 50 a second are more than a person reads, and cost almost nothing."""


@click.command("run")
@click.argument("apps", metavar="[APP]...", nargs=-1)
@site_flags
@development_flag
@click.option("--shared-gateway", "shared", default="", hidden=True)
@click.option("--measured-at", "alone", type=int, default=0, hidden=True)
@click.option("--measured-code", "code", default="", hidden=True)
def command(
    apps: tuple[str, ...], config: str | None, shared: str, alone: int, code: str, **flags: Any
) -> None:
    """Serve APP behind a web server (nginx, or Apache httpd), in the foreground.

    APP is module:attribute, module:factory(), module, a .py file, a directory or a portico.toml; Portico
    finds one when it is left out. Several files or directories, or a directory that holds them, are several
    sites on one web server. From a hand-written nginx.conf, a portico.toml is made first (portico adopt).
    """
    apps = adopted_first(apps, config)
    _refuse_service(flags)
    if is_several(apps):
        refuse_config(config)
        _refuse_several(flags)
        from portico.cli.gateway import serve_sites

        end(serve_sites(apps, given(flags)))
    else:
        serve(apps[0] if apps else None, config, given(flags), shared, Copy(alone, code))


def _refuse_service(flags: dict[str, Any]) -> None:
    """Raises UsageError: a service is for others, and has no terminal."""
    if flags.get(FLAG) and os.environ.get("NOTIFY_SOCKET"):
        hint = "leave it out of the unit"
        raise UsageError(Problem(CAUSE, "is for a terminal, and this is a service of systemd", hint))


def _refuse_several(flags: dict[str, Any]) -> None:
    if flags.get(FLAG):
        raise UsageError(Problem(CAUSE, "is for one site", "name one of them: portico run --dev DIRECTORY"))


def serve(
    app: str | None,
    config: str | None,
    flags: dict[str, Any],
    gateway: str = "",
    copy: Copy = NO_COPY,
) -> None:
    """Plan and run until a signal ends the site; ends in the same way as the run. Raises PorticoError.

    `gateway` is the runtime directory of a gateway that serves this site and others; `copy` is said for one that is
    measured.
    """
    hold()
    screen = Screen()
    try:
        with end_at_once(), ExitStack() as stack:
            if flags.get(FLAG):
                stack.callback(_terminal().restore)
            code = _serve(stack, screen, app, config, flags, gateway, copy)
    except Ended as ended:
        code = ended.code
    finally:
        screen.close()
    end(code)


def _terminal() -> Terminal:
    from portico.link.development import Terminal

    return Terminal()


def _start_of(gathered: Gathered) -> str:
    """What takes time: the app, or servers that run already and do not answer yet."""
    servers = [one for one in gathered.site.options.upstream.servers if one != "app"]
    if gathered.plan.app or not servers:
        return f"starting {gathered.plan.app}".rstrip()
    return f"waiting for an answer from {', '.join(servers)}"


def _serve(
    stack: ExitStack,
    screen: Screen,
    app: str | None,
    config: str | None,
    flags: dict[str, Any],
    gateway: str,
    copy: Copy,
) -> int:
    """Inspect the app, plan and run; returns the exit code. The stack ends what was started before the run."""
    claim: list[Claim] = []
    waiting = Waiting(screen, "importing the app")

    def begin(draft: Plan) -> Callable[[], bool]:
        from portico.run.supervisor.claim import claimed

        waiting.what = f"importing {draft.app}"
        claim.append(stack.enter_context(claimed(draft, waiting.what)))
        return claim[0].begin(draft)

    gathered = gather(
        app, config, flags, meanwhile=_import_run, release=copy.code, gateway=gateway, alone=copy.port, begun=begin,
        waits=waiting,
    )  # fmt: skip
    waiting.what = _start_of(gathered)
    latest = [gathered.site]

    def remember() -> None:
        site = latest[0]
        keep(gathered.place.state, site.options.app, site.directory, site.facts)

    remember()

    def replan(path: str, old: Plan, begun: Begin) -> Plan:
        new = gather(
            app, config, flags, release=path, before=old.statics, gateway=gateway, binary=old.binary,
            alone=copy.port, begun=begun, known=latest[0],
        )  # fmt: skip
        latest[0] = new.site
        return patient(new)

    from portico.run.supervisor.loop import run
    from portico.watch.live import Live

    return run(
        patient(gathered),
        say=partial(_said, gathered, screen, waiting, remember),
        replan=replan,
        beside=[*_shows(gathered.plan, screen), waiting.watcher(gathered.import_seconds)],
        observer=Live(gathered.plan),
        claim=claim[0] if claim else None,
    )


def _said(
    gathered: Gathered, screen: Screen, waiting: Waiting, remember: Callable[[], None], item: notices.Notice
) -> None:
    if isinstance(item, notices.Ready | notices.Stopping):
        waiting.over()
    if isinstance(item, notices.Ready):
        item = notices.Ready(item.took_seconds + gathered.import_seconds)
    if isinstance(item, notices.Switched):
        remember()  # only now: a refused release says nothing about the next start
    _say(item, gathered, screen)


def patient(gathered: Gathered) -> Plan:
    """The plan with more time to become healthy: one process measured the import time, but workers share the cores,
    so three times that time is added."""
    health = gathered.plan.health
    seconds = math.ceil(health.start_seconds + 3 * gathered.import_seconds)
    return replace(gathered.plan, health=replace(health, start_seconds=float(seconds)))


def _import_run() -> None:
    """Imports asyncio and the supervisor, which takes 80 ms, while the app's own import runs."""
    import portico.run.supervisor.loop
    import portico.watch.live  # noqa: F401


def end(code: int) -> None:
    """End as the run did. Shells and systemd distinguish a signal from a failure."""
    number = code - 128
    if number > 0 and os.getpid() != 1:
        sys.stdout.flush()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    sys.exit(code)


def _say(item: notices.Notice, gathered: Gathered, screen: Screen) -> None:
    if gathered.plan.shared and isinstance(item, notices.Starting | notices.Ready):
        # The gateway prints the notes of every site; only the notes of this one are printed here.
        for note in gathered.plan.notes if isinstance(item, notices.Ready) else ():
            screen.say(f"note: {note}", Priority.NOTICE)
        for alarm in gathered.plan.alarms if isinstance(item, notices.Ready) else ():
            screen.say(output.bad(f"DANGER: {alarm}"), Priority.ERROR)
        return
    if isinstance(item, notices.Ready):
        screen.say("\n".join(banner(gathered, item.took_seconds)), priority(item))
        return
    if isinstance(item, notices.Precompressing | notices.Precompressed):
        screen.progress(bar(item) if isinstance(item, notices.Precompressing) else "")
    text = sentence(item)
    if text:
        screen.say(text, priority(item))


def _shows(plan: Plan, screen: Screen) -> list[Watcher]:
    """Shows output while the site runs. After a restart it continues where it was."""
    from portico.run.watchers.runner import Watcher

    follow = functools.cache(lambda path: Follower(Path(path)))
    return [
        Watcher("the shown requests", lambda: _show_requests(plan, screen, follow(plan.access_log))),
        Watcher("the gateway's messages", lambda: _show_errors(plan, screen, follow(plan.error_log))),
    ]


async def _show_requests(plan: Plan, screen: Screen, follower: Follower) -> Rounds:
    import asyncio

    pace, show = _Pace(), plan.logs.show
    if show == "off":
        return
    is_text = output.is_terminal() if show == "auto" else show == "text"
    give = _show if is_text else _copy
    try:
        while True:
            came = give(follower, screen)
            screen.tell_losses(plan.access_log)
            yield WELL
            await pace.pause(came=came, has_room=is_text or screen.has_room)
    finally:
        give_up = time.monotonic() + FLUSH_SECONDS
        while (give(follower, screen) or follower.waiting()) and time.monotonic() < give_up:
            await asyncio.sleep(0 if screen.has_room else _FULL_SECONDS)


def _copy(follower: Follower, screen: Screen) -> int:
    """Pass on the lines unchanged; returns how many bytes, about MOST of them.

    Lines stay in the file until the reader has time for them.
    """
    came = 0
    while came < MOST and screen.has_room and (text := follower.text(PIECE)):
        screen.copy(text)
        came += len(text)
    if not screen.has_room and (waiting := follower.waiting()) > _FAR_BEHIND_BYTES:
        follower.pass_over(waiting)
        screen.lose()
    return came


def _show(follower: Follower, screen: Screen) -> int:
    """Print the requests in the form for people; returns how many bytes, about MOST of them."""
    text = follower.text(MOST)
    lines = decoded(text)
    reader = request_reader()
    requests = [*reader.read(lines[:_MOST_LINES])]
    more = len(lines) - _MOST_LINES
    left_out = [output.faint(f"          ... {more} more")] if more > 0 else []
    left_out += [output.faint(f"          {what}") for what in (reader.complaint(),) if what]
    screen.show([*map(coloured, requests), *left_out])
    return len(text)


async def _show_errors(plan: Plan, screen: Screen, follower: Follower) -> Rounds:
    """The gateway's own errors. The run itself reports that the app is not there yet, or has gone.

    Messages about inherited listening sockets are expected and left out.
    """
    pace = _Pace()
    log = error_log_of(plan.gateway.name)
    known = [log.absent(path) for path, _ in socket_aliases(live_path(plan.runtime))]
    while True:
        lines = [
            line
            for line in decoded(follower.text(MOST))
            if not log.is_noise(line) and not any(words in without_rules(line) for words in known)
        ]
        for line in paced(lines, _MOST_LINES, lambda count: f"... {count} more, in {plan.error_log}"):
            screen.say(output.warned(f"{log.program}: {visible(line)}"), Priority.WARNING)
        if (waiting := follower.waiting()) > _FAR_BEHIND_BYTES:
            follower.pass_over(waiting)
        yield WELL
        await pace.pause(came=bool(lines))


class _Pace:
    """How long to wait for the next lines; short while lines arrive and are read."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._full = _FULL_SECONDS

    async def pause(self, *, came: int, has_room: bool = True) -> None:
        import asyncio

        from portico.ticks import tick

        now = time.monotonic()
        self._last = now if came else self._last
        if not has_room:
            self._full = _FULL_SECONDS if came else min(2 * self._full, _SELDOM_SECONDS)
            await (tick(_SELDOM_SECONDS) if self._full > _LOOK_SECONDS else asyncio.sleep(self._full))
        elif came >= PIECE:  # there may be more
            await asyncio.sleep(0)
        else:
            await tick(_LOOK_SECONDS if now - self._last < _QUIET_SECONDS else _SELDOM_SECONDS)
