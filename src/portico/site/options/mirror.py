"""The table [mirror]."""

from __future__ import annotations

from typing import Annotated, ClassVar

from portico.site.options.section import Section, option


class Mirror(Section, frozen=True):
    """Copies of GET and HEAD requests to the app, for another release or server; their answers are dropped."""

    shorthand: ClassVar[str] = "to"

    to: Annotated[
        str,
        option(
            "Where copies of the requests to the app go: a server (`http://10.0.0.2:8000`, `https://next`, "
            "`unix:/run/next.sock`), or a site of the same gateway that names this one in `routed_by`.",
            example="http://10.0.0.2:8000",
            source="https://nginx.org/en/docs/http/ngx_http_mirror_module.html",
        ),
    ] = ""
    share: Annotated[
        str,
        option("The share of requests that are copied, drawn anew for each.", example="5%"),
    ] = "100%"
