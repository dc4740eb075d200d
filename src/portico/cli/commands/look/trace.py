"""`portico trace`: shows one request step by step."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import click
from msgspec.structs import replace

from portico.cli import output
from portico.cli.look import page as page_text
from portico.cli.running import named_site, runtime_of
from portico.cli.words import cut
from portico.errors import Problem, UsageError
from portico.protocol.commands import STATUS
from portico.protocol.status import Status
from portico.protocol.trace import Answered, Bar, Moment, Row, Tracked
from portico.run.control import client
from portico.values import Address
from portico.watch.browser.visit import Visit, visited
from portico.watch.lines import visible
from portico.watch.trace import moments, table, tracker
from portico.watch.trace.client import SECONDS, Wish
from portico.watch.trace.evidence import Evidence, TracedSite, follow, keep
from portico.watch.trace.shown import shown

_PIPED = 160
"""The width of output that does not go to a terminal."""
_NARROW = 90
"""In a narrower terminal, the cells of a table stand below each other."""
_NARROWEST = 24
"""The smallest width at which words are wrapped."""
_LONG = 56
_STRIPE = 48
_BESIDE_STRIPE = 42
_BELOW = 33
"""The column at which the second line of a step begins."""
_FAILED_STATUS = 400
Colour = Any
_COLOURS: dict[str, Colour] = {
    table.CLIENT: output.strong, table.LINK: output.faint, table.WORKER: output.warned, table.APP: output.strong,
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
    "--max-time", type=float, default=SECONDS, metavar="SECONDS", help="Give up, or end a stream, then."
)
@click.option(
    "--repeat",
    type=click.IntRange(1, 1000),
    default=1,
    metavar="N",
    help="Send it N times; the last is shown.",
)
@click.option(
    "--browser",
    "in_browser",
    is_flag=True,
    help="Open the page in a headless Chromium: when a person sees it, and all that it fetches.",
)
@click.option("--json", "is_json", is_flag=True, help="Everything as JSON.")
@named_site
def command(
    url: str, config: str | None, name: str, repeat: int, in_browser: bool, is_json: bool, **words: Any
) -> None:
    """Send one real request to the running site and show what became of it, step by step.

    URL is one of the site's, or a path: then Portico connects to the site's own address, without DNS.
    """
    runtime = runtime_of(None, config, name)
    (status,) = client.ask(runtime, STATUS)
    wish = wished(url, status, words)
    site = TracedSite.of(runtime, status)
    if in_browser:
        page = visited(site, _visit(wish, status, words, repeat))
        output.results([output.as_json(page)] if is_json else page_text.lines(page, _width()))
        return
    found = [follow(site, wish) for _ in range(repeat)]
    result = [shown(evidence) for evidence in found]
    keep(site, found[-1].request_id, result[-1])
    if is_json:
        output.result(output.as_json(result[0] if repeat == 1 else result))
    else:
        output.results([*lines(found[-1], _width()), *(_repeated(found) if repeat > 1 else [])])


def _width() -> int:
    return shutil.get_terminal_size().columns if output.is_terminal() else _PIPED


def _visit(wish: Wish, status: Status, words: dict[str, Any], repeat: int) -> Visit:
    """What a browser opens. Raises UsageError for a request that no page is opened with."""
    given = {"-X": words["method"], "-d": words["data"] is not None, "--repeat": repeat > 1}
    for option, is_given in given.items():
        if is_given:
            raise UsageError(
                Problem(option, "a browser opens a page with one GET", "leave it out, or --browser")
            )
    if not wish.url.startswith(("http://", "https://")):
        raise UsageError(
            Problem(wish.url, "a browser opens no such URL", "expected http://host/path, or /path")
        )
    if wish.connect and any(str(one) == wish.connect for one in wish.proxied):
        hint = "name an address without the PROXY protocol: --connect HOST:PORT"
        raise UsageError(
            Problem("--browser", f"{wish.connect} expects the PROXY protocol, which no browser speaks", hint)
        )
    own = (
        [str(Address.parse(text).near) for text in status.listen]
        if wish.connect and not words["connect"]
        else []
    )
    return Visit(wish.url, wish.connect, tuple(own), wish.headers, wish.seconds)


def wished(url: str, status: Status, words: dict[str, Any]) -> Wish:
    """The URL and request that the arguments mean for the running site with this status. Raises UsageError."""
    here = ""
    if url.startswith("/"):
        if not status.urls:
            hint = "give the whole URL and that site: portico trace http://shop.example/api/ --site shop"
            raise UsageError(
                Problem(
                    url,
                    f"{status.name} has no address: other sites or a gateway elsewhere pass requests to it",
                    hint,
                )
            )
        scheme, _, host, *_ = status.urls[0].split("/")
        url = f"{scheme}//{host}{url}"
        here = _own_address(url, status.listen)
    data = words["data"]
    headers = []
    for text in words["headers"]:
        name, colon, value = text.partition(":")
        if not colon or not name.strip() or any(char in text for char in "\r\n"):
            raise UsageError(Problem("-H", f'"{text}" is not a header', 'expected "Name: value"'))
        headers.append((name.strip(), value.strip()))
    method = (words["method"] or ("POST" if data is not None else "GET")).upper()
    connect = words["connect"] or here
    if connect and not connect.rpartition(":")[2].isdigit():
        raise UsageError(Problem("--connect", f'"{connect}" is not an address', "expected host:port"))
    proxied = tuple(map(Address.parse, status.proxied))
    return Wish(url, method, tuple(headers), _body(data), connect, words["max_time"], proxied)


def _own_address(url: str, listen: Iterable[str]) -> str:
    """Where the site itself listens for this URL; empty if nginx uses another port, behind another proxy."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = [Address.parse(text) for text in listen]
    return next((str(address.near) for address in found if address.port == port), "")


def _body(data: str | None) -> bytes:
    if data and data.startswith("@"):
        try:
            return Path(data[1:]).read_bytes()
        except OSError as error:
            raise UsageError(
                Problem("-d", f"{data[1:]}: {error.strerror}", "name a file that can be read")
            ) from None
    return (data or "").encode()


def lines(evidence: Evidence, width: int) -> list[str]:
    """The trace as text for people, in this many columns."""
    sent = evidence.sent
    answer = visible(f"{sent.status} {sent.reason}" if sent.status else sent.error)
    head = f"{sent.method} {sent.scheme}://{sent.host}:{sent.port}{visible(evidence.target)}"
    coloured = output.good(answer) if 0 < sent.status < _FAILED_STATUS else output.bad(answer)
    is_beside = len(f"{head}  {answer}  {evidence.request_id}") <= width
    name = output.faint(visible(evidence.request_id))
    return [
        *(
            [f"{output.strong(head)}  {coloured}  {name}"]
            if is_beside
            else [f"{output.strong(head)}  {coloured}", name]
        ),
        "",
        *_table([_with_program(row, evidence.gateway) for row in table.rows(evidence)], width),
        "",
        output.strong("What changed on the way"),
        *_tracked(tracker.request(evidence), evidence.gateway, width),
        "",
        *_answered(tracker.response(evidence), width),
        "",
        output.strong("Where the time went"),
        *_waterfall(table.bars(evidence), width),
        "",
        output.strong("Worth knowing"),
        *[line for moment in moments.moments(evidence) for line in _moment(moment, width)],
    ]


def _colour(actor: str) -> Colour:
    return _COLOURS.get(actor, output.good)  # the gateway's colour


def _with_program(row: Row, program: str) -> Row:
    """The gateway named by its program."""
    actor, source, destination = (
        program if one == table.GATEWAY else one for one in (row.actor, row.source, row.destination)
    )
    return replace(row, actor=actor, source=source, destination=destination)


def _table(rows: list[Row], width: int) -> list[str]:
    made = [output.faint(f"{'':>3s} {'at us':>9s} {'took us':>9s}  {'who':7s} what")]
    for row in rows:
        at = "" if row.at_us is None else f"{row.at_us:,}"
        took = "" if row.took_us is None else f"{row.took_us:,}"
        arrow = f"{row.source} -> {row.destination}" if row.source != row.destination else ""
        kind = {"request": " >", "response": " <"}.get(row.message, "")
        action, *more = _folded(visible(row.action), width, _BELOW)
        head = f"{row.number:>3d} {at:>9s} {took:>9s}  {_colour(row.actor)(f'{row.actor:7s}')} {action}"
        way = f"  {arrow}{kind}" if arrow else ""
        is_beside = not more and _BELOW + len(action) + len(way) <= width
        made += [head + (output.faint(way) if is_beside else ""), *(f"{'':{_BELOW}s}{text}" for text in more)]
        below = "  ".join(visible(part) for part in (row.note, _short(row.place)) if part)
        below = below if is_beside else "  ".join(filter(None, (way.strip(), below)))
        made += [output.faint(f"{'':{_BELOW}s}{text}") for text in _folded(below, width, _BELOW) if text]
    return made


def _folded(text: str, width: int, indent: int) -> list[str]:
    """The text in lines that fit after an indent, words unbroken; at least one line."""
    room = max(_NARROWEST, width - indent)
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [text]


def _short(place: str) -> str:
    """Portico's own files, by the names that `portico explain` knows."""
    place = place.rpartition("/conf/")[2]
    return place if len(place) <= _LONG else "..." + place[-_LONG:]


def _tracked(tracked: list[Tracked], gateway: str, width: int) -> list[str]:
    rows = [_Compared(one.name, (one.client, one.gateway, one.app), one.changed) for one in tracked]
    return _compared(("the client sent", f"{gateway} passed", "the app saw"), rows, width)


def _answered(answered: list[Answered], width: int) -> list[str]:
    rows = [_Compared(one.name, (one.client, one.worker, one.app), one.changed) for one in answered]
    return _compared(("the client got", "the worker sent", "the app said"), rows, width)


class _Compared(NamedTuple):
    """One value as three sides see it, None where it is missing."""

    name: str
    values: tuple[str | None, str | None, str | None]
    is_changed: bool

    @property
    def texts(self) -> list[str]:
        return [visible(value) if value is not None else "-" for value in self.values]


def _compared(titles: tuple[str, str, str], rows: list[_Compared], width: int) -> list[str]:
    """A table as wide as the terminal. In a narrow one, a changed value takes four lines, any other one."""
    named = min(max((len(visible(row.name)) for row in rows), default=0), width // 4)
    room = (width - named - 5) // 3
    if width < _NARROW:
        return [line for row in rows for line in _stacked(titles, row, width)]
    made = [output.faint(_columns(" ", "", titles, named, room))]
    for row in rows:
        text = _columns("*" if row.is_changed else " ", visible(row.name), row.texts, named, room)
        made.append(output.warned(text) if row.is_changed else text)
    return made


def _columns(mark: str, name: str, cells: Iterable[str], named: int, room: int) -> str:
    return f"{mark} {cut(name, named):{named}s} {' '.join(f'{cut(cell, room):{room}s}' for cell in cells)}".rstrip()


def _stacked(titles: tuple[str, str, str], row: _Compared, width: int) -> list[str]:
    if not row.is_changed:
        said = next((text for text in row.texts if text != "-"), "-")
        return [cut(f"  {visible(row.name)}: {said}", width)]
    below = (cut(f"    {title:15s} {text}", width) for title, text in zip(titles, row.texts, strict=True))
    return [output.warned(line) for line in (cut(f"* {visible(row.name)}", width), *below)]


def _waterfall(bars: list[Bar], width: int) -> list[str]:
    whole = max((bar.ends_us for bar in bars), default=0) or 1
    room = max(10, min(_STRIPE, width - _BESIDE_STRIPE))
    made = []
    for bar in bars:
        start = min(bar.begins_us * room // whole, room - 1)
        size = max(1, round((bar.ends_us - bar.begins_us) * room / whole))
        stripe = " " * start + "#" * min(size, room - start)
        took = bar.ends_us - bar.begins_us
        made.append(
            f"  {cut(visible(bar.name), 24):24s} |{_colour(bar.actor)(f'{stripe:{room}s}')}| {took:>9,} us"
        )
    return made


def _moment(moment: Moment, width: int) -> list[str]:
    text = [f"  {line}" for line in _folded(visible(moment.text), width, 2)]
    return [*text, *([f"      {output.faint(visible(moment.see))}"] if moment.see else [])]


def _repeated(found: list[Evidence]) -> list[str]:
    """The distribution of the times."""
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
