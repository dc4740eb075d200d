"""The table [guard]."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from portico.site.options.section import Section, option
from portico.values import Duration


class Guard(Section, frozen=True):
    """Requests that the gateway refuses for their content before it asks the app; see docs/guard.md and docs/waf.md."""

    shorthand: ClassVar[str] = "waf"

    waf: Annotated[
        Literal["off", "detect", "block"],
        option(
            "Web application firewall: ModSecurity compares requests to the app with the OWASP Core Rule Set. "
            "`detect` only reports what it would refuse (portico waf), `block` answers 403. Needs an nginx with "
            "ModSecurity.",
            example="detect",
            source="https://coreruleset.org/docs/",
        ),
    ] = "off"
    waf_except: Annotated[
        list[str],
        option(
            "Exceptions of the firewall: a path, with * for a prefix, and the numbers of the rules that are off "
            "there; a path alone is not inspected. The longest match applies.",
            example=["/editor 941100 941160", "/api/* 942000-942999", "/hooks/*"],
        ),
    ] = []
    challenge: Annotated[
        Literal["off", "pressure", "always"],
        option(
            "A browser that asks for a costly route (`costly` in [routes], `@edge.costly`) solves a small puzzle by "
            "itself, once, in a moment, and has a pass for half a day; the gateway answers 429 to whoever has none. "
            "`pressure`: only while more requests come than the app answers. See docs/challenge.md.",
            example="pressure",
        ),
    ] = "off"
    challenge_dry_run: Annotated[
        bool,
        option(
            "No client is asked for a pass: the log line says which would be (`challenge, dry run`).",
            example=True,
        ),
    ] = False
    routes: Annotated[
        bool,
        option(
            "The gateway refuses a path or method that no rule of the app matches, with 404 or 405.",
            example=True,
        ),
    ] = False
    others: Annotated[
        list[str] | None,
        option(
            "Rules for what the app answers without a route: in hooks, middleware, an app beside it. If set, the "
            "list must be complete: Portico relies on it that this code answers nothing else.",
            example=["/old/<path:rest>"],
        ),
    ] = None
    scanners: Annotated[
        bool,
        option(
            "The gateway answers 404 for paths that scanners try on every site (/.env, /wp-login.php), if no rule of "
            "the app matches them and all of its rules are known.",
            example=False,
        ),
    ] = True
    ban: Annotated[
        Duration | None,
        option(
            "A client that tries `ban_after` paths of scanners in a minute is refused everything (403) for so long; "
            "each further time within a day twice as long, up to a day. An IPv6 client is its network of 64 bits. Off "
            "by default: behind one address there may be many people. Needs `scanners`.",
            example="10m",
        ),
    ] = None
    ban_after: Annotated[
        int,
        option(
            "How many paths of scanners a client may try in a minute before it is banned.",
            example=10,
        ),
    ] = 20
    ban_dry_run: Annotated[
        bool,
        option(
            "Ban no client; `portico limits` and the log show which would be banned, and what would be refused.",
            example=True,
        ),
    ] = False
