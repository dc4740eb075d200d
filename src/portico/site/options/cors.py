"""The table [cors]."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from portico.site.options.section import Section, option
from portico.values import Duration


class Cors(Section, frozen=True):
    """Which other sites may read this site's responses in a browser (CORS), unless the app sets the headers itself."""

    shorthand: ClassVar[str] = "origins"

    origins: Annotated[
        list[str],
        option(
            "Origins whose pages may read the answers: `https://app.example`, `https://*.shop.example`, or `*` for "
            "all. The gateway answers their preflights.",
            example=["https://app.example"],
            source="https://fetch.spec.whatwg.org/#http-cors-protocol",
        ),
    ] = []
    methods: Annotated[
        list[str],
        option("Methods that those pages may use.", example=["GET", "POST"]),
    ] = msgspec.field(default_factory=lambda: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
    headers: Annotated[
        list[str],
        option("Request headers that they may send; `*` is any.", example=["Authorization", "Content-Type"]),
    ] = msgspec.field(default_factory=lambda: ["*"])
    expose: Annotated[
        list[str],
        option(
            "Response headers that they may read, beside the ones that are always readable.",
            example=["ETag", "X-Request-ID"],
            source="https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name",
        ),
    ] = msgspec.field(default_factory=lambda: ["X-Request-ID", "Retry-After"])
    credentials: Annotated[
        bool,
        option("Their requests may carry this site's cookies and Authorization.", example=True),
    ] = False
    max_age: Annotated[
        Duration,
        option("How long a browser may cache the answer to a preflight.", example="10m"),
    ] = Duration(7200)
