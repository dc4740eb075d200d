"""The table [guard]."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from portico.site.options.section import Section, option


class Guard(Section, frozen=True):
    """Requests that nginx refuses for their content before the app is asked; see docs/guard.md and docs/waf.md."""

    shorthand: ClassVar[str] = "waf"

    waf: Annotated[
        Literal["off", "detect", "block"],
        option(
            "Web application firewall: ModSecurity compares requests to the app with the OWASP Core Rule Set. `detect` "
            "only reports what it would refuse (portico waf), `block` answers 403. Needs an nginx with ModSecurity.",
            example="detect",
            source="https://coreruleset.org/docs/",
        ),
    ] = "off"
    waf_except: Annotated[
        list[str],
        option(
            "Paths where rules of the firewall do not count: a path, with * for all that begin so, and the numbers of "
            "rules; a path alone is not inspected. Of several that fit the longest holds.",
            example=["/editor 941100 941160", "/api/* 942000-942999", "/hooks/*"],
        ),
    ] = []
    routes: Annotated[
        bool,
        option(
            "A path or method that no rule of the app takes ends in nginx, with 404 or 405.",
            example=True,
        ),
    ] = False
    others: Annotated[
        list[str] | None,
        option(
            "Rules for what the app answers without a route: in hooks, middleware, an app beside it. Said at "
            "all, it is the whole list: Portico takes your word that this code answers nothing else.",
            example=["/old/<path:rest>"],
        ),
    ] = None
    scanners: Annotated[
        bool,
        option(
            "Paths that scanners try on every site (/.env, /wp-login.php) end in nginx with 404, where no rule "
            "of the app takes them and all of its rules are known.",
            example=False,
        ),
    ] = True
