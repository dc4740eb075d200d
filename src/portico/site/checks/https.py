"""Rules for the options of [https] and those it depends on, beyond their types."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from portico.site.checks.rule import Broken, Rules
from portico.site.options import Options
from portico.site.options.https import HTTPS_PORTS_UP
from portico.values import Address, Duration

ACME_SERVERS = {
    "letsencrypt": "https://acme-v02.api.letsencrypt.org/directory",
    "letsencrypt-staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
}
"""ACME directories that have a short name, https://letsencrypt.org/docs/acme-protocol-updates/"""
HSTS_WORDS = ("ramp", "preload", "off")
LONGEST_HSTS = Duration(2 * 365 * 86400)
_EMAIL = re.compile(r"[^@\s\"'<>\\,;]+@[^@\s\"'<>\\,;.]+(\.[^@\s\"'<>\\,;.]+)+")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\$?")
_PLUGIN = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PROFILE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_KID = re.compile(r"[A-Za-z0-9._~:/+=-]+")


def mode_of(options: Options) -> str:
    """As `Site.https_mode`."""
    return options.https.mode or ("auto" if options.email else "files" if options.https.cert else "off")


def _email(options: Options) -> Broken:
    if not options.email:
        return
    if not _EMAIL.fullmatch(options.email) or not options.email.isascii():
        yield f'"{options.email}" is not an email address', "expected one like me@shop.example"
    elif mode_of(options) == "auto" and not options.domains:
        yield (
            "it turns HTTPS on, and a certificate needs domains",
            "add --domain shop.example, or --domain with a public IP address",
        )


def _canonical(options: Options) -> Broken:
    name = options.canonical
    if name and (name not in options.domains or name.startswith("*")):
        known = [domain for domain in options.domains if not domain.startswith("*")]
        yield (
            f'"{name}" is not one of domains',
            f"expected one of: {', '.join(known)}" if known else "add it to domains",
        )


def _user(options: Options) -> Broken:
    if options.user and not _USER.fullmatch(options.user):
        yield f'"{options.user}" cannot be a user\'s name', "expected a name like www-data"


def _mode(options: Options) -> Broken:
    https, mode = options.https, mode_of(options)
    if mode == "files" and not (https.cert and https.key):
        yield 'mode "files" needs both cert and key', "name the two files, PEM"
    if mode != "files" and (https.cert or https.key):
        yield f'cert and key are not used in mode "{mode}"', 'remove them, or set mode = "files"'
    if mode == "auto" and not options.email and not options.domains:
        yield (
            "a certificate needs domains, and none is set",
            "add domains (a public IP address is one), or use mode local",
        )
    if mode != "auto":
        used = [name for name in _AUTO if getattr(https, name)]
        if used:
            yield f'{used[0]} is not used in mode "{mode}"', 'remove it, or set mode = "auto"'
    if mode == "off" and https.client_ca:
        yield "client certificates need HTTPS", 'set mode = "auto", "files" or "local"'
    if mode == "auto":
        yield from _public(options)


_AUTO = ("acme_ca", "acme_staging", "acme_profile", "eab_kid", "eab_hmac_file", "dns", "dns_credentials")


def _public(options: Options) -> Broken:
    """Names that no public authority signs."""
    for domain in options.domains:
        if domain.startswith("*") and not options.https.dns:
            yield (
                f'"{domain}" is a wildcard, which needs validation by DNS',
                "name a certbot plugin in https.dns",
            )
        if (address := address_of(domain)) is not None:
            yield from _public_address(address, options)
        elif "." not in domain.removeprefix("*."):
            yield f'"{domain}" is not a public name: no authority certifies it', "use mode local or files"


def _public_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address, options: Options) -> Broken:
    """Rules for IP addresses: only HTTP can validate one (RFC 8738), and Let's Encrypt certifies public ones only."""
    https = options.https
    if https.dns:
        yield f'"{address}" is an IP address, which DNS cannot validate', "remove https.dns, or the address"
    if https.acme_server in ACME_SERVERS and not address.is_global:
        yield (
            f'"{address}" is not a public address: no public authority certifies it',
            "use mode local or files",
        )
    if https.acme_server in ACME_SERVERS and https.acme_profile not in ("", "shortlived"):
        what = f'Let\'s Encrypt certifies "{address}" for six days only'
        yield what, 'set acme_profile = "shortlived", or leave it out'


def _acme_profile(options: Options) -> Broken:
    text = options.https.acme_profile
    if text and not _PROFILE.fullmatch(text):
        yield f'"{text}" is not the name of a profile', "expected a word like shortlived or tlsserver"


def address_of(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The text as an IP address, None for a name."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def has_addresses(domains: Iterable[str]) -> bool:
    """Whether one of them is an IP address, with or without brackets."""
    return any(_is_address(domain.strip("[]")) for domain in domains)


def host_of(name: str) -> str:
    """The name as URLs and Host headers write it: an IPv6 address in brackets."""
    return f"[{name}]" if ":" in name else name


def _is_address(text: str) -> bool:
    return address_of(text) is not None


def _listen(options: Options) -> Broken:
    if mode_of(options) == "off":
        if options.https.listen:
            yield "without HTTPS, this address has no use", 'set mode = "auto", "files" or "local"'
        return
    plain = options.listen or (Address("*", 80) if options.domains else Address("127.0.0.1", 8080))
    secure = options.https.listen or Address(plain.host, plain.port + HTTPS_PORTS_UP)
    if secure.port == plain.port:
        yield (
            f"{secure} already serves plain HTTP, which redirects to HTTPS",
            "give listen and https.listen different ports",
        )
    elif secure.port > 65535:
        yield f"there is no port {secure.port}", "add a port to https.listen"


def _acme_server(options: Options) -> Broken:
    yield from _directory(options.https.acme_server, tuple(ACME_SERVERS))


def _acme_staging(options: Options) -> Broken:
    if options.https.acme_staging not in ("", "off"):
        yield from _directory(options.https.acme_staging, ("letsencrypt-staging", "off"))


def _directory(text: str, words: tuple[str, ...]) -> Broken:
    if text not in words and not re.fullmatch(r"https://[^\s\"'\\]+", text):
        yield (
            f'"{text}" is not an ACME directory',
            f"expected {', '.join(words)} or a URL that begins with https://",
        )


def _eab(options: Options) -> Broken:
    https = options.https
    if bool(https.eab_kid) != bool(https.eab_hmac_file):
        yield "an external account needs eab_kid and eab_hmac_file", "set both"
    if https.eab_kid and not _KID.fullmatch(https.eab_kid):
        yield f'"{https.eab_kid}" is not a key identifier', "copy it from the authority's page"


def _dns(options: Options) -> Broken:
    https = options.https
    if https.dns and not _PLUGIN.fullmatch(https.dns):
        yield f'"{https.dns}" is not a certbot plugin', "expected a name like cloudflare, route53 or rfc2136"
    if https.dns_credentials and not https.dns:
        yield "credentials need a plugin", "name it in https.dns"


def _resolver(options: Options) -> Broken:
    for entry in options.https.resolver:
        host, _, port = entry.rpartition(":") if entry.count(":") == 1 else (entry, "", "53")
        if not _is_address(host) or not port.isdigit() or not 0 < int(port) < 65536:
            yield f'"{entry}" is not a name server', "expected an IP address like 1.1.1.1, or 127.0.0.1:5353"


def _challenge_port(options: Options) -> Broken:
    if not 0 < options.https.challenge_port < 65536:
        yield f"{options.https.challenge_port} is not a port", "expected 1 to 65535"


def _hsts(options: Options) -> Broken:
    text = options.https.hsts
    if text in HSTS_WORDS:
        return
    try:
        seconds = Duration.parse(text)
    except ValueError:
        seconds = Duration(-1)
    if not 1 <= seconds <= LONGEST_HSTS:
        yield f'"{text}" is not a time for HSTS', 'expected "ramp", "off", "preload", or "1s" to "730d"'


HTTPS_RULES: Rules = {
    "canonical": _canonical,
    "email": _email,
    "user": _user,
    "https.mode": _mode,
    "https.listen": _listen,
    "https.acme_server": _acme_server,
    "https.acme_staging": _acme_staging,
    "https.acme_profile": _acme_profile,
    "https.eab_kid": _eab,
    "https.dns": _dns,
    "https.resolver": _resolver,
    "https.challenge_port": _challenge_port,
    "https.hsts": _hsts,
}
