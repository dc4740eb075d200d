"""The table [nginx]."""

from __future__ import annotations

from typing import Annotated, ClassVar

from portico.site.options.section import Section, option


class Nginx(Section, frozen=True):
    """Which nginx, and directives of your own."""

    shorthand: ClassVar[str] = "binary"

    binary: Annotated[
        str,
        option(
            "`auto` (the installed nginx or the one that comes with Portico: whichever has fewer known faults that "
            "this site would use), `embedded` (comes with Portico), `system` (the first nginx on PATH or in the sbin "
            "directories), or the path of a binary.",
            example="system",
            source="https://nginx.org/en/security_advisories.html",
            reach="root runs that program",
        ),
    ] = "auto"
    http: Annotated[
        list[str],
        option(
            "Directives for the end of the `http` block, marked as yours; an entry that ends in .conf is a file.",
            example=["proxy_headers_hash_bucket_size 128;"],
            reach="nginx's master, which is root, reads and writes the files that directives name",
        ),
    ] = []
    server: Annotated[
        list[str],
        option(
            "Directives for the end of the site's `server` block, marked as yours; "
            "an entry that ends in .conf is a file.",
            example=["location = /ping { return 204; }"],
            reach="nginx's master, which is root, reads and writes the files that directives name",
        ),
    ] = []
