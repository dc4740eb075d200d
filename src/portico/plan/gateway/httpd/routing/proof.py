"""How the https servers of rules prove who they are.

httpd compares the certificate with the name that it sends as Host. So such a server is told its own name there, and the
client's in X-Forwarded-Host; with the client's in Host, a client would choose which certificate is right.
"""

from __future__ import annotations

from collections.abc import Iterator

from portico.errors import Problem
from portico.plan.gateway.httpd.syntax import Directive, directive, regex
from portico.plan.web.model import Web
from portico.plan.web.routing.model import Route

_SSL = "https://httpd.apache.org/docs/2.4/mod/mod_ssl.html"


def is_https_route(one: Route) -> bool:
    """Whether the target of a rule speaks HTTPS."""
    return one.passage is not None and one.passage.upstream.protocol == "https"


def proof_modules(web: Web) -> list[str]:
    """The module of TLS, if a rule needs it."""
    return ["ssl"] if _routes(web) else []


def proofs(web: Web) -> list[Directive]:
    """In a virtual host: who may sign for the servers of its rules, and what is compared."""
    for one in _routes(web):
        assert one.passage is not None
        proof = one.passage.upstream.proof
        cause = proof.ca_cause
        why = "a server that cannot prove its name gets nothing to read"
        return [
            directive("SSLProxyEngine", "On", why="TLS to the https servers of rules", cause=one.rule.cause),
            directive("SSLProxyProtocol", "-all", "+TLSv1.2", "+TLSv1.3", why="what is older is broken", cause=cause),
            directive("SSLProxyVerify", "require", why=why, cause=cause),
            directive("SSLProxyVerifyDepth", 3, why="room for certificates between theirs and the root", cause=cause),
            directive("SSLProxyCACertificateFile", proof.ca, why="who may sign for them", cause=cause),
            directive("SSLProxyCheckPeerName", "On", why=why, cause=cause),
            directive("SSLProxyCheckPeerExpire", "On", why=why, cause=cause),
        ]  # fmt: skip
    return []


def own_host(one: Route) -> list[Directive]:
    """In the section of a rule: the name that its server must prove, which is its Host."""
    if not is_https_route(one):
        return []
    why = "its own name: httpd compares the certificate with this and says it in the handshake"
    return [
        directive(
            "ProxyPreserveHost", "Off", why=why, cause=one.rule.cause, source=f"{_SSL}#sslproxycheckpeername"
        )
    ]


def own_redirects(one: Route) -> list[Directive]:
    """In the section of a rule, behind all other changes of Location: what the server says of its own name."""
    if one.passage is None or not is_https_route(one):
        return []
    (server,) = one.passage.upstream.targets
    name, _, port = server.address.rpartition(":")
    said = f"{regex(name)}{'(?::443)?' if port == '443' else f':{port}'}"
    back = f"{one.prefix}/".replace("\\", r"\\").replace("$", r"\$")
    why = "the server is told its own name, so it may name it in redirects: they stay on this host"
    pattern = rf"(?i)^https?://{said}(?:[/\\\s]+|$)"  # all slashes: // would lead to another host
    return [directive("Header", "edit", "Location", pattern, back, why=why, cause=one.rule.cause)]


def impossible(web: Web) -> Iterator[Problem]:
    """What could end an httpd that several sites share."""
    if not _routes(web) or not web.hosts.is_beside_others or not web.site.options.upstream.ca:
        return
    what = "httpd reads this file at each reload of some site, and a wrong one would end it for all of them"
    hint = (
        'run this site by itself, leave it out (the system\'s list counts), or use nginx (gateway = "nginx")'
    )
    yield Problem(web.site.cause("upstream.ca"), what, hint)


def notes(web: Web) -> list[str]:
    """What such a server sees."""
    return [
        f'to = "{one.rule.word}": httpd compares the certificate with Host, so this server is told its own name there '
        "and the client's in X-Forwarded-Host"
        for one in _routes(web)
    ]


def _routes(web: Web) -> list[Route]:
    return [one for one in web.routing.passed if is_https_route(one)]
