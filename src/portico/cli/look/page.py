"""The text of `portico trace --browser`: the three times that visitors feel, the waterfall, and what would help."""

from __future__ import annotations

import textwrap
from urllib.parse import urlsplit

from portico.cli import output
from portico.cli.words import cut
from portico.protocol.browser import Page, Resource
from portico.watch.browser.advice import path_of
from portico.watch.lines import visible

_VITALS = (("TTFB", "ttfb_us", 800), ("FCP", "fcp_us", 1800), ("LCP", "lcp_us", 2500))
"""The name, the field, and the milliseconds up to which web.dev calls it good."""
_STRIPE, _LEAST_STRIPE = 40, 10
_BESIDE = 79
"""The columns of a row beside its stripe."""
_PATH = 30
_GOOD_STATUS = 400


def lines(page: Page, width: int) -> list[str]:
    """The page as text for people, in this many columns."""
    return [
        f"{output.strong(visible(page.url))}  {page.status}  {output.faint(visible(page.browser))}",
        *([output.bad(page.error)] if page.error else []),
        "",
        *_vitals(page),
        output.faint("  measured from here: visitors are farther away, and their ways come on top"),
        "",
        *_waterfall(page, width),
        "",
        output.strong("What would make it faster"),
        *_advice(page, width),
    ]


def _vitals(page: Page) -> list[str]:
    made = []
    for name, field, good in _VITALS:
        value: int | None = getattr(page, field)
        if value is None:
            made.append(f"  {name:5s} {'-':>10s}")
            continue
        is_good = value <= good * 1000
        verdict = output.good("good") if is_good else output.warned(f"good is up to {good:,} ms")
        what = f"  {visible(page.lcp_what)}" if name == "LCP" and page.lcp_what else ""
        made.append(f"  {name:5s} {_ms(value):>10s} ms  {verdict}{output.faint(what)}")
    if page.loaded_us is not None:
        made.append(f"  {'load':5s} {_ms(page.loaded_us):>10s} ms")
    return made


def _waterfall(page: Page, width: int) -> list[str]:
    whole = max((one.ends_us for one in page.resources), default=0) or 1
    room = max(_LEAST_STRIPE, min(_STRIPE, width - _BESIDE))
    head = f"  {'':{_PATH}s} {'at ms':>8s} {'took ms':>8s} {'KiB':>7s}  {'from':18s}"
    here = urlsplit(page.url).netloc
    legend = "  * the browser paints nothing before it has it; . waits for the head, # gets the body"
    rows = (_row(one, here, whole, room) for one in page.resources)
    return [output.faint(head.rstrip()), *rows, output.faint(legend)]


def _row(one: Resource, here: str, whole: int, room: int) -> str:
    is_own = urlsplit(one.url).netloc == here
    name = cut(visible(path_of(one.url) if is_own else one.url.partition("//")[2]), _PATH)
    said = _from(one)
    begin, head, end = (at * room // whole for at in (one.begins_us, one.head_us, one.ends_us))
    begin = min(begin, room - 1)
    stripe = " " * begin + "." * max(0, min(head, room) - begin)
    stripe += "#" * max(1, min(end, room) - len(stripe))
    row = (
        f"{'*' if one.is_blocking else ' '} {name:{_PATH}s} {_ms(one.begins_us):>8s} "
        f"{_ms(one.ends_us - one.begins_us):>8s} {one.wire_bytes / 1024:>7,.1f}  {cut(said, 18):18s} "
    )
    text = f"{row}|{stripe[:room]:{room}s}|"
    return text if 0 < one.status < _GOOD_STATUS else output.warned(text)


def _from(one: Resource) -> str:
    """Who answered, and what it took there."""
    if not one.status:
        return "not fetched"
    of_status = "" if one.status == 200 else f"{one.status} "
    if one.by == "app" and one.app_us is not None:
        return f"{of_status}app {_ms(one.app_us)} ms"
    if one.by == "cache":
        return f"{of_status}cache {one.cache}"
    return f"{of_status}{one.by or '?'}"


def _advice(page: Page, width: int) -> list[str]:
    made = []
    for moment in page.advice:
        wrapped = textwrap.wrap(visible(moment.text), max(24, width - 2), break_long_words=False)
        made += [f"  {line}" for line in wrapped]
        made += [f"      {output.faint(visible(moment.see))}"] if moment.see else []
    return made or ["  Nothing that the figures show."]


def _ms(value_us: int) -> str:
    return f"{value_us / 1000:,.1f}"
