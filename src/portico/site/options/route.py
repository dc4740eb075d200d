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
            "The path, with everything below it: `/api/` is `/api` and `/api/...`, and not `/apis`. `/` without "
            "conditions is everything that no other rule takes: the site has no app then.",
            example="/api/",
        ),
    ] = "/"
    to: Annotated[
        str,
        option(
            "Where the requests go: the name of a site that the same gateway runs; a server (`http://10.0.0.2:8000`, "
            "`https://app-b`, `unix:/run/api.sock`, `uwsgi://10.0.0.2:3031`, `fastcgi://10.0.0.2:9000`); a folder "
            "(`./public/`); a redirect (`308 /new/`, `301 https://new.example`); a page (`410 gone.html`), or `404`.",
            example="api",
        ),
    ] = ""
    host: Annotated[
        list[str],
        option(
            "The request must ask for one of these names, which are among `domains`.",
            example=["api.shop.example"],
        ),
    ] = []
    method: Annotated[
        list[str],
        option("The request must have one of these methods. GET includes HEAD.", example=["GET"]),
    ] = []
    header: Annotated[
        dict[str, str],
        option(
            "Headers that the request must have, all of them, with exactly these values; `*` is any value. Any client "
            "can send any header.",
            example={"X-Version": "2"},
        ),
    ] = {}
    cookie: Annotated[
        dict[str, str],
        option(
            "Cookies that the request must have, all of them, with exactly these values; `*` is any value.",
            example={"beta": "1"},
        ),
    ] = {}
    share: Annotated[
        str,
        option(
            "The share of clients whose requests the rule takes, of those that meet its other conditions: a client's "
            "address decides, so that it stays where it is.",
            example="10%",
            source="https://nginx.org/en/docs/http/ngx_http_split_clients_module.html",
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
