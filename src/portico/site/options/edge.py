"""The tables of [routes]."""

from __future__ import annotations

from typing import Annotated

from portico.site.options.access import Access
from portico.site.options.section import option
from portico.values import Duration, Size


class Edge(Access, frozen=True):
    """Settings of the gateway for one route. They can stand beside the view, too: `from portico import edge`."""

    timeout: Annotated[
        Duration | None,
        option("How long the app may be silent during a request; replaces `request_timeout`.", example="5m"),
    ] = None
    max_upload: Annotated[
        Size | None,
        option("Largest request body; replaces the site's `max_upload`.", example="2GiB"),
    ] = None
    stream: Annotated[
        bool,
        option(
            "The gateway does not buffer the answer: what the app yields goes to the client at once. The app may be "
            "silent for an hour. Server-sent events do not need it: their content type is enough.",
            example=True,
        ),
    ] = False
    upload_to_file: Annotated[
        bool,
        option(
            "The app gets the file to which the gateway wrote the request body, instead of the body: open as "
            "`wsgi.input`, its path in the environ as `portico.upload`; of an ASGI app as the messages of the body, "
            'and in `scope["extensions"]["portico.upload"]["path"]`. It is removed after the request.',
            example=True,
        ),
    ] = False
    private: Annotated[
        bool,
        option(
            "No cache stores the answer: not the gateway's, not a browser's, none in between.", example=True
        ),
    ] = False
    cache: Annotated[
        Duration | None,
        option(
            "The gateway caches the answer for this time, unless the app sets another, or forbids it (`private`, "
            "`no-store`, `Set-Cookie`). When many clients ask at once, only one request reaches the app.",
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
            'Headers of this route\'s answers, in addition to [headers]; `""` removes one.',
            example={"X-Frame-Options": "DENY"},
        ),
    ] = {}
    limit: Annotated[
        list[str],
        option(
            "Limits for each client on this route, in addition to the site's: `5/minute`, `2 in progress`, "
            "`100/hour per session`, `5/minute of POST`; all of them apply. `off`: the site's limits do not apply "
            "here. See docs/limits.md.",
            example=["5/minute of POST"],
        ),
    ] = []
    bandwidth: Annotated[
        str,
        option(
            "Bandwidth of each answer of this route; replaces `limits.bandwidth`.",
            example="256KiB/second",
        ),
    ] = ""
    costly: Annotated[
        bool,
        option(
            "The app's answer costs so much that `guard.challenge` asks for a pass here.",
            example=True,
        ),
    ] = False
