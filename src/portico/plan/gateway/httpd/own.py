"""The user's own directives: at the end of their block, where they come after Portico's and win over them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from portico.errors import Problem
from portico.plan.gateway.httpd.syntax import Directive, verbatim
from portico.plan.web.model import Web
from portico.site.own.model import Own
from portico.values import Duration, Size


def in_main(web: Web) -> list[Directive]:
    """Those for the whole configuration."""
    return _lines(web.own.above, web.own.above_cause)


def in_server(web: Web) -> list[Directive]:
    """Those for the site's virtual host."""
    return _lines(web.own.server, web.own.server_cause)


def _lines(owns: Iterable[Own], key: str) -> list[Directive]:
    return [verbatim(one.text, one.causes or (key,)) for one in owns]


_UNTESTED = re.compile(
    r"^\s*(SSL(?!Require\b|RequireSSL\b|Options\b|VerifyClient\b)\w+)|^\s*\w*Log\s+[\"']?(\|)|\b(prg:)",
    re.IGNORECASE | re.MULTILINE,
)
"""What `httpd -t` does not try, and httpd ends over when it reads its files: TLS, programs that it starts."""


def untested(web: Web) -> Iterator[Problem]:
    """Lines that may end a shared httpd for all sites."""
    for one in web.own.all if web.hosts.is_beside_others else ():
        if found := _UNTESTED.search(one.text):
            said = next(filter(None, found.groups()))
            what = (
                f"{said} beside other sites: httpd -t does not test it, and httpd would end for all of them"
            )
            hint = "leave it out, or run this site by itself"
            yield Problem(one.causes[0] if one.causes else web.own.server_cause, what, hint)


_LATE = "answers nothing: the app is asked before"
_RISKY = {
    "require": "may let clients in that Portico refuses: only folders of files ask it",
    "proxypass": "is asked before Portico's own, so paths may reach another server than the app",
    "rewriterule": "comes after Portico's rules; those end the search where they match",
    **dict.fromkeys(
        ("redirect", "redirectmatch"), f"{_LATE}; put it, without its path, into a <Location> of that path"
    ),
    **dict.fromkeys(("alias", "aliasmatch"), f"{_LATE}; [static] serves a folder"),
    "sethandler": "may answer paths of the app",
    "allowoverride": "lets files in served folders change the configuration",
    "indexes": "lists files",
}


def own_risks(web: Web) -> list[Problem]:
    """What the user's own lines may take away from Portico's."""
    return [
        Problem(one.causes[0] if one.causes else "", f"{one.name} {_RISKY[one.name.lower()]}")
        for one in web.own.all
        if one.name.lower() in _RISKY
    ]


def own_limits(owns: Iterable[Own], timeout: Duration, most: Size) -> list[Problem]:
    """Those of the user's own lines that end or refuse a request before `request_timeout` and `max_upload` do."""
    found = list[Problem]()
    for one in owns:
        where, name = (one.causes[0] if one.causes else ""), one.name.lower()
        number = int(one.args[0]) if one.args and one.args[0].isdigit() else None
        if number is None:
            continue
        if name in ("timeout", "proxytimeout") and number < timeout:
            found.append(
                Problem(where, f"{one.name} {number} ends a request before request_timeout ({timeout})")
            )
        if name == "limitrequestbody" and number and number < most:
            found.append(Problem(where, f"{one.name} {number} refuses an upload below max_upload ({most})"))
    return found
