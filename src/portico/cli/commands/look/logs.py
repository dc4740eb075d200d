"""`portico logs`: shows the requests, each with the output of the app and the gateway about it."""

from __future__ import annotations

import shutil
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from portico.cli import output
from portico.cli.running import running_site, state_of
from portico.errors import PorticoError, Problem, UsageError
from portico.log.app_output import Entry
from portico.log.errors.complaint import Complaint
from portico.log.errors.kinds import complaints
from portico.log.reader import entry_reader, request_reader
from portico.log.request import Request, moment
from portico.values import Duration
from portico.watch import filter as filters
from portico.watch.correlation import Correlation
from portico.watch.filter import Filter
from portico.watch.history import Log, Logs
from portico.watch.lines import clock, detail, readable, visible

_LOOK_SECONDS = 0.2
_LATE_SECONDS = 5.0
"""Output of a request that is still running after this time is shown before its request line."""
_LAST = 20
_MOST_HELD = 1_000_000


@click.command("logs")
@running_site
@click.option("--status", multiple=True, metavar="STATUS", help="Only these: 404, 5xx, 4xx,5xx.")
@click.option("--slower", metavar="TIME", help="Only requests that took at least this long: 500ms.")
@click.option(
    "--path",
    default="",
    metavar="PATH",
    help="Only this path and those below it; /api* for every path that begins so.",
)
@click.option("--method", default="", metavar="METHOD", help="Only this method.")
@click.option(
    "--id",
    "request_id",
    default="",
    metavar="ID",
    help="Only the request with this id, or of this trace, or the beginning of either.",
)
@click.option("--since", metavar="TIME", help="Only requests since then: 15m, 1h, or 2026-11-21T14:00.")
@click.option(
    "-n", "--last", type=click.IntRange(0), metavar="N", help="Only the last N of what has been logged."
)
@click.option("--no-follow", is_flag=True, help="End at the last line instead of waiting for more.")
@click.option("-v", "--verbose", is_flag=True, help="Id, route, times and more below each request.")
@click.option("--json", "is_json", is_flag=True, help="One JSON object a request, every field.")
def command(
    app: str | None, config: str | None, name: str, request_id: str, since: str | None, slower: str | None,
    last: int | None, no_follow: bool, verbose: bool, is_json: bool, **words: Any,
) -> None:  # fmt: skip
    """Show the requests of the site of APP or of the current directory, and follow them.

    Output of the app and messages of the gateway appear under the request they belong to.
    """
    which = Filter(
        statuses=filters.statuses(words["status"]),
        slower=_seconds(slower) if slower else 0.0,
        path=words["path"],
        method=words["method"].upper(),
        id=request_id,
        since=filters.since(since, time.time()) if since else 0.0,
    )
    if last is None:
        last = -1 if no_follow or since or request_id else _LAST
    state = Path(state_of(app, config, name))
    if not state.is_dir():
        raise PorticoError(Problem(str(state), "nothing was ever logged here", "start the site: portico run"))
    show = _Show(which, is_json=is_json, is_verbose=verbose or bool(request_id))
    reader = _Reader(Logs.of(state), which)
    shown = show.history(reader, last)
    _say_unread(reader)
    if no_follow:
        if not shown:
            output.say("no such request has been logged")
        return
    try:
        while True:
            show.fresh(reader)
            _say_unread(reader)
            time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:
        pass  # the user ends it with Ctrl-C


def _say_unread(reader: _Reader) -> None:
    """Report the lines that were unreadable since the last report."""
    for what in reader.complaints():
        output.say(what)


def _seconds(text: str) -> float:
    try:
        return Duration.parse(text)
    except ValueError as error:
        raise UsageError(Problem("--slower", f'"{text}" is not a length of time', str(error))) from None


class _Reader:
    """Reads the three log files, and keeps output until the line of its request arrives."""

    def __init__(self, logs: Logs, which: Filter) -> None:
        self._access, self._error = Log(logs.access, which.since), Log(logs.error, which.since)
        self._app = Log(logs.app, which.since, is_untrusted=True)
        self.pending = Correlation(_MOST_HELD)
        self.loose: deque[Entry | Complaint] = deque()
        """Output that belongs to no request."""
        self._requests, self._entries = request_reader(), entry_reader()
        self._came: dict[str, float] = {}

    def before(self) -> Iterator[Request]:
        """The entries logged so far."""
        self._hear(self._app.all(), self._error.all())
        return self._requests.read(self._access.all())

    def fresh(self) -> Iterator[Request]:
        """The entries since the last call; the app's output first, because it was written first."""
        self._hear(self._app.lines(), self._error.lines())
        return self._requests.read(self._access.lines())

    def complaints(self) -> list[str]:
        """The notes about lines that were unreadable since the last call."""
        return [what for what in (self._requests.complaint(), self._entries.complaint()) if what]

    def overdue(self) -> list[Entry]:
        """The output of requests that are still running."""
        now = time.monotonic()
        late = [id for id, came in self._came.items() if now - came > _LATE_SECONDS]  # noqa: A001
        for id in late:  # noqa: A001
            del self._came[id]
        return [entry for id in late for entry in self.pending.take_id(id)]  # noqa: A001

    def _hear(self, app: Iterator[str] | list[str], error: Iterator[str] | list[str]) -> None:
        now, loose = time.monotonic(), list[Entry | Complaint]()
        for entry in self._entries.read(app):
            if entry.id:
                self.pending.add(entry)
                self._came.setdefault(entry.id, now)
            else:
                loose.append(entry)
        for complaint in complaints(error):
            if complaint.request or complaint.id:
                self.pending.add(complaint)
            else:
                loose.append(complaint)
        self.loose.extend(sorted(loose, key=lambda item: moment(item.time)))


class _Show:
    def __init__(self, which: Filter, *, is_json: bool, is_verbose: bool) -> None:
        self._which, self._is_json, self._is_verbose = which, is_json, is_verbose

    def _is_dated(self, time_logged: str) -> bool:
        """Whether the time of day alone would mislead: with --since, and for a line of another day."""
        return bool(self._which.since) or time_logged[:10] != time.strftime("%Y-%m-%d")

    def history(self, reader: _Reader, last: int) -> int:
        """Show the last entries of the log, -1 for all; returns how many requests were shown."""
        found = ((request, reader.pending.take(request)) for request in reader.before())
        chosen = ((request, words) for request, words in found if self._which.has(request))
        kept = chosen if last < 0 else iter(deque(chosen, maxlen=last))
        if last >= 0:
            self._keep_last(reader, last)
        count = 0
        for request, words in kept:
            if not count and last >= 0:
                self._drop_older(reader, moment(request.time))
            self._show_loose(reader, moment(request.time))
            self._show(request, words)
            count += 1
        self._show_loose(reader, time.time())
        return count

    def fresh(self, reader: _Reader) -> None:
        for request in reader.fresh():
            words = reader.pending.take(request)
            if self._which.has(request):
                self._show(request, words)
        for entry in reader.overdue():
            if self._which.is_everything or (self._which.id and entry.id.startswith(self._which.id)):
                self._show_word(entry)
        self._show_loose(reader, time.time() + 1)

    def _keep_last(self, reader: _Reader, most: int) -> None:
        """Limits output that belongs to no request as well: a log without requests may be long, too."""
        more = len(reader.loose) - most
        for _ in range(more):
            reader.loose.popleft()
        if more > 0 and most > 0 and self._which.is_everything:
            lines = "line belongs" if more == 1 else "lines belong"
            output.say(
                output.faint(f"{more} earlier {lines} to no request; portico logs --no-follow shows all")
            )

    def _drop_older(self, reader: _Reader, until: float) -> None:
        while reader.loose and moment(reader.loose[0].time) < until:
            reader.loose.popleft()

    def _show_loose(self, reader: _Reader, until: float) -> None:
        while reader.loose and moment(reader.loose[0].time) <= until:
            item = reader.loose.popleft()
            if self._which.is_everything and moment(item.time) >= self._which.since:
                self._show_word(item)

    def _show(self, request: Request, words: list[Entry | Complaint]) -> None:
        if self._is_json:
            app = [msgspec.to_builtins(item) for item in words if isinstance(item, Entry)]
            complaints = [msgspec.to_builtins(item) for item in words if isinstance(item, Complaint)]
            output.result(output.as_json_line(request.record() | {"app": app, "complaints": complaints}))
            return
        lines = [coloured(request, is_dated=self._is_dated(request.time))]
        if self._is_verbose:
            lines.append(f"          {output.faint(detail(request))}")
        for item in words:
            lines += _indented(item)
        output.results(lines)

    def _show_word(self, item: Entry | Complaint) -> None:
        if self._is_json:
            output.result(output.as_json_line({type(item).__name__.lower(): msgspec.to_builtins(item)}))
            return
        when = clock(item.time, is_dated=self._is_dated(item.time))
        who = f"{item.program if isinstance(item, Complaint) else 'app':<5}"
        whose = f"  request {item.id[:8]}, still running" if isinstance(item, Entry) and item.id else ""
        first, *rest = item.text.split("\n")
        output.results(
            [
                f"{visible(when)}  {output.faint(visible(who + whose))}  {visible(first)}",
                *(f"    {visible(t)}" for t in rest),
            ]
        )


def coloured(request: Request, *, is_dated: bool = False) -> str:
    """The short line, cut to the terminal's width; failures are red and refusals yellow."""
    width = shutil.get_terminal_size().columns if output.is_terminal() else 0
    text = readable(request, width, is_dated=is_dated)
    if request.status >= 500:
        return output.bad(text)
    return output.warned(text) if request.status >= 400 else text


def _indented(item: Entry | Complaint) -> list[str]:
    lines = [visible(line) for line in item.text.split("\n")]
    if isinstance(item, Complaint):
        return [output.warned(f"          {item.program}: {line}") for line in lines]
    return [f"          {output.faint('|')} {line}" for line in lines]
