"""`portico status`: shows what runs, and since when."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import click
from msgspec import UNSET

from portico.cli import output, sites, watchers
from portico.cli.certificate import row
from portico.cli.compare import compare, comparison
from portico.cli.notices import behind_proxy, other_code
from portico.cli.running import running_site, runtime_of
from portico.cli.words import lasting, mebibytes
from portico.errors import UNHEALTHY
from portico.log.reader import unread_lines
from portico.plan.notes.reachable import on_all
from portico.project.running import absent
from portico.protocol.commands import STATUS
from portico.protocol.status import (
    BackgroundStatus,
    Bodies,
    CompressedStatus,
    Frame,
    GatewayStatus,
    PlanInForce,
    ReleaseStatus,
    ServerStatus,
    SlowRequest,
    StartingSite,
    Status,
)
from portico.run.control import client
from portico.run.disk import lock
from portico.values import counted
from portico.watch.lines import short_size, visible


@click.command("status")
@running_site
@click.option("--all", "is_all", is_flag=True, help="Every site of yours that runs on this machine.")
@click.option("--json", "is_json", is_flag=True, help="Everything as JSON.")
def command(app: str | None, config: str | None, name: str, is_all: bool, is_json: bool) -> None:
    """Show what runs for the site of APP or of the current directory."""
    if is_all:
        found = sites.everything()
        output.results([output.as_json(found)] if is_json else sites.rows(output.safe(found)))
        return
    runtime = runtime_of(app, config, name)
    if lock.running(runtime) is None and (one := absent(runtime)):
        output.results([output.as_json(one.status)] if is_json else sites.rows(output.safe([one.status])))
        sys.exit(UNHEALTHY)
    if (begun := lock.running(runtime)) and begun.stage:
        start = starting(begun)
        output.result(output.as_json(start) if is_json else starting_line(output.safe(start)))
        return
    (status,) = client.ask(runtime, STATUS)
    if status.sites is not UNSET:
        output.results([output.as_json(status)] if is_json else sites.lines(output.safe(status)))
        return
    status = compare(status)
    if is_json:
        output.result(output.as_json(status))
    else:
        output.results(_lines(output.safe(status)))
    if not _serves(status):
        sys.exit(UNHEALTHY)


def starting(found: lock.Running) -> StartingSite:
    """The status of a site that cannot answer questions yet."""
    up = round(time.time() - found.since, 3)
    return StartingSite(found.app, tuple(found.urls), found.stage, found.pid, up)


def starting_line(start: StartingSite) -> str:
    urls = f" at {'  '.join(start.urls)}" if start.urls else ""
    what = f"starting: {start.stage} for {lasting(start.up_seconds)}, pid {start.pid}"
    return f"{output.strong(start.app)}{urls}\n  portico    {what}"


def _serves(status: Status) -> bool:
    """Whether the live release has what it needs to answer; also true while a site is starting."""
    live = [one.status for one in status.releases if one.number == status.live]
    return "resting" not in (*live, status.gateway.status)


def _lines(status: Status) -> list[str]:
    everywhere = f", {found}" if (found := on_all(status.listen)) else ""
    where = f"{'  '.join(status.urls)}{everywhere}" or status.socket
    head = f"{output.strong(status.name)}  {status.app or 'servers elsewhere'} at {where}"
    up = lasting(status.up_seconds)
    lines = [
        head,
        f"  portico    {status.phase}, pid {status.pid}, for {up}, {mebibytes(status.memory)}",
        f"  {status.gateway.name:<10} {_gateway(status)}",
    ]
    for release in status.releases:
        lines += _release(release, is_live=release.number == status.live)
        lines += _troubles(release, status)
    lines += map(_background, status.background)
    lines += _state_lines(status)
    lines += comparison(status)
    lines += [f"  server     {_server(server)}" for server in status.servers]
    lines += [
        output.bad(
            f"  disk       the disk that holds {where} is full: log lines are lost, reloads and uploads fail"
        )
        for where in status.full_disks
    ]
    lines += row(status.certificate)
    if proxy := status.forwarded:
        lines.append(output.warned(f"  proxy      {behind_proxy(proxy.by, proxy.addresses)}"))
    lines += watchers.rows(status.watchers)
    return [*lines, *_plan(status.plan), f"  log        {status.access_log}"]


def _release(release: ReleaseStatus, *, is_live: bool) -> list[str]:
    live, workers = ", live" if is_live else "", release.workers
    head = f"  release {release.number:<2d} {_life(release)}{live}"
    if not workers:
        return [head]
    version = f"{release.python_version}, {release.python}".removeprefix(", ")
    python = [f"  python     {version}"] if version else []
    wanted = release.wanted_workers
    count = f"{len(workers)}" if wanted in (None, len(workers)) else f"{len(workers)} of {wanted}"
    rows = [
        f"             pid {worker.pid:<8d} {lasting(worker.up_seconds):>6s} {mebibytes(worker.memory):>8s}"
        for worker in workers[:_MOST_WORKERS]
    ]
    more = [f"             and {len(workers) - _MOST_WORKERS} more"] if len(workers) > _MOST_WORKERS else []
    return [
        head,
        *python,
        f"  workers    {count}; with the arbiter {mebibytes(release.memory)}",
        *rows,
        *more,
    ]


def _background(one: BackgroundStatus) -> str:
    text = f"  process    {one.name}  {_life(one)}, of release {one.release}"
    return output.warned(text) if one.status == "resting" else f"{text}, {mebibytes(one.memory)}"


def _troubles(release: ReleaseStatus, status: Status) -> list[str]:
    """The note that its workers cannot be replaced, or run other code than the release began with."""
    number, other, made = release.number, release.other_code, []
    if failing := release.failing:
        made.append(output.bad(f"  failing    {failing.answer}"))
        made += [f"             {line}" for line in failing.hint.splitlines()]
    if error := release.cannot_load:
        what = f"a new worker cannot load the app ({error}): the workers that loaded it keep serving"
        made.append(output.bad(f"  broken     {what}"))
    if other.pids:
        made.append(output.warned(f"  code       {other_code(number, other.files, other.pids)}"))
    elif status.changed_on_disk and number == status.live:
        made.append(output.warned(f"  code       {other_code(number, status.changed_on_disk, ())}"))
    if limit := release.memory_limit:
        what = f"max_memory is less than the app needs to start; workers are replaced at {short_size(limit)}"
        made.append(output.warned(f"  memory     {what}"))
    return made


_MOST_WORKERS = 12
_MOST_SLOW = 5
_FRAMES = 3


def _state_lines(status: Status) -> list[str]:
    requests, queue, lines = status.requests, status.queue, []
    if closed := status.maintenance:
        since, let_in = lasting(time.time() - closed.since), ", ".join(closed.allow)
        lines.append(output.warned(f"  closed     for maintenance, for {since}: {closed.message}"))
        lines += [f"             lets in {let_in}"] if let_in else []
    if status.pause:
        lines.append(output.warned(f"  paused     for {status.pause.left_seconds:.0f} s more"))
    kinds = ("failed", "left", "maintenance")
    minute = _requests(requests.last_minute, *(getattr(requests, f"last_minute_{kind}") for kind in kinds))
    total = _requests(requests.total, *(getattr(requests, kind) for kind in kinds))
    unread = [output.warned(f"             {unread_lines(requests.unread)}")] if requests.unread else []
    restarts = [f"{name} {times}" for name, times in status.restarts.items()]
    lines += [*_copies(status.compressed), *_bodies(status.bodies)]
    return [
        *lines,
        f"  requests   {total}; last minute {minute}",
        *unread,
        f"  queue      {queue.waiting} waiting, {queue.with_app} with the app",
        *_slow(status.slow),
        f"  restarts   {', '.join(restarts) or 'none'}",
    ]


def _slow(requests: Sequence[SlowRequest]) -> list[str]:
    """Requests that have run for more than a second, each with the innermost lines of its stack."""
    made = []
    for number, one in enumerate(requests[:_MOST_SLOW]):
        route = f" endpoint {visible(one.endpoint)}" if one.endpoint else ""
        silent = f", silent for {lasting(one.silent_seconds)}" if one.silent_seconds < one.age_seconds else ""
        what = f"{visible(one.method)} {visible(one.path)}{route}, for {lasting(one.age_seconds)}{silent}"
        head = "slow" if number == 0 else ""
        made.append(output.warned(f"  {head:10s} {what}, pid {one.pid}, request {visible(one.id)}"))
        made += [
            f"             {output.faint(_where(frame))}  {visible(frame.text)}"
            for frame in one.stack[-_FRAMES:]
        ]
    more = len(requests) - _MOST_SLOW
    return [*made, *([f"             and {more} more, all in --json"] if more > 0 else [])]


def _where(frame: Frame) -> str:
    return f"{frame.file}:{frame.line} {frame.name}"


def _copies(copies: CompressedStatus) -> list[str]:
    """How many static files have compressed copies, and why others have none."""
    left = f"; {copies.left} are being compressed" if copies.left else ""
    large = f"; {len(copies.too_large)} too large for it" if copies.too_large else ""
    many = f"; {copies.left_out} more than are looked at" if copies.left_out else ""
    if not (copies.files or left or large or many):
        return []
    small = f", {short_size(copies.bytes)} as {short_size(copies.best_bytes)}" if copies.files else ""
    return [f"  static     {counted(copies.files, 'file')} with compressed copies{small}{left}{large}{many}"]


def _bodies(bodies: Bodies) -> list[str]:
    uploads, answers = bodies.uploads, bodies.answers
    lines = []
    if uploads.count:
        lines.append(f"  uploads    {uploads.count} under way, {mebibytes(uploads.bytes)} so far")
    if answers.count:
        lines.append(f"  answers    {answers.count} on disk for slow clients, {mebibytes(answers.bytes)}")
    return lines


def _requests(total: int, failed: int, left: int, maintenance: int) -> str:
    """`1,204, 3 failed, 2 left`: "left" counts clients that closed before their answers began."""
    words = output.bad(f"{failed:,} failed") if failed else "0 failed"
    words += f", {output.warned(f'{left:,} left')}" if left else ""
    return f"{total:,}, {words}" + (f", {maintenance:,} in maintenance" if maintenance else "")


def _plan(plan: PlanInForce) -> list[str]:
    if plan.since is None:
        return []
    return [f"  files      {plan.directory}, for {lasting(time.time() - plan.since)}"]


def _life(life: ReleaseStatus | GatewayStatus | BackgroundStatus) -> str:
    pid = f", pid {life.pid}" if life.pid else ""
    crashes = f", {counted(life.crashes, 'crash', 'crashes')} in a row" if life.crashes else ""
    return f"{life.status}{pid}, for {lasting(life.since_seconds)}{crashes}"


def _gateway(status: Status) -> str:
    if status.socket:
        return "elsewhere: a Portico that has this socket among its servers"
    if status.host_runtime:
        return f"shared with other sites: that of the gateway in {status.host_runtime}"
    return f"{_life(status.gateway)}, {mebibytes(status.gateway.memory)}"


def _server(server: ServerStatus) -> str:
    since = f" for {lasting(server.since_seconds)}" if server.since_seconds is not None else ""
    answer = f", last answer: {server.answer}" if server.answer else ""
    text = f"{server.name}  {server.status}{since}{answer}"
    return text if server.status == "in" else output.warned(text)
