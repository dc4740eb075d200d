"""The Host and the URL prefix that the app sees, and the ports of redirects."""

from __future__ import annotations

from portico.plan.gateway.httpd.entry.trust import empty, setting
from portico.plan.gateway.httpd.names import BEFORE, BEHIND, HERE, PREFIX, SCHEME
from portico.plan.gateway.httpd.syntax import Directive, directive, regex
from portico.plan.web.entry.host_header import Unnamed
from portico.plan.web.model import Web

HOST = "PORTICO_HOST"
_NAME = r"(?:(?:[a-z0-9_-]+\.)*[a-z0-9_-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?"
"""With brackets: an IPv6 address."""
_ASKED = r"(?:[a-z0-9_-]+\.)*[a-z0-9_-]+\.?(?::[0-9]{1,5})?"
_SEGMENT = r"/(?!\.\.?(?:/|$))[A-Za-z0-9._~@:+-]+"
"""Of a prefix: neither empty nor dots."""
_PORT = "PORTICO_PORT"
_ODD = "evil.example#.shop.example ends like a name of this site, and frameworks take it for evil.example"


def host_settings(web: Web) -> list[Directive]:
    """In a virtual host: the variables of the host and the prefix for the app."""
    made = [
        setting(
            "tolower(req_novary('Host')) =~ /^(.*?)[.]?((?::[0-9]+)?)$/",
            f"{HOST}=$1$2",
            "the host that the client asked for, in lower case and without a dot at its end: apps compare names",
            web.hosts.cause,
        )
    ]
    if web.host.from_proxy:
        named = "|".join(map(_named, web.hosts.declared)) or _NAME
        said = f"req_novary('X-Forwarded-Host') =~ m#^((?:{named})(?::[0-9]{{1,5}})?)$#i"
        why = "a declared proxy may say which host the client asked for, if it is one of this site's"
        made.append(setting(f"reqenv('{BEHIND}') == '1' && {said}", f"{HOST}=$1", why, web.host.cause))
    made += _here(web)
    why = "the URL prefix that the app lives under"
    if web.prefix:
        made.append(setting("true", f"{PREFIX}={web.prefix}", why, web.host.prefix_cause))
    else:
        made.append(empty(PREFIX, why, web.host.prefix_cause))
    if web.host.prefix_from_proxy:
        said = f"req_novary('X-Forwarded-Prefix') =~ m#^((?:{_SEGMENT})+)$#"
        why = "a declared proxy may say which prefix it took off the path"
        condition = f"reqenv('{BEHIND}') == '1' && {said}"
        made += [
            setting(condition, f"{PREFIX}=$1{web.prefix}", why, web.host.prefix_cause),
            setting(condition, f"{BEFORE}=$1", why, web.host.prefix_cause),
        ]
    return made


def _here(web: Web) -> list[Directive]:
    why = "what redirects to a path begin with: httpd does not know a scheme that only a proxy knows"
    both = f"'%{{reqenv:{SCHEME}}}://%{{reqenv:{HOST}}}' =~ m#^(.+://.+)$#"
    return [
        empty(HERE, "a client that names no host gets the path", web.hosts.cause),
        setting(both, f"{HERE}=$1", why, web.hosts.cause),
    ]


def refuse_odd_hosts(web: Web) -> list[Directive]:
    """In a virtual host: refuses invalid names, which a domain with `*` would accept."""
    if not web.host.refuses_odd:
        return []
    cause = web.hosts.cause
    return [
        directive("RewriteCond", "%{HTTP_HOST}", f"!^{_ASKED}$", "[NC]", why=_ODD, cause=cause),
        directive("RewriteRule", "^", "-", "[R=421,L]", why="as any Host that is not declared", cause=cause),
    ]


def https_port(web: Web) -> tuple[list[Directive], str]:
    """For redirects from plain HTTP: the settings before them, and the port or nothing."""
    if not web.host.https_port:
        return [], ""
    own, why = f":{web.host.https_port}", "the port of HTTPS"
    made = [setting("true", f"{_PORT}={own}", why, web.listeners.tls_cause)]
    if web.host.unnamed is not Unnamed.NONE:
        unnamed = "req_novary('Host') !~ /:[0-9]+$/"
        if web.host.unnamed is Unnamed.PROXIED:
            unnamed = f"reqenv('{BEHIND}') == '1' && {unnamed}"
        why = "a client that came by a port mapping at 80 is sent to 443 there"
        made.append(setting(f"{unnamed} && '' =~ /^()/", f"{_PORT}=$1", why, web.listeners.tls_cause))
    return made, f"%{{ENV:{_PORT}}}"


def same_port(web: Web) -> tuple[list[Directive], str]:
    """For redirects to another name: the port that the client named."""
    why = "the port that the client named"
    return [
        empty(_PORT, "none was named", web.hosts.cause),
        setting("req_novary('Host') =~ /(:[0-9]+)$/", f"{_PORT}=$1", why, web.hosts.cause),
    ], f"%{{ENV:{_PORT}}}"


def _named(name: str) -> str:
    return rf"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*{regex(name[1:])}" if name.startswith("*.") else regex(name)
