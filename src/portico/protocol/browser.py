"""What `portico trace --browser` shows of a page. Times in microseconds since the browser began to open it."""

from __future__ import annotations

from msgspec import Struct

from portico.protocol.trace import Moment


class Resource(Struct, frozen=True, kw_only=True):
    """One request of the browser's. Times and sizes are the browser's; what the gateway and the app gave is from the
    gateway's log line with this `id`, and None or empty without one.
    """

    url: str
    kind: str
    """The browser's word for it: Document, Stylesheet, Script, Image, Font, Fetch, ..."""
    status: int
    error: str
    """Why there is no answer, in the browser's words; empty if there is one."""
    id: str
    begins_us: int
    sent_us: int
    """When the request was sent: before it, it waited for a connection."""
    head_us: int
    """When the head of the answer had come."""
    ends_us: int
    wire_bytes: int
    """Head and body, as they came."""
    body_bytes: int
    """The body, decompressed."""
    type: str
    coding: str
    """Content-Encoding."""
    caching: str
    """Cache-Control."""
    is_blocking: bool
    """The browser paints nothing before it has it."""
    gzip_bytes: int | None
    """The size of a text that came uncompressed, if it were compressed."""
    location: str
    """Where a redirect leads."""
    server_timing: dict[str, float]
    """The answer's Server-Timing as the browser read it: milliseconds by name."""
    by: str
    """Who answered: "app", "gateway" or "cache"."""
    cache: str
    gateway_us: int | None
    queue_us: int | None
    app_us: int | None
    endpoint: str


class Picture(Struct, frozen=True):
    """An image: its own size, and the size at which the page shows it, in pixels."""

    url: str
    width: int
    height: int
    shown_width: int
    shown_height: int


class Page(Struct, frozen=True, kw_only=True):
    """One page. Times are None if the browser tells none, as for a page that paints nothing."""

    url: str
    browser: str
    status: int
    error: str
    ttfb_us: int | None
    """Time to first byte, redirects included."""
    fcp_us: int | None
    """First contentful paint."""
    lcp_us: int | None
    """Largest contentful paint."""
    lcp_what: str
    """What that was: the name of its element, and the URL of an image."""
    loaded_us: int | None
    is_cut: bool
    """It was not finished when the time was over."""
    resources: tuple[Resource, ...]
    pictures: tuple[Picture, ...]
    advice: tuple[Moment, ...] = ()
