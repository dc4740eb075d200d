"""The files of one site for an httpd that several share: its virtual hosts, with everything that holds for it alone.

A virtual host has names of its own for log formats and balancers, and reads folders that no other site's may read. So
nothing of one site meets what another has.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from portico.errors import Problem
from portico.plan.files import File
from portico.plan.gateway.httpd.app.upstream import balancers
from portico.plan.gateway.httpd.entry.proxy_line import first_line_exceptions
from portico.plan.gateway.httpd.entry.trust import real_ip
from portico.plan.gateway.httpd.log import error_log, log_formats
from portico.plan.gateway.httpd.own import in_main
from portico.plan.gateway.httpd.routing.elsewhere import rule_balancers
from portico.plan.gateway.httpd.server import granted, servers
from portico.plan.gateway.httpd.syntax import Directive, render
from portico.plan.paths import FRAGMENT
from portico.plan.web.model import Web

SHARED = Problem(
    "[apache] main",
    "[apache] main: what may stand in the server configuration only holds for every site of the gateway",
    "use [apache] server if the directive is allowed there",
)
"""A note: those lines are placed there as they were written."""
_REPEATED = frozenset({
    "addcharset", "addencoding", "addoutputfilter", "addoutputfilterbytype", "addtype", "browsermatch", "customlog",
    "define", "header", "include", "includeoptional", "listen", "loadmodule", "logformat", "passenv", "proxymatch",
    "requestheader", "rewritecond", "rewritemap", "rewriterule", "secaction", "secrule", "setenv", "setenvif",
    "setenvifexpr", "setenvifnocase", "sslopensslconfcmd", "unsetenv",
})  # fmt: skip
"""Directives that add to what is there."""
_PASSES = "ProxyPassMatch"
"""A virtual host with this one asks balancers."""


def fragment_file(web: Web) -> File:
    """The fragment as a file of httpd."""
    return File(FRAGMENT, tuple(render(fragment(web))), mode=0o600)


def fragment(web: Web) -> list[Directive]:
    """The site's virtual hosts, and the user's lines before them."""
    for_all = [
        *error_log(web.place, is_waiting=web.is_waiting, inspects=web.waf is not None),
        *log_formats(web.log, has_tls=web.tls is not None),
        *([] if web.listeners.has_proxy_protocol else real_ip(web)),
        *granted(web),
    ]
    asked = [*([] if web.upstream.is_nobody else balancers(web)), *rule_balancers(web)]
    return [*in_main(web), *(_with(one, for_all, asked) for one in servers(web))]


def once(web: Web) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The directives that httpd takes once for all sites, with the words that this one needs."""
    if not web.listeners.has_proxy_protocol:
        return ()
    return tuple((one.name, one.args) for one in first_line_exceptions(web))


def set_for_all(web: Web) -> tuple[str, ...]:
    """What the user's lines in the server configuration set for every site, where only one site may set it."""
    names = (one.name for one in web.own.above if one.is_simple)
    return tuple(dict.fromkeys(name for name in names if name.lower() not in _REPEATED))


def shared_lines(web: Web) -> list[str]:
    """A note if some of the user's lines apply to every site of the gateway."""
    return [SHARED.what] if web.hosts.is_beside_others and web.own.above else []


def _with(host: Directive, for_all: Sequence[Directive], asked: Sequence[Directive]) -> Directive:
    """The virtual host, with what stands in the server configuration of a site alone."""
    block = host.block or ()
    names = tuple(one for one in block if one.name in ("ServerName", "ServerAlias"))
    of = asked if any(one.name == _PASSES for one in block) else ()
    return replace(host, block=(*names, *for_all, *of, *block[len(names) :]))
