"""httpd.conf of a shared gateway: what its sites have in common, and the includes of their virtual hosts."""

from __future__ import annotations

from collections.abc import Sequence

from portico.place.model import Place
from portico.plan.bindings import Bindings, Spoken, addresses, in_order
from portico.plan.files import File
from portico.plan.gateway.httpd.abilities import abilities
from portico.plan.gateway.httpd.app.link import dollar, request_id
from portico.plan.gateway.httpd.entry import tls
from portico.plan.gateway.httpd.entry.health import host_word, says_well
from portico.plan.gateway.httpd.entry.transfer import client_times, heads
from portico.plan.gateway.httpd.entry.trust import setting
from portico.plan.gateway.httpd.files.compression import compression
from portico.plan.gateway.httpd.log import access_log, error_log, log_formats, log_settings
from portico.plan.gateway.httpd.main import MAIN, basics, process, types
from portico.plan.gateway.httpd.modules import ALWAYS, ORDER, has, load_modules
from portico.plan.gateway.httpd.names import SCHEME
from portico.plan.gateway.httpd.server import UNKNOWN, words_folder
from portico.plan.gateway.httpd.syntax import Directive, directive, render, section
from portico.plan.gateway.httpd.waf import waf_limits
from portico.plan.paths import FRAGMENT, hosted_files
from portico.plan.subjects import Tls
from portico.plan.web.entry.listeners import backlog
from portico.plan.web.entry.tls import DEFAULT_PROFILE
from portico.plan.web.log import log_of_strangers
from portico.plan.web.processes import processes
from portico.values import Address

_CAUSE = "several sites"


def host_files(bindings: Sequence[Bindings], place: Place) -> list[File]:
    """The files for the sites with these bindings, which do not conflict."""
    return [File(MAIN, tuple(render(tree(tuple(bindings), place))), mode=0o600), host_word()]


def tree(bindings: tuple[Bindings, ...], place: Place) -> list[Directive]:
    """The configuration as a tree of directives with reasons."""
    listening = addresses(bindings)
    has_tls = any(Spoken.TLS in words for words in listening.values())
    return [
        *load_modules(place.gateway, _modules(bindings, place)),
        *process(processes(place), place),
        *_listen(listening, place),
        *basics(),
        *client_times(),
        *heads(),
        *types(),
        *compression(place.gateway),
        *(tls.shared(place, DEFAULT_PROFILE, _CAUSE) if has_tls else []),
        *error_log(place),
        *(waf_limits(_CAUSE) if any(one.inspects for one in bindings) else []),
        *_once(bindings),
        dollar(),
        *log_formats(log_of_strangers(abilities(place.gateway)), has_tls=has_tls),
        words_folder(place),
        *_strangers(bindings, place),
        *map(_included, in_order(bindings)),
    ]


def _modules(bindings: Sequence[Bindings], place: Place) -> list[str]:
    common = (*ALWAYS, *(name for name in ("deflate", "brotli") if has(place.gateway, name)))
    needed = {*common, *(name for one in bindings for name in one.modules)}
    return [name for name in ORDER if name in needed]


def _listen(listening: dict[Address, tuple[Spoken, ...]], place: Place) -> list[Directive]:
    why, made = "where clients connect", list[Directive]()
    for address, words in listening.items():
        scheme = ["https"] if Spoken.TLS in words else []
        made.append(directive("Listen", address, *scheme, why=why, cause=_CAUSE))
    why = "a burst of connections waits here instead of being refused"
    return [*made, directive("ListenBackLog", backlog(place), why=why)]


def _once(bindings: Sequence[Bindings]) -> list[Directive]:
    """What httpd takes once for all: the words of every site that needs it are the same."""
    why = "httpd has one list of these for all sites; they agree"
    return [
        directive(name, *words, why=why, cause=_CAUSE)
        for name, words in dict.fromkeys(item for one in bindings for item in one.once)
    ]


def _strangers(bindings: tuple[Bindings, ...], place: Place) -> list[Directive]:
    """The first virtual host of each address on which no site takes every Host."""
    taken = {address for one in bindings if not one.domains for address in one.addresses}
    shown = {address: one for one in reversed(bindings) for address in one.addresses}
    shown |= {address: one for one in bindings for address in one.nameless}
    return [
        _stranger(address, words, place, shown[address])
        for address, words in addresses(bindings).items()
        if address not in taken
    ]


def _stranger(address: Address, words: tuple[Spoken, ...], place: Place, shown: Bindings) -> Directive:
    is_tls = Spoken.TLS in words
    scheme = "https" if is_tls else "http"
    why = "requests for a Host that no site declared: scanners, and links in mails that would point elsewhere"
    return section(
        "VirtualHost", address, why=why, cause=_CAUSE,
        of=[
            directive("ServerName", UNKNOWN, why="any other host: this is the first of its address", cause=_CAUSE),
            *(_certificate(shown) if is_tls else []),
            *_first_line(words),
            request_id(),
            setting("true", f"{SCHEME}={scheme}", "the scheme of the connection", _CAUSE),
            *log_settings(log_of_strangers(abilities(place.gateway))),
            *access_log(place, is_tls=is_tls),
            directive("RewriteEngine", "On", why="the rules below"),
            says_well(place, "says that the gateway is there; each site's own health is under its Host", _CAUSE),
            directive("RewriteRule", "^", "-", "[R=421,L]", cause=_CAUSE,
                      why="a request for no site: 421, and no page; httpd cannot close without an answer"),
        ],
    )  # fmt: skip


def _certificate(shown: Bindings) -> list[Directive]:
    why = (
        "clients that ask for an IP address or for an unknown name are shown this site's certificate: httpd cannot "
        "refuse a handshake"
    )
    path = f"{hosted_files(shown.name)}/{Tls.CERTIFICATE}"
    return [
        directive("SSLEngine", "on", why="HTTPS", cause=_CAUSE),
        directive("SSLCertificateFile", path, why=why, cause=shown.origin),
    ]


def _first_line(words: tuple[Spoken, ...]) -> list[Directive]:
    if Spoken.PROXY_PROTOCOL not in words:
        return []
    why = "declared proxies name the client before its first byte"
    return [directive("RemoteIPProxyProtocol", "On", why=why, cause=_CAUSE)]


def _included(one: Bindings) -> Directive:
    why = "a site: its virtual hosts"
    return directive("Include", f"{hosted_files(one.name)}/{FRAGMENT}", why=why, cause=one.origin)
