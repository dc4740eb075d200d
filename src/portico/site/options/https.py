"""The table [https]."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from portico.site.options.section import Section, option
from portico.values import Address

HTTPS_PORTS_UP = 363
"""From 80 to 443, and from 8080 to 8443."""
HTTPS_FILES = ("acme_ca", "client_ca", "dns_credentials", "eab_hmac_file")
"""The keys of [https] that name a file, beside `cert` and `key`."""


class Https(Section, frozen=True):
    """Certificates: fetched and renewed by Portico, made for development, or your own."""

    shorthand: ClassVar[str] = "mode"

    mode: Annotated[
        Literal["auto", "local", "files", "off"] | None,
        option(
            "The origin of the certificate: `auto` fetches and renews one (ACME, Let's Encrypt), `local` makes "
            "one for development, `files` uses `cert` and `key`. Default: `auto` with an `email`, `files` with a "
            "`cert`, else `off`.",
            example="auto",
        ),
    ] = None
    listen: Annotated[
        Address | None,
        option(
            "Address of HTTPS; `listen` then redirects there. Default: that of `listen`, 363 ports up: 443 for 80, "
            "8443 for 8080.",
            example=":443",
        ),
    ] = None
    cert: Annotated[
        str,
        option(
            "Your own certificate with its chain, PEM; read again whenever it changes.",
            example="/etc/ssl/shop/fullchain.pem",
            is_read=True,
        ),
    ] = ""
    key: Annotated[
        str,
        option(
            "The key of `cert`, PEM, without a passphrase.", example="/etc/ssl/shop/privkey.pem", is_read=True
        ),
    ] = ""
    acme_server: Annotated[
        str,
        option(
            "The certificate authority: `letsencrypt`, `letsencrypt-staging`, or the URL of an ACME directory.",
            example="https://acme.zerossl.com/v2/DV90",
            source="https://letsencrypt.org/docs/staging-environment/",
        ),
    ] = "letsencrypt"
    acme_staging: Annotated[
        str,
        option(
            "ACME directory for a rehearsal of the first order: a failure there does not count against the rate "
            "limits of the real one. Default: Let's Encrypt's own for Let's Encrypt, none for others; `off` is "
            "none.",
            example="off",
        ),
    ] = ""
    acme_ca: Annotated[
        str,
        option(
            "File with the authorities that may sign the ACME server's certificate, if it is private.",
            example="/etc/ssl/step-ca.pem",
            is_read=True,
        ),
    ] = ""
    acme_profile: Annotated[
        str,
        option(
            "The certificate profile, by the ACME server's name for it: Let's Encrypt has `classic` (90 days, "
            "later 64 and 45), `tlsserver` and `shortlived` (6 days). Default: the server's own, for an IP "
            "address in `domains` `shortlived`.",
            example="shortlived",
            source="https://letsencrypt.org/docs/profiles/",
        ),
    ] = ""
    eab_kid: Annotated[
        str,
        option("Key identifier of an external account, if the ACME server requires one.", example="kid-1"),
    ] = ""
    eab_hmac_file: Annotated[
        str,
        option(
            "File with the HMAC key of that account.",
            example="/etc/portico/eab.key",
            reach="root uses it to order certificates",
        ),
    ] = ""
    dns: Annotated[
        str,
        option(
            "Validate the domains by DNS with this certbot plugin (`cloudflare` is the package "
            "certbot-dns-cloudflare); wildcards need it. Default: by HTTP.",
            example="cloudflare",
            source="https://eff-certbot.readthedocs.io/en/stable/using.html#dns-plugins",
            reach="root runs that plugin",
        ),
    ] = ""
    dns_credentials: Annotated[
        str,
        option(
            "The plugin's credentials file.",
            example="/etc/portico/cloudflare.ini",
            reach="root uses them to change DNS",
        ),
    ] = ""
    resolver: Annotated[
        list[str],
        option(
            "Name servers that Portico asks before the first order whether the domains point here. Default: those "
            "of /etc/resolv.conf.",
            example=["1.1.1.1"],
        ),
    ] = []
    challenge_port: Annotated[
        int,
        option(
            "Port on which the ACME server requests the challenge. All public servers use 80; another port is for "
            "a server of your own.",
            example=5002,
        ),
    ] = 80
    profile: Annotated[
        Literal["intermediate", "modern"],
        option(
            "Mozilla's TLS profile: `intermediate` is TLS 1.2 and 1.3, `modern` TLS 1.3 alone.",
            example="modern",
            source="https://wiki.mozilla.org/Security/Server_Side_TLS",
        ),
    ] = "intermediate"
    http2: Annotated[
        Literal["auto", "on", "off"],
        option(
            "HTTP/2. `auto`: on, unless the nginx in use has a severe fault in it.",
            example="off",
            source="https://nginx.org/en/docs/http/ngx_http_v2_module.html#http2",
        ),
    ] = "auto"
    hsts: Annotated[
        str,
        option(
            "How long browsers insist on HTTPS: `ramp` (5 minutes, a day, a year, as the site proves itself), a "
            "duration, `preload` (a year, with all subdomains, for browsers' own lists), or `off`.",
            example="365d",
            source="https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Strict-Transport-Security",
        ),
    ] = "ramp"
    client_ca: Annotated[
        str,
        option(
            "File with the authorities that may sign client certificates. A client without a certificate is refused.",
            example="staff-ca.pem",
            source="https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_client_certificate",
            is_read=True,
        ),
    ] = ""
    client_verify: Annotated[
        Literal["required", "optional"],
        option(
            "`optional` also admits clients without a certificate; the app reads SSL_CLIENT_VERIFY.",
            example="optional",
        ),
    ] = "required"
