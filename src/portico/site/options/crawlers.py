"""The table [crawlers]."""

from __future__ import annotations

from typing import Annotated, ClassVar

from portico.site.options.section import Section, option

_POLICY = "`allow`, `refuse` (403, and Disallow in robots.txt), or a rate such as `1/second` for each network"


class Crawlers(Section, frozen=True):
    """Which crawlers are allowed, by the name in their User-Agent; see docs/crawlers.md."""

    shorthand: ClassVar[str] = "training"

    search: Annotated[
        str,
        option(f"Crawlers of search engines (Googlebot, bingbot): {_POLICY}.", example="allow"),
    ] = "allow"
    training: Annotated[
        str,
        option(f"Crawlers that collect data to train models (GPTBot, CCBot): {_POLICY}.", example="refuse"),
    ] = "allow"
    assistants: Annotated[
        str,
        option(
            f"Crawlers that fetch a page for a person who asks an assistant (ChatGPT-User): {_POLICY}.",
            example="10/minute",
        ),
    ] = "allow"
    others: Annotated[
        str,
        option(
            f"Other known crawlers, mostly of companies that sell what they collect: {_POLICY}.",
            example="refuse",
        ),
    ] = "allow"
    allow: Annotated[
        list[str],
        option(
            "Names of crawlers that are always allowed, whatever the rule of their kind.", example=["CCBot"]
        ),
    ] = []
    refuse: Annotated[
        list[str],
        option(
            "Names of crawlers that are refused: known ones, or any word of a User-Agent.",
            example=["Bytespider"],
        ),
    ] = []
    networks: Annotated[
        list[str],
        option(
            "The true networks of a crawler: its name, then networks or files of networks, one a line or the JSON "
            "that Google, Bing and others publish. A client that uses the name from elsewhere is refused.",
            example=["Googlebot googlebot.json", "bingbot bingbot.json 157.55.39.0/24"],
            is_read=True,
        ),
    ] = []
    dns: Annotated[
        str,
        option(
            "Verify the names of crawlers by DNS, without delaying requests: Googlebot's addresses have names in "
            "googlebot.com that resolve back to them. A client that only pretends is refused once that is known. "
            "`system` uses the name servers of /etc/resolv.conf, an address that server; empty: no verification. "
            "`networks` takes precedence.",
            example="system",
        ),
    ] = ""
    robots: Annotated[
        bool | None,
        option(
            "The gateway answers /robots.txt, written from this table. Default: on if the app is known to have none "
            "and this table refuses or limits something.",
            example=True,
        ),
    ] = None
    dry_run: Annotated[
        bool,
        option("Refuse no crawler; the log says which would be refused.", example=True),
    ] = False
