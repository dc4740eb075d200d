"""The table [apache]."""

from __future__ import annotations

from typing import Annotated, ClassVar

from portico.site.options.section import Section, option


class Apache(Section, frozen=True):
    """Which Apache httpd, and directives of your own, with `gateway = "apache"`."""

    shorthand: ClassVar[str] = "binary"

    binary: Annotated[
        str,
        option(
            "`auto` or `system` (the first apache2 or httpd on PATH or in the sbin directories), or the path of a "
            "binary.",
            example="/usr/local/apache2/bin/httpd",
            source="https://httpd.apache.org/docs/2.4/programs/httpd.html",
            reach="root runs that program",
        ),
    ] = "auto"
    main: Annotated[
        list[str],
        option(
            "Directives for the end of the server configuration, before the virtual hosts, marked as yours; an entry "
            "that ends in .conf is a file.",
            example=["LimitRequestFields 50"],
            reach="httpd, which root starts, reads and writes the files that directives name",
        ),
    ] = []
    server: Annotated[
        list[str],
        option(
            "Directives for the end of the site's virtual host, marked as yours; an entry that ends in .conf is a "
            "file.",
            example=['<Location "/old">\nRedirect 307 "/new"\n</Location>'],
            reach="httpd, which root starts, reads and writes the files that directives name",
        ),
    ] = []
