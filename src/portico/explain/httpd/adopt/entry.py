"""Names, addresses, certificates and trusted proxies of a site."""

from __future__ import annotations

import re
from collections.abc import Sequence

from portico.explain.httpd.adopt.view import Redirect, View
from portico.explain.httpd.adopt.work import Work
from portico.explain.httpd.blocks import every, last
from portico.explain.httpd.servers import Address
from portico.explain.node import Node

_DOMAIN = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_OLD = ("sslv2", "sslv3", "tlsv1", "tlsv1.1")


def adopt_names(work: Work) -> None:
    """The domains."""
    node = last(work.view.node, "ServerName", "ServerAlias") or work.view.mark
    for line in every(work.view.node, "ServerName", "ServerAlias"):
        for name in line.args:
            bare = re.sub(r":\d+\Z", "", name.rpartition("://")[2]).lower()
            if bare == "localhost":
                work.improved(line, "localhost is no domain: without domains Portico answers any Host")
            elif _DOMAIN.fullmatch(bare):
                work.option(("domains",), (bare,), line)
            else:
                hint = "name each domain in domains, or *.shop.example for all of one"
                work.lost(line, f"{name} has a form that domains do not accept", hint)
    if not work.view.names:
        work.built_in(node, "it has no name: Portico answers any Host")


def adopt_addresses(work: Work, others: Sequence[View]) -> None:
    """Where it listens; `others` are its virtual hosts beside the main one."""
    pairs = [(view, one) for view in (work.view, *others) for one in view.addresses]
    plain = [one for view, one in pairs if not view.is_tls]
    secure = [one for view, one in pairs if view.is_tls]
    node, has_domains = work.view.mark, ("domains",) in work.draft.options
    if plain and (text := _text(plain[0])) and (text != ":80" or not has_domains):
        work.option(("listen",), text, node)
    if secure and _text(secure[0]) != ":443":
        work.option(("https", "listen"), _text(secure[0]), node)
    if secure and not plain:
        work.improved(node, "Portico also listens for HTTP, and redirects to HTTPS (308)")
        if not has_domains:
            work.option(("listen",), ":80", node)
    for group in (plain, secure):
        if any(one.port != group[0].port for one in group[1:]):
            why = "a site has one address for HTTP and one for HTTPS"
            work.lost(node, why, "make it a second site")


def _text(address: Address) -> str:
    return f"{'' if address.host == '*' else address.host}:{address.port}"


def adopt_redirects(work: Work, found: Sequence[tuple[View, Redirect]]) -> None:
    """Virtual hosts that only redirect here: from HTTP, and from other names."""
    for view, to in found:
        aliases = [name for name in view.names if name not in work.view.names]
        node = last(view.node, "ServerName") or view.mark
        if aliases and to.host in work.view.names and all(map(_DOMAIN.fullmatch, aliases)):
            work.option(("canonical",), to.host, to.node, "the redirect is 308, which keeps method and body")
            work.option(("domains",), tuple(aliases), node)
        else:
            if aliases and not to.host and all(map(_DOMAIN.fullmatch, aliases)):
                work.option(("domains",), tuple(aliases), node)
            why = f"Portico redirects HTTP to HTTPS by itself, with 308 instead of {to.status}: a POST stays one"
            work.improved(to.node, why)
        if not to.keeps_path:
            work.lost(to.node, "it leads every page to one address; Portico's redirect keeps the path")
        if challenge := next(
            (one for one in every(view.node, "Alias") if "acme" in " ".join(one.args)), None
        ):
            work.built_in(challenge, "with email, Portico orders certificates itself")


def adopt_certificates(work: Work) -> None:
    """[https]: the certificate, and who must show one."""
    view = work.view
    certs, keys = (every(view.node, f"SSLCertificate{kind}File") for kind in ("", "Key"))
    cert = certs[0] if certs else view.setting("SSLCertificateFile")
    key = keys[0] if keys else view.setting("SSLCertificateKeyFile")
    if view.is_tls and cert and cert.args:
        work.option(("https", "cert"), cert.args[0], cert)
        own = key if key and key.args else cert
        work.option(("https", "key"), own.args[0], own)
    for node in (*certs[1:], *keys[1:]):
        work.lost(node, "[https] has one certificate; the first one is used")
    if view.is_tls and (chain := view.setting("SSLCertificateChainFile")):
        why = "https.cert has the certificate and its chain in one file"
        work.lost(chain, why, "name the full chain there: certbot's fullchain.pem")
    _client_certificates(work)
    if view.is_tls and (protocol := view.setting("SSLProtocol")):
        _protocol(work, protocol)


def _protocol(work: Work, node: Node) -> None:
    allowed = [word.lstrip("+").lower() for word in node.args if not word.startswith("-")]
    refused = [word.lstrip("-").lower() for word in node.args if word.startswith("-")]
    if allowed == ["tlsv1.3"]:
        work.option(("https", "profile"), "modern", node)
    elif [one for one in _OLD if one in allowed] or (
        "all" in allowed and not {"tlsv1", "tlsv1.1"} <= set(refused)
    ):
        work.improved(node, "versions before TLS 1.2 are broken or withdrawn (RFC 8996): TLS 1.2 and 1.3")
    else:
        work.built_in(node, "Mozilla's intermediate profile: TLS 1.2 and 1.3")


def _client_certificates(work: Work) -> None:
    ca, verify = work.view.setting("SSLCACertificateFile"), work.view.setting("SSLVerifyClient")
    if verify is None or verify.args[:1] == ("none",):
        return
    if ca is None or verify.args[:1] == ("optional_no_ca",):
        why = "client certificates need an authority that signs them"
        work.lost(verify, why, "name it in https.client_ca")
        return
    work.option(("https", "client_ca"), ca.args[0], ca)
    if verify.args[:1] == ("optional",):
        work.option(("https", "client_verify"), "optional", verify)
    work.seen.add(verify)


def adopt_proxies(work: Work) -> None:
    """`behind`: the proxies that may name the client."""
    header = work.view.setting("RemoteIPHeader")
    lines = [
        node
        for level in work.view.levels
        for node in every(level, "RemoteIPTrustedProxy", "RemoteIPInternalProxy")
    ]
    ranges = tuple(dict.fromkeys(word for node in lines for word in node.args))
    if ranges:
        work.option(("behind",), ranges, lines[0])
        work.seen.update(lines)
    if header is None:
        return
    if not ranges:
        work.improved(header, "no proxy is declared, so that no header names the client")
    elif header.args[0].lower() == "x-forwarded-for":
        work.built_in(header, "Portico reads it from the proxies of behind")
    else:
        work.lost(header, "Portico reads the client from X-Forwarded-For", "make the proxy send that, too")
