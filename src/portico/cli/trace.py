"""`portico trace`: one request, step by step."""

from __future__ import annotations

import linecache
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from portico.cli import output
from portico.cli.running import named_site, runtime_of
from portico.errors import Problem, UsageError
from portico.run import client
from portico.watch.lines import visible
from portico.watch.trace import moments, table, tracker
from portico.watch.trace.client import Wish
from portico.watch.trace.evidence import Evidence, House, follow, keep
from portico.watch.trace.moments import Moment
from portico.watch.trace.table import Bar, Row

_WIDE = 44
_LONG = 56
_STRIPE = 48
_FAILED_STATUS = 400
Colour = Any
_COLOURS: dict[str, Colour] = {
    table.CLIENT: output.strong, table.NGINX: output.good, table.LINK: output.faint, table.WORKER: output.warned,
    table.APP: output.strong,
}  # fmt: skip


@click.command("trace")
@click.argument("url", default="/")
@click.option("-X", "--request", "method", metavar="METHOD", help="GET, or POST when there is data.")
@click.option(
    "-H", "--header", "headers", multiple=True, metavar="NAME: VALUE", help="A header of the request."
)
@click.option("-d", "--data", metavar="TEXT", help="The body; @FILE for a file's content.")
@click.option("--connect", default="", metavar="HOST:PORT", help="Connect there, whatever the URL says.")
@click.option(
    "--max-time", type=float, default=Wish.seconds, metavar="SECONDS", help="Give up, or end a stream, then."
)
@click.option(
    "--repeat",
    type=click.IntRange(1, 1000),
    default=1,
    metavar="N",
    help="Send it N times; the last is shown.",
)
@click.option("--json", "is_json", is_flag=True, help="Everything as JSON.")
@named_site
def command(url: str, config: str | None, name: str, repeat: int, is_json: bool, **words: Any) -> None:
    """Send one real request to the running site and show what became of it, step by step.

    URL is one of the site's, or a path: the site's own address is put before it.
    """
    runtime = runtime_of(None, config, name)
    (status,) = client.ask(runtime, "GET", "/status")
    wish = wished(url, status["urls"][0], words)
    house = House.of(runtime, status)
    found = [follow(house, wish) for _ in range(repeat)]
    told = [as_told(evidence) for evidence in found]
    keep(house.access_log.parent, found[-1].request_id, told[-1])
    if is_json:
        output.result(output.as_json(told[0] if repeat == 1 else told))
    else:
        output.results([*lines(found[-1]), *(_repeated(found) if repeat > 1 else [])])


def wished(url: str, base: str, words: dict[str, Any]) -> Wish:
    """What the words mean. Raises UsageError."""
    if url.startswith("/"):
        url = base.split("/", 3)[0] + "//" + base.split("/", 3)[2] + url
    data = words["data"]
    headers = []
    for text in words["headers"]:
        name, colon, value = text.partition(":")
        if not colon or not name.strip() or any(char in text for char in "\r\n"):
            raise UsageError(Problem("-H", f'"{text}" is no header', 'expected "Name: value"'))
        headers.append((name.strip(), value.strip()))
    method = (words["method"] or ("POST" if data is not None else "GET")).upper()
    connect = words["connect"]
    if connect and not connect.rpartition(":")[2].isdigit():
        raise UsageError(Problem("--connect", f'"{connect}" is no address', "expected host:port"))
    return Wish(url, method, tuple(headers), _body(data), connect, words["max_time"])


def _body(data: str | None) -> bytes:
    if data and data.startswith("@"):
        try:
            return Path(data[1:]).read_bytes()
        except OSError as error:
            raise UsageError(
                Problem("-d", f"{data[1:]}: {error.strerror}", "name a file that can be read")
            ) from None
    return (data or "").encode()


def as_told(evidence: Evidence) -> dict[str, Any]:
    """The whole trace as plain values."""
    sent = evidence.sent
    return {
        "method": sent.method,
        "url": f"{sent.scheme}://{sent.host}:{sent.port}{sent.target}",
        "id": evidence.request_id,
        "status": sent.status,
        "error": sent.error,
        "rows": [asdict(row) | {"text": _text(row.place)} for row in table.rows(evidence)],
        "request": [asdict(one) | {"changed": one.is_changed} for one in tracker.request(evidence)],
        "response": [asdict(one) | {"changed": one.is_changed} for one in tracker.response(evidence)],
        "waterfall": [asdict(bar) for bar in table.bars(evidence)],
        "moments": [asdict(moment) for moment in moments.moments(evidence)],
        "line": evidence.line.record() if evidence.line else None,
        "app": [entry.text for entry in evidence.entries],
        "nginx": [item.text for item in evidence.complaints],
    }


def _text(place: str) -> str:
    """The line that is at a place, as it stands there now."""
    path, _, number = place.rpartition(":")
    return linecache.getline(path, int(number)).strip() if path and number.isdigit() else ""


def lines(evidence: Evidence) -> list[str]:
    """What a person reads."""
    sent = evidence.sent
    answer = f"{sent.status} {sent.reason}" if sent.status else sent.error
    head = f"{sent.method} {sent.scheme}://{sent.host}:{sent.port}{visible(sent.target)}"
    shown = output.good(answer) if 0 < sent.status < _FAILED_STATUS else output.bad(answer)
    return [
        f"{output.strong(head)}  {shown}  {output.faint(evidence.request_id)}",
        "",
        *_table(table.rows(evidence)),
        "",
        output.strong("What changed on the way"),
        *_tracked(tracker.request(evidence)),
        "",
        *_answered(tracker.response(evidence)),
        "",
        output.strong("Where the time went"),
        *_waterfall(table.bars(evidence)),
        "",
        output.strong("Worth knowing"),
        *[line for moment in moments.moments(evidence) for line in _moment(moment)],
    ]


def _table(rows: list[Row]) -> list[str]:
    made = [output.faint(f"{'':>3s} {'at us':>9s} {'took us':>9s}  {'who':7s} what")]
    for row in rows:
        at = "" if row.at_us is None else f"{row.at_us:,}"
        took = "" if row.took_us is None else f"{row.took_us:,}"
        arrow = f"{row.source} -> {row.destination}" if row.source != row.destination else ""
        kind = {"request": " >", "response": " <"}.get(row.message, "")
        head = f"{row.number:>3d} {at:>9s} {took:>9s}  {_COLOURS[row.actor](f'{row.actor:7s}')} {visible(row.action)}"
        made.append(f"{head}{output.faint(f'  {arrow}{kind}') if arrow else ''}")
        below = "  ".join(visible(part) for part in (row.note, _short(row.place)) if part)
        if below:
            made.append(output.faint(f"{'':33s}{below}"))
    return made


def _short(place: str) -> str:
    """Files of Portico's own by the name that `portico explain` knows."""
    place = place.rpartition("/conf/")[2]
    return place if len(place) <= _LONG else "..." + place[-_LONG:]


def _tracked(tracked: list[tracker.Tracked]) -> list[str]:
    made = [output.faint(f"  {'':18s} {'the client sent':{_WIDE}s} {'nginx passed':{_WIDE}s} the app saw")]
    for one in tracked:
        cells = (one.client, one.nginx, one.app)
        made.append(_cells(one.name, cells, is_changed=one.is_changed))
    return made


def _answered(answered: list[tracker.Answered]) -> list[str]:
    made = [output.faint(f"  {'':18s} {'the client got':{_WIDE}s} {'the worker sent':{_WIDE}s} the app said")]
    return [
        *made,
        *(_cells(one.name, (one.client, one.worker, one.app), is_changed=one.is_changed) for one in answered),
    ]


def _cells(name: str, cells: tuple[str | None, ...], *, is_changed: bool) -> str:
    texts = [visible(cell) if cell is not None else "-" for cell in cells]
    texts = [text if len(text) <= _WIDE else f"{text[: _WIDE - 1]}…" for text in texts]
    row = (
        f"{'*' if is_changed else ' '} {name[:18]:18s} "
        + " ".join(f"{text:{_WIDE}s}" for text in texts).rstrip()
    )
    return output.warned(row) if is_changed else row


def _waterfall(bars: list[Bar]) -> list[str]:
    whole = max((bar.ends_us for bar in bars), default=0) or 1
    made = []
    for bar in bars:
        start = bar.begins_us * _STRIPE // whole
        size = max(1, round((bar.ends_us - bar.begins_us) * _STRIPE / whole))
        stripe = " " * min(start, _STRIPE - 1) + "#" * min(size, _STRIPE - min(start, _STRIPE - 1))
        took = bar.ends_us - bar.begins_us
        made.append(f"  {bar.name[:24]:24s} |{_COLOURS[bar.actor](f'{stripe:{_STRIPE}s}')}| {took:>9,} us")
    return made


def _moment(moment: Moment) -> list[str]:
    return [f"  {visible(moment.text)}", *([f"      {output.faint(moment.see)}"] if moment.see else [])]


def _repeated(found: list[Evidence]) -> list[str]:
    """How the times spread."""
    times = sorted(one.sent.at("end") - one.sent.at("begin") for one in found if one.sent.status)
    statuses = sorted({one.sent.status for one in found})
    if not times:
        return []
    middle, last = times[len(times) // 2] // 1000, times[-1] // 1000
    seen = ", ".join(map(str, statuses))
    return [
        "",
        f"{len(found)} times: {times[0] // 1000:,} us at best, {middle:,} half of them, {last:,} at worst; {seen}",
    ]
