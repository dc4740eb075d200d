"""TLS: old protocols, keys that stay, certificates that are missing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from portico.explain.finding import Finding
from portico.explain.nginx.findings.config import Config, added, instead, removed, variables, written

_OLD = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1")
_WEAK = (
    "RC4",
    "3DES",
    "DES",
    "MD5",
    "EXP",
    "EXPORT",
    "LOW",
    "NULL",
    "aNULL",
    "eNULL",
    "SEED",
    "IDEA",
    "ALL",
    "ADH",
)
_GOOD = ":".join(
    f"ECDHE-{key}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "CHACHA20-POLY1305")
    for key in ("ECDSA", "RSA")
)
_ROTATED_SINCE = (1, 23, 2)


def protocols(config: Config) -> Iterator[Finding]:
    for node in config.named("ssl_protocols"):
        if old := [word for word in node.args if word in _OLD]:
            yield config.finding(
                "tls-old",
                node,
                f"{', '.join(old)} can be broken",
                "who is on the way talks a client into an old protocol; payment and browser rules refuse the site",
                instead(written("ssl_protocols", "TLSv1.2", "TLSv1.3")),
            )


def ciphers(config: Config) -> Iterator[Finding]:
    for node in config.named("ssl_ciphers"):
        words = node.args[0].replace(",", ":").replace(" ", ":").split(":") if node.args else []
        banned = {word.lstrip("!-") for word in words if word[:1] in ("!", "-")}
        taken = [word for word in words if word[:1] not in ("!", "-")]
        weak = [word for word in taken if set(re.split(r"[+-]", word.lstrip("+"))) & set(_WEAK) - banned]
        if "ALL" in weak and {"aNULL", "RC4", "3DES"} <= banned:
            weak.remove("ALL")
        if weak:
            yield config.finding(
                "ciphers-weak",
                node,
                f"{', '.join(dict.fromkeys(weak))} can be broken, or proves nothing of the server",
                "who is on the way reads or changes what weak clients send",
                instead(written("ssl_ciphers", _GOOD)),
            )


def tickets(config: Config) -> Iterator[Finding]:
    """A ticket key of a process that runs for months opens everything of those months."""
    for server in config.servers:
        if not config.has_tls(server) or config.value(server, "ssl_reject_handshake") == "on":
            continue
        said = config.in_force(server, "ssl_session_tickets")
        cache = " ".join(word for one in config.in_force(server, "ssl_session_cache") for word in one.args)
        rotates = "shared:" in cache and not config.older(*_ROTATED_SINCE)
        if said and said[-1].args == ("off",):
            continue
        if not rotates or config.in_force(server, "ssl_session_ticket_key"):
            yield config.finding(
                "session-tickets",
                said[-1] if said else server,
                "session tickets are on, and their key stays until nginx restarts",
                "who gets the key later reads everything that was recorded since the start",
                added(server, written("ssl_session_tickets", "off")),
            )


def certificates(config: Config) -> Iterator[Finding]:
    if config.http is None:
        return
    for server in config.servers:
        has = config.in_force(server, "ssl_certificate") or config.in_force(server, "acme_certificate")
        unread = [one for level in config.levels(server) for one in level.all("include")]
        if (
            config.has_tls(server)
            and not has
            and config.value(server, "ssl_reject_handshake") != "on"
            and not unread
        ):
            yield config.finding(
                "no-certificate",
                server,
                "this server speaks TLS and has no certificate",
                "nginx refuses the configuration, or every handshake fails",
                added(
                    server,
                    written("ssl_certificate", "/etc/letsencrypt/live/shop.example/fullchain.pem"),
                    written("ssl_certificate_key", "/etc/letsencrypt/live/shop.example/privkey.pem"),
                ),
            )


def stapling(config: Config) -> Iterator[Finding]:
    for node in config.named("ssl_stapling"):
        level = config.parent(node)
        if node.args == ("on",) and "letsencrypt" in config.value(level, "ssl_certificate"):
            yield config.finding(
                "stapling-dead",
                node,
                "Let's Encrypt has had no OCSP since August 2025: there is nothing to staple",
                "nginx warns at each start, and nothing is checked",
                removed(),
            )


def clients(config: Config) -> Iterator[Finding]:
    """An optional certificate has to be looked at by somebody."""
    for node in config.named("ssl_verify_client"):
        server = config.server_of(node)
        if node.args[:1] not in (("optional",), ("optional_no_ca",)) or server is None:
            continue
        looks = any("ssl_client_" in word for one in config.above for word in one.args)
        if not looks:
            yield config.finding(
                "client-certificate-unchecked",
                node,
                "a client without a certificate is let in, and nobody looks whether it has one",
                "everybody gets what the certificate should protect",
                added(server, "if ($ssl_client_verify != SUCCESS) { return 403; }"),
            )


def early(config: Config) -> Iterator[Finding]:
    for node in config.named("ssl_early_data"):
        level = config.parent(node)
        tells = any("ssl_early_data" in variables(word) for one in config.above for word in one.args)
        if node.args == ("on",) and not tells:
            yield config.finding(
                "early-data",
                node,
                "requests in a client's first packet can be sent again by others, and the app cannot tell",
                "who records an order sends it a second time",
                added(level, written("proxy_set_header", "Early-Data", "$ssl_early_data")),
            )


FINDERS = (protocols, ciphers, tickets, certificates, stapling, clients, early)
