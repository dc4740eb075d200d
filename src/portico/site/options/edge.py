"""The tables of [routes]."""

from __future__ import annotations

from typing import Annotated

from portico.site.options.access import Access
from portico.site.options.section import option
from portico.values import Duration, Size


class Edge(Access, frozen=True):
    """Settings of nginx for one route. They can stand beside the view, too: `from portico import edge`."""

    timeout: Annotated[
        Duration | None,
        option("How long the app may be silent in a request, in place of `request_timeout`.", example="5m"),
    ] = None
    max_upload: Annotated[
        Size | None,
        option("Largest request body, in place of the site's `max_upload`.", example="2GiB"),
    ] = None
    stream: Annotated[
        bool,
        option(
            "What the app yields goes to the client at once, without being collected by nginx, and it may be silent "
            "for an hour. Server-sent events need no such word: they are seen by their type.",
            example=True,
        ),
    ] = False
    upload_to_file: Annotated[
        bool,
        option(
            "The app is given the file that nginx wrote the request body to, instead of the body: open as "
            "`wsgi.input`, its path in the environ as `portico.upload`. It is removed after the request.",
            example=True,
        ),
    ] = False
    private: Annotated[
        bool,
        option("No cache keeps the answer: not nginx's, not a browser's, none in between.", example=True),
    ] = False
    cache: Annotated[
        Duration | None,
        option(
            "nginx keeps the answer so long, unless the app says another time, or that it must not be kept (`private`, "
            "`no-store`, a cookie that is set). When many ask at once, only one request reaches the app.",
            example="60s",
        ),
    ] = None
    vary: Annotated[
        list[str],
        option(
            "With `cache`: what the answer depends on beside the URL: request headers, or cookies as `cookie:NAME`.",
            example=["Accept-Language", "cookie:theme"],
        ),
    ] = []
    headers: Annotated[
        dict[str, str],
        option(
            'Headers of this route\'s answers, over those of [headers]; `""` leaves one out.',
            example={"X-Frame-Options": "DENY"},
        ),
    ] = {}
    limit: Annotated[
        list[str],
        option(
            "What one client may ask of this route, beside the limits of the site: `5/minute`, `2 in progress`, "
            "`100/hour per session`, `5/minute of POST`; several hold together. `off`: the site's do not hold here. "
            "See docs/limits.md.",
            example=["5/minute of POST"],
        ),
    ] = []
    bandwidth: Annotated[
        str,
        option(
            "How fast each answer of this route is sent, in place of `limits.bandwidth`.",
            example="256KiB/second",
        ),
    ] = ""
