"""The screen of `portico top`, as lines that fit the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from portico.cli import output
from portico.cli.words import cut, lasting, mebibytes
from portico.protocol.feed import Error, Item, Mark, Now, Route
from portico.protocol.status import GatewayStatus, Queue, ReleaseStatus, SiteStatus, SlowRequest
from portico.values import counted
from portico.watch.lines import visible

_BARS = " ▁▂▃▄▅▆▇█"
_MOST_WORKERS = 8
_MOST_SLOW = 4
_STYLES = {"good": output.good, "warn": output.warned, "bad": output.bad, "note": output.faint}


HELP = [
    "portico top: keys and words",
    "",
    "q  ends it        ?  shows or hides this help",
    "",
    "arrows      requests a second, over the last five seconds",
    "took        times from the first byte of a request to the last of its answer; p95: 95 % took less.",
    "            One request is shown as it was; of several, percentiles are right to an eighth.",
    "answers     by class of status, the cache's share, and what guards refused",
    "queue       requests that wait for a worker, requests in a worker, and how long they waited",
    "routes      of the last minute, the slowest first",
    "",
    "portico dashboard shows the same in a browser, with ten minutes of history.",
]


class Shown(Struct, frozen=True):
    """One moment and its history: the last rates, and errors and marks, newest first."""

    item: Item
    rates: tuple[float, ...]
    errors: tuple[Error, ...]
    marks: tuple[Mark, ...]


def lines(shown: Shown, width: int, height: int) -> list[str]:
    """The lines of the moment; what exceeds the height is left out."""
    item, status = shown.item, shown.item.status
    head = [
        *_head(status, width),
        "",
        *_flow(status, item.now, width),
        "",
        *_numbers(status.queue, shown, width),
        "",
    ]
    if status.slow:
        head += [*_slow(status.slow, width), ""]
    left = max(0, height - len(head) - 1)
    routes = _routes(item.routes, width)
    errors = _errors(shown.errors, width)
    marks = _marks(shown.marks, width)
    third = max(3, left // 3)
    return head + routes[:third] + [""] + errors[:third] + [""] + marks[:third]


def _head(status: SiteStatus, width: int) -> list[str]:
    name, urls = visible(status.name), "  ".join(status.urls)
    state = status.phase
    if status.maintenance:
        state = "closed for maintenance"
    elif status.pause:
        state = "paused"
    rest = cut(
        f"  {status.app or 'servers elsewhere'}  {urls}  {state} for {lasting(status.up_seconds)}",
        width - len(name),
    )
    return [f"{output.strong(name)}{output.faint(rest)}"]


def _flow(status: SiteStatus, now: Now, width: int) -> list[str]:
    """clients -> gateway -> releases -> workers."""
    gateway = status.gateway
    own = f"{rate(now.by_gateway)}/s answered by itself, " if now.by_gateway else ""
    rows = [
        f"{'clients':<14}{counted(status.connections, 'connection')}",
        f"  {_arrow(now.rate)} {gateway.name:<10}{own}{_life(gateway)}, {mebibytes(gateway.memory)}",
    ]
    for one in status.releases:
        rows += _release(one, status, now)
    for server in status.servers:
        if server.name != "app":
            came = _arrow(now.upstreams.get(server.name, 0))
            rows.append(f"      {came} {visible(server.name)}  {server.status}")
    return [cut(row, width) for row in rows]


def _release(one: ReleaseStatus, status: SiteStatus, now: Now) -> list[str]:
    workers, rates = one.workers, now.workers
    is_live = one.number == status.live
    total = sum(rates.get(str(worker.pid), 0) for worker in workers)
    if not total and is_live:
        total = now.upstreams.get("app", 0)
    waiting = status.queue.waiting
    words = ["live" if is_live else one.status, *([f"{waiting} waiting"] if waiting and is_live else [])]
    rows = [f"      {_arrow(total)} release {one.number}, {', '.join(words)}"]
    rows += [
        f"          {_arrow(rates.get(str(worker.pid), 0))} worker {worker.pid:<8d} {mebibytes(worker.memory):>8s}"
        f"  {lasting(worker.up_seconds)}"
        for worker in workers[:_MOST_WORKERS]
    ]
    more = len(workers) - _MOST_WORKERS
    return [*rows, f"            and {counted(more, 'more worker')}"] if more > 0 else rows


def _arrow(value: float) -> str:
    return f"─{rate(value):>7s}/s ─▸"


_CLASSES = ("2xx", "3xx", "4xx", "5xx", "clients left", "in maintenance")


def _numbers(queue: Queue, shown: Shown, width: int) -> list[str]:
    now, unread = shown.item.now, shown.item.unread
    groups = ", ".join(
        f"{name} {rate(value)}/s" for name, value in zip(_CLASSES, now.classes[2:], strict=True) if value
    )
    cache = f"{now.hits / now.asked:.0%} from the cache (routes it keeps)  " if now.asked else ""
    refused = f"{rate(now.refused)}/s refused  " if now.refused else ""
    sampled = "  (sampled: the lines that are read count for all)" if now.estimated else ""
    sampled += f"  ({unread})" if unread else ""
    return [
        cut(f"requests   {rate(now.rate)}/s  {_bars(shown.rates)}{sampled}", width),
        cut(f"took       p50 {_ms(now.p50)}  p95 {_ms(now.p95)}  p99 {_ms(now.p99)}", width),
        cut(f"answers    {groups or 'none'}  {cache}{refused}", width),
        cut(
            f"queue      {queue.waiting} waiting, {queue.with_app} with the app, "
            f"p95 {_ms(now.queue_p95)}; app p95 {_ms(now.app_p95)}",
            width,
        ),
    ]


def _routes(routes: Sequence[Route], width: int) -> list[str]:
    room = max(12, width - 40)
    head = f"{'slowest routes, last minute':<{room}}{'requests':>9s}{'failed':>8s}{'p50':>10s}{'p95':>10s}"
    rows = [_route(one, room) for one in routes]
    return [output.faint(cut(head, width)), *(cut(row, width) for row in rows)]


def _route(one: Route, room: int) -> str:
    counts = f"{one.requests:>9,d}{one.failed:>8,d}{_ms(one.p50):>10s}{_ms(one.p95):>10s}"
    return f"{cut(visible(one.route), room):<{room}}{counts}"


def _errors(errors: Sequence[Error], width: int) -> list[str]:
    return [output.faint("recent errors"), *(output.bad(cut(_error(one), width)) for one in errors)]


def _error(error: Error) -> str:
    request, words = error.request, error.text.strip().split("\n")
    line = f"{request['status']} {request['method']} {request['uri']}" if request else ""
    time = error.time.partition("T")[2][:8]
    times = f"{error.count:,d} times" if error.count > 1 else ""
    return visible("  ".join(filter(None, (time, times, line, words[-1] if words else ""))))


def _marks(marks: Sequence[Mark], width: int) -> list[str]:
    import time

    rows = [
        _STYLES.get(one.level, output.faint)(
            cut(f"{time.strftime('%H:%M:%S', time.localtime(one.time))}  {visible(one.text)}", width)
        )
        for one in marks
    ]
    return [output.faint("what happened"), *rows]


def _slow(requests: Sequence[SlowRequest], width: int) -> list[str]:
    """The requests that are still running, each with the current line of its code."""
    made = [output.faint("still running")]
    for one in requests[:_MOST_SLOW]:
        route = f"  {one.endpoint}" if one.endpoint else ""
        at = one.stack[-1] if one.stack else None
        where = f"  {at.file.rpartition('/')[2]}:{at.line} {at.name}" if at else ""
        text = f"{lasting(one.age_seconds):>8s}  {one.method} {one.path}{route}{where}"
        made.append(output.warned(cut(visible(text), width)))
    more = len(requests) - _MOST_SLOW
    return [*made, f"          and {more} more"] if more > 0 else made


def _bars(rates: Sequence[float]) -> str:
    top = max(rates, default=0) or 1
    return "".join(_BARS[round(value / top * (len(_BARS) - 1))] for value in rates)


def rate(value: float) -> str:
    """Requests per second, in three digits."""
    if value >= 10000:
        return f"{value / 1000:.1f}k"
    return f"{value:.0f}" if value >= 10 or not value else f"{value:.1f}"


def _ms(value: float | None) -> str:
    if value is None:
        return "-"
    if value >= 10000:
        return f"{value / 1000:.1f} s"
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


def _life(life: GatewayStatus) -> str:
    return f"{life.status} for {lasting(life.since_seconds)}"
