"""The tables [[route]]."""

from __future__ import annotations

from typing import Annotated

from portico.site.options.section import Section, option


class Route(Section, frozen=True):
    """A rule that sends requests elsewhere than to this site's app: to another site of the gateway, a server, a folder,
    a redirect or a page.

    Of all rules that a request meets, the one with the longest path wins, then the one with more conditions, then the
    first. Rules come before everything else that the site has at their paths.
    """

    path: Annotated[
        str,
        option(
            "The path, with everything below it: `/api/` is `/api` and `/api/...`, and not `/apis`.",
            example="/api/",
        ),
    ] = "/"
    to: Annotated[
        str,
        option(
            "Where the requests go: the name of a site that the same gateway runs; a server (`http://10.0.0.2:8000`, "
            "`https://app-b`, `unix:/run/api.sock`, `uwsgi://10.0.0.2:3031`); a folder (`./public/`); a redirect "
            "(`308 /new/`, `301 https://new.example`); a page (`410 gone.html`).",
            example="api",
        ),
    ] = ""
    strip: Annotated[
        bool,
        option(
            "Whether the target gets the path without the rule's: `/api/users` as `/users`. Its redirects and cookies "
            "get the rule's path back. Without it, a site has the same path as its `mount`.",
            example=True,
        ),
    ] = False
