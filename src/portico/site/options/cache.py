"""The table [cache]."""

from __future__ import annotations

from typing import Annotated, ClassVar

from portico.site.options.section import Section, option
from portico.values import Size


class Cache(Section, frozen=True):
    """The responses that the gateway caches: those that the app marks `public` or `s-maxage`, never any other."""

    shorthand: ClassVar[str] = "size"

    size: Annotated[
        Size,
        option(
            "Disk space for answers that the app marks `public` or `s-maxage`, or whose route has `cache`; `0B` "
            "disables the cache.",
            example="1GiB",
            source="https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_cache_path",
        ),
    ] = Size(256 << 20)
    item: Annotated[
        Size,
        option("The largest answer that the cache stores.", example="4MiB"),
    ] = Size(1 << 20)
