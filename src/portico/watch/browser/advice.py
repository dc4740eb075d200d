"""What would make a page faster: one sentence for each fact, with what it costs. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from portico.protocol.browser import Page, Resource
from portico.protocol.trace import Moment

_SLOW_APP_US, _SLOW_QUEUE_US = 100_000, 20_000
_LEAST_SAVED = 1 << 10
"""Bytes; below it, compression is not worth a sentence."""
_LARGE_IMAGE = 200 << 10
_TOO_WIDE = 2
"""An image of more than this many times the width and the height at which it is shown."""
_MOST_NAMED = 3
_STATIC = ("Stylesheet", "Script", "Image", "Font")
_FAILED = 400


def advice(page: Page) -> Iterator[Moment]:
    """The facts that cost time, those of the page itself first."""
    for tell in (_redirects, _queue, _app, _blocking, _compression, _caching, _images, _failures, _others):
        yield from tell(page)


def path_of(url: str) -> str:
    """The URL without scheme and host."""
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _document(page: Page) -> Resource | None:
    return next(
        (one for one in reversed(page.resources) if one.kind == "Document" and not one.location), None
    )


def _redirects(page: Page) -> Iterator[Moment]:
    found = [one for one in page.resources if one.location and 300 <= one.status < 400]
    for one in found:
        took = (one.ends_us - one.begins_us) / 1000
        yield Moment(
            f"{path_of(one.url)} redirects to {one.location} ({took:.0f} ms and one more way to the site): link to "
            "that address.",
            f"portico trace {shlex.quote(path_of(one.url))}",
        )


def _queue(page: Page) -> Iterator[Moment]:
    found = [one for one in page.resources if (one.queue_us or 0) > _SLOW_QUEUE_US]
    if found:
        slowest = max(found, key=lambda one: one.queue_us or 0)
        yield Moment(
            f"{_count(len(found), 'request')} waited for a worker, {path_of(slowest.url)} "
            f"{(slowest.queue_us or 0) / 1000:.0f} ms: all workers were busy.",
            "portico status",
        )


def _app(page: Page) -> Iterator[Moment]:
    for one in page.resources:
        if (one.app_us or 0) >= _SLOW_APP_US:
            view = f" (endpoint {one.endpoint})" if one.endpoint else ""
            yield Moment(
                f"The app took {(one.app_us or 0) / 1000:.0f} ms for {path_of(one.url)}{view}: a trace shows its "
                "steps.",
                f"portico trace {shlex.quote(path_of(one.url))}",
            )


def _blocking(page: Page) -> Iterator[Moment]:
    found = [one for one in page.resources if one.is_blocking]
    if not found:
        return
    last = max(one.ends_us for one in found) / 1000
    said = (
        f"The browser painted nothing until it had {_named(found)}, {last:.0f} ms after the start: load scripts with "
        "`defer`"
    )
    if any(one.kind == "Stylesheet" for one in found):
        said += ", and keep the styles of the first view small"
    yield Moment(f"{said}.")


def _compression(page: Page) -> Iterator[Moment]:
    found = [(one, one.body_bytes - (one.gzip_bytes or one.body_bytes)) for one in page.resources]
    worth = [(one, saved) for one, saved in found if saved >= _LEAST_SAVED]
    if worth:
        yield Moment(
            f"{_named([one for one, _ in worth])} came uncompressed: gzip would save "
            f"{_size(sum(saved for _, saved in worth))} of {_size(sum(one.body_bytes for one, _ in worth))}.",
            "portico explain gzip_types",
        )


def _caching(page: Page) -> Iterator[Moment]:
    found = [one for one in page.resources if one.kind in _STATIC and _is_good(one) and not _is_kept(one)]
    if found:
        yield Moment(
            f"The browser asks for {_named(found)} again with each visit: no max-age says how long it may keep "
            f"{'them' if len(found) > 1 else 'it'}. A file whose name contains its version may be kept for a year.",
            "portico explain static",
        )


def _images(page: Page) -> Iterator[Moment]:
    shown = {one.url: one for one in page.pictures}
    for one in page.resources:
        if one.kind != "Image" or not _is_good(one):
            continue
        size, of = shown.get(one.url), f"{path_of(one.url)} ({_size(one.wire_bytes)})"
        if (
            size
            and 0 < size.shown_width * _TOO_WIDE < size.width
            and 0 < size.shown_height * _TOO_WIDE < size.height
        ):
            yield Moment(
                f"{of} has {size.width} x {size.height} pixels and is shown with {size.shown_width} x "
                f"{size.shown_height}: a smaller copy is enough."
            )
        elif one.wire_bytes >= _LARGE_IMAGE:
            yield Moment(
                f'{of} is a large image: WebP or AVIF are smaller, and loading="lazy" lets one wait.'
            )


def _failures(page: Page) -> Iterator[Moment]:
    for one in page.resources:
        if one.status >= _FAILED:
            yield Moment(
                f"{path_of(one.url)} is {one.status}.", f"portico trace {shlex.quote(path_of(one.url))}"
            )


def _others(page: Page) -> Iterator[Moment]:
    hosts = sorted({urlsplit(one.url).netloc for one in page.resources if one.error and not one.status})
    if hosts:
        yield Moment(
            f"Not fetched, and not in these times: what comes from {', '.join(hosts[:_MOST_NAMED])}"
            f"{' and others' if len(hosts) > _MOST_NAMED else ''}. Here the browser reaches this site alone."
        )


def _is_good(one: Resource) -> bool:
    return 200 <= one.status < 300


def _is_kept(one: Resource) -> bool:
    said = one.caching.lower()
    return (
        "max-age=" in said and "max-age=0" not in said and "no-cache" not in said and "no-store" not in said
    )


def _named(found: Iterable[Resource]) -> str:
    names = list(dict.fromkeys(path_of(one.url) for one in found))
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _size(size: int) -> str:
    return f"{size / 1024:,.0f} KiB" if size < 1 << 20 else f"{size / (1 << 20):,.1f} MiB"
