"""Names, addresses, certificates and trusted proxies of a site."""

from __future__ import annotations

import re
from collections.abc import Sequence

from portico.explain.nginx.adopt.view import Redirect, View
from portico.explain.nginx.adopt.work import Work
from portico.explain.nginx.servers import Listen
from portico.explain.node import Node
from portico.site.proxies import KNOWN_PROXIES

_DOMAIN = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_EVERYBODY = ("0.0.0.0/0", "::/0")
_CLOUDFLARES_LEAST = 8
"""How many of Cloudflare's ranges a list has at least to be Cloudflare's, also an older one."""


def adopt_names(work: Work) -> None:
    """The domains."""
    node = work.view.node.first("server_name") or work.view.node
    for name in work.view.names:
        if name.startswith("."):
            work.option(("domains",), (name[1:], f"*{name}"), node)
        elif _DOMAIN.fullmatch(name) and name != "localhost":
            work.option(("domains",), (name,), node)
        elif name == "localhost":
            work.improved(node, "localhost is no domain: without domains Portico answers any Host")
        else:
            what = "is a pattern" if name.startswith("~") else "has a form that domains do not accept"
            work.lost(node, f"{name} {what}", "name each domain in domains, or *.shop.example for all of one")
    if work.view.names and not work.draft.options.get(("domains",)) and not work.draft.refused:
        work.built_in(node, "no name is a domain: Portico answers any Host")


def adopt_addresses(work: Work, others: Sequence[View]) -> None:
    """Where it listens; `others` are its servers beside the main one."""
    listens = [one for view in (work.view, *others) for one in view.listens]
    plain = [one for one in listens if not _is_tls(one, work.view)]
    secure = [one for one in listens if _is_tls(one, work.view)]
    has_domains = ("domains",) in work.draft.options
    if plain and (text := _address(plain[0])) and (text != ":80" or not has_domains):
        work.option(("listen",), text, plain[0].node or work.view.node)
    if secure and _address(secure[0]) != ":443":
        work.option(("https", "listen"), _address(secure[0]), secure[0].node or work.view.node)
    if secure and not plain:
        work.improved(
            secure[0].node or work.view.node, "Portico also listens for HTTP, and redirects to HTTPS (308)"
        )
        if not has_domains:
            work.option(("listen",), ":80", secure[0].node or work.view.node)
    for group in (plain, secure):
        for one in group[1:]:
            if one.node is not None and one.port != group[0].port:
                work.lost(
                    one.node, "a site has one address for HTTP and one for HTTPS", "make it a second site"
                )
    for view in (work.view, *others):
        _listen_words(work, view)


def _is_tls(listen: Listen, view: View) -> bool:
    return listen.is_tls or (listen.port == 443 and view.node.first("ssl_certificate") is not None)


def _address(listen: Listen) -> str:
    host = "" if listen.host in ("*", "[::]") else listen.host
    return f"{host}:{listen.port}"


def _listen_words(work: Work, view: View) -> None:
    for node in view.node.all("listen"):
        work.seen.add(node)
        if node.args and node.args[0].startswith("unix:"):
            work.lost(node, "clients cannot be served over a unix socket")
        if "proxy_protocol" in node.args:
            work.option(("behind_protocol",), "proxy", node)
        if "spdy" in node.args:
            work.improved(node, "SPDY is gone: HTTP/2 takes its place")
        if any(word in ("default_server", "default") for word in node.args) and view.names:
            work.improved(
                node,
                "requests for another Host than the domains are closed (444): no stranger's name reaches the app",
            )


def adopt_redirects(work: Work, found: Sequence[tuple[View, Redirect]]) -> None:
    """Servers that only redirect here: from HTTP, and from other names."""
    for view, to in found:
        aliases = [name for name in view.names if name not in work.view.names]
        canonical = to.host if to.host in work.view.names else ""
        if aliases and canonical and all(map(_DOMAIN.fullmatch, aliases)):
            node = view.node.first("server_name") or view.node
            work.option(
                ("canonical",), canonical, to.node, "the redirect is 308, which keeps method and body"
            )
            work.option(("domains",), tuple(aliases), node)
        else:
            if aliases and not to.host and all(map(_DOMAIN.fullmatch, aliases)):
                work.option(("domains",), tuple(aliases), view.node.first("server_name") or view.node)
            work.improved(
                to.node,
                f"Portico redirects HTTP to HTTPS by itself, with 308 instead of {to.status}: a POST stays one",
            )
        if not to.keeps_path:
            work.lost(to.node, "it leads every page to one address; Portico's redirect keeps the path")


def adopt_certificates(work: Work) -> None:
    """[https]: the certificate, and who must show one."""
    view = work.view
    pairs = view.inherited("ssl_certificate"), view.inherited("ssl_certificate_key")
    if pairs[0] and pairs[1] and view.is_tls:
        cert, key = pairs[0][0], pairs[1][0]
        for node in (*pairs[0][1:], *pairs[1][1:]):
            work.lost(node, "[https] has one certificate; the first one is used")
        work.option(("https", "cert"), cert.args[0], cert)
        work.option(("https", "key"), key.args[0], key)
    _client_certificates(work)
    for node in view.inherited("ssl_protocols"):
        old = [word for word in node.args if word in ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1")]
        if node.args == ("TLSv1.3",):
            work.option(("https", "profile"), "modern", node)
        elif old:
            work.improved(
                node,
                f"{', '.join(old)} {'are' if len(old) > 1 else 'is'} broken or withdrawn (RFC 8996): TLS 1.2 and 1.3",
            )
        else:
            work.built_in(node, "Mozilla's intermediate profile: TLS 1.2 and 1.3")


def _client_certificates(work: Work) -> None:
    ca, verify = work.view.first("ssl_client_certificate"), work.view.first("ssl_verify_client")
    if verify is None or verify.args[:1] == ("off",):
        return
    if ca is None or verify.args[:1] == ("optional_no_ca",):
        work.lost(
            verify, "client certificates need an authority that signs them", "name it in https.client_ca"
        )
        return
    work.option(("https", "client_ca"), ca.args[0], ca)
    if verify.args[:1] == ("optional",):
        work.option(("https", "client_verify"), "optional", verify)
    else:
        work.seen.add(verify)


def adopt_proxies(work: Work) -> None:
    """`behind`: the proxies that may name the client."""
    nodes = work.view.inherited("set_real_ip_from")
    ranges = [node.args[0] for node in nodes if node.args]
    for node in nodes:
        if node.args and node.args[0] in _EVERYBODY:
            work.improved(
                node,
                "every client could write its own address: left out",
            )
        elif node.args and node.args[0].startswith("unix:"):
            work.lost(node, "a proxy is named by its address")
    kept = [one for one in ranges if one not in _EVERYBODY and not one.startswith("unix:")]
    known = set(KNOWN_PROXIES["cloudflare"])
    cloudflares = [one for one in kept if one in known]
    if len(cloudflares) >= _CLOUDFLARES_LEAST:
        kept = ["cloudflare", *(one for one in kept if one not in known)]
    if kept and nodes:
        work.option(("behind",), tuple(kept), nodes[0])
        work.seen.update(nodes)
    for node in work.view.inherited("real_ip_header"):
        _real_ip_header(work, node, has_proxies=bool(kept))
    for node in work.view.inherited("real_ip_recursive"):
        work.built_in(node, "the last address that is none of the proxies counts")


def _real_ip_header(work: Work, node: Node, *, has_proxies: bool) -> None:
    name = node.args[0].lower() if node.args else ""
    if not has_proxies:
        work.improved(node, "no proxy is declared, so that no header names the client")
    elif name == "proxy_protocol":
        work.option(("behind_protocol",), "proxy", node)
    elif name == "x-forwarded-for" or (
        name == "cf-connecting-ip" and work.draft.options[("behind",)].value == ("cloudflare",)
    ):
        work.built_in(node, "Portico reads it from the proxies of behind")
    else:
        work.lost(node, "Portico reads the client from X-Forwarded-For", "make the proxy send that, too")
