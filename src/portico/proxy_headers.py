"""The headers in which proxies name the client and its address, by families. Values only.

nginx can blank names, not patterns: each family lists the names in use. Portico's own workers also know the
prefixes of a family, so that unlisted names are removed, too.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple


class Family(NamedTuple):
    """`names` are those in use, `patterns` regular expressions for whole names, in lower case."""

    kind: str
    what: str
    names: tuple[str, ...]
    patterns: tuple[str, ...]


MIRRORED = "X-Mirrored"
"""Marks a copy of a request (`mirror`). No client can say it: what goes to an app or a server has none of theirs."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FAMILIES = (
    Family(
        "address", "the client's address",
        _words("""
            Forwarded Forwarded-For X-Forwarded X-Forwarded-By X-Forwarded-For-Original
            X-Forwarded-Client-IP X-Original-Forwarded-For X-Original-Remote-Addr Client-IP
            X-Client-IP X-Client-Address True-Client-IP X-True-Client-IP Cluster-Client-IP
            X-Cluster-Client-IP Proxy-Client-IP WL-Proxy-Client-IP X-Real-Port X-Remote-IP
            X-Remote-Addr X-Remote-Host X-Originating-IP X-Source-IP X-Proxyuser-IP CF-Connecting-IP
            CF-Connecting-IPv6 CF-Pseudo-IPv4 Fastly-Client-IP Fastly-Client Fly-Client-IP
            DO-Connecting-IP Ali-CDN-Real-IP CDN-Src-IP Incap-Client-IP X-Sucuri-ClientIP
            X-NF-Client-Connection-IP X-Vercel-Forwarded-For X-Vercel-Proxied-For
            X-AppEngine-User-IP CloudFront-Viewer-Address X-Azure-ClientIP X-Azure-SocketIP
            X-Envoy-External-Address X-Envoy-Internal X-AppEngine-Remote-Addr X-Coming-From
            Coming-From Via-Client X-From-IP X-Gateway-Client-IP Real-IP Remote-IP ClientIP
            HTTP-X-Forwarded-For
        """),
        _words(r"""
            x-forwarded(-.*)? x-real-.* x-remote-(ip|addr.*|host|port)
            x-azure-(clientip|socketip|fdid) .*-client-?ip .*connecting-ip(v6)?
            x-original-(forwarded|remote).* x-envoy-.* (x-)?coming-from (x-)?forwarded-for
            x-(originating|source|proxyuser)-?ip (real|remote)-?ip (x-)?clientip http-x-forwarded-.*
        """),
    ),
    Family(
        "scheme", "the scheme the client used",
        _words("""
            X-Forwarded-Protocol X-Forwarded-Ssl X-Forwarded-Scheme X-Url-Scheme X-Scheme X-Protocol
            X-HTTPS X-Ssl HTTPS Front-End-Https WL-Proxy-SSL CloudFront-Forwarded-Proto CF-Visitor
            X-ARR-SSL X-AppEngine-HTTPS X-Forwarded-Https X-Client-Proto X-Proto X-Original-Proto
            Fastly-SSL X-Fastly-SSL
        """),
        _words(r"""
            x-(url-)?scheme x-proto x-https (x-)?(fastly-)?ssl front-end-https wl-proxy-.*
            .*-forwarded-proto(col)? .*-https
        """),
    ),
    Family(
        "host", "the host and the URL the client asked for",
        _words("""
            X-Forwarded-Port X-Forwarded-Server X-Forwarded-Path X-Forwarded-Uri X-Forwarded-Method
            X-Original-URL X-Original-URI X-Original-Host X-Original-Method X-Rewrite-URL X-Host
            X-HTTP-Host-Override X-Script-Name X-Request-URI X-Ingress-Path X-Envoy-Original-Path
            X-Replaced-Path X-Forwarded-Context X-Accel-Mapping X-Sendfile-Type X-Host-Override
        """),
        _words(r"""
            x-original-(url|uri|host|method|path|port|proto|scheme) x-rewrite-.* x-accel-.*
            x-sendfile-type x-host-.*
        """),
    ),
    Family(
        "cgi", "variables of CGI",
        _words("""
            Script-Name Script-Filename Path-Info Path-Translated Remote-Addr Remote-Host
            Remote-Port Request-URI Server-Name Server-Port Document-Root Proxy
        """),
        _words(r"""
            (script|path|document)-(name|filename|info|translated|root|uri)
            (remote|server)-(addr|host|port|ident) server-(name|protocol|software) redirect-.*
            gateway-interface proxy
        """),
    ),
    Family(
        "user", "who the user is",
        _words("""
            Remote-User Remote-Name Remote-Email Remote-Groups X-Remote-User X-Remote-Group
            X-Forwarded-User X-Forwarded-Email X-Forwarded-Groups X-Forwarded-Preferred-Username
            X-Forwarded-Access-Token Auth-User Auth-Type X-Auth-User X-Auth-Email X-Auth-Username
            X-Auth-Groups X-Auth-Request-User X-Auth-Request-Email X-Auth-Request-Groups
            X-Auth-Request-Preferred-Username X-Auth-Request-Access-Token X-Authenticated-User
            X-Authenticated-Userid X-Authenticated-Groups X-authentik-username X-authentik-email
            X-authentik-groups X-authentik-name X-authentik-uid X-Webauth-User X-Webauth-Email
            X-Webauth-Groups X-User X-Username X-User-Name X-User-Email X-User-Groups X-User-Roles
            X-User-Id X-Userinfo X-Proxy-User X-Consumer-Username X-Consumer-Id X-Consumer-Custom-ID
            X-Credential-Identifier X-Vouch-User X-Pomerium-Jwt-Assertion
            Cf-Access-Authenticated-User-Email Cf-Access-Jwt-Assertion Tailscale-User-Login
            Tailscale-User-Name Tailscale-User-Profile-Pic X-Amzn-Oidc-Identity X-Amzn-Oidc-Data
            X-Amzn-Oidc-Accesstoken X-Goog-Authenticated-User-Email X-Goog-Authenticated-User-Id
            X-Goog-Iap-Jwt-Assertion X-MS-Client-Principal X-MS-Client-Principal-Id
            X-MS-Client-Principal-Name X-MS-Client-Principal-Idp Oidc-Claim-Sub Oidc-Claim-Email
            SM-User Iv-User Oam-Remote-User X-AppEngine-User-Email X-User-Role X-UserRole X-Email
            X-Groups X-Roles X-Remote-Groups Remote-Role X-Forwarded-Roles X-Auth-Roles X-Verified-User
            X-Consumer-Groups X-Credential-Username X-JWT-Assertion X-ID-Token
            X-Apigateway-Api-Userinfo X-Endpoint-API-UserInfo Impersonate-User X-Kubernetes-User
            X-Authelia-User Shib-Session-ID
        """),
        _words(r"""
            (x-)?remote-(user|name|email|groups?|role).*
            x-forwarded-(user|email|groups|preferred-username|access-token) x-auth-request-.*
            x-auth-(user|email|groups|roles?|name).* x-authenticated-.* x-authentik-.* x-webauth-.*
            x-user x-user-?(name|email|groups?|roles?|id|info) x-(email|groups?|roles?|id-token) auth-(user|type)
            x-proxy-user.* x-consumer-.* x-credential-.* x-vouch-.* x-pomerium-.* cf-access-.* tailscale-.*
            x-amzn-oidc-.* x-goog-(iap|authenticated-user)-.* x-ms-(client-principal|token)-?.*
            (x-)?oidc-.* sm-(user|groups).* iv-(user|groups|creds) .*-remote-user
            x-appengine-user-.* (x-)?shib-.* x-saml-.* x-sso-.* teleport-.* (x-)?jwt-.* impersonate-.*
            x-(apigateway|endpoint)-api-.* x-(kubernetes|authelia|verified)-.*
        """),
    ),
    Family(
        "certificate", "the certificate the client showed",
        _words("""
            Client-Cert Client-Cert-Chain X-Client-Cert X-Client-Certificate X-Client-Verify
            X-Client-DN X-Forwarded-Client-Cert X-SSL-Cert X-SSL-Client-Cert X-SSL-Client-Verify
            X-SSL-Client-DN X-SSL-Client-S-DN X-SSL-Client-CN X-SSL-Client-I-DN X-SSL-Client-Serial
            X-SSL-Client-Fingerprint X-SSL-Client-Has-Cert SSL-Client-Cert SSL-Client-Verify
            SSL-Client-S-DN X-ARR-ClientCert X-Amzn-Mtls-Clientcert X-Amzn-Mtls-Clientcert-Leaf
            X-Amzn-Mtls-Clientcert-Subject X-Forwarded-Tls-Client-Cert X-SSL-Client-Raw-Cert X-SSL-Subject
            X-SSL-Issuer X-SSL-Verify X-SSL-Verified SSL-Verify X-Cert X-Subject-DN X-TLS-Verified
        """),
        _words(r"""
            (x-)?client-?cert.* x-forwarded-tls-.*
            x-client-(verify|verified|.*dn|subject|issuer|serial|fingerprint)
            x-forwarded-client-cert (x-)?ssl-.* x-cert x-(subject|issuer)-dn x-arr-clientcert x-amzn-mtls-.*
            x-tls-(client-)?.* cf-cert-.* l5d-client-id
        """),
    ),
    Family(
        "country", "the country and place the client is in, and the data centre that it came through",
        _words("""
            X-Country X-Country-Code X-Country-Name X-City X-Geo-Country X-GeoIP-Country
            X-GeoIP-Country-Code X-Client-Country X-Client-Geo-Location CF-IPCountry CF-IPCity
            CF-Region CloudFront-Viewer-Country CloudFront-Viewer-City X-AppEngine-Country
            X-AppEngine-City X-AppEngine-Region X-Vercel-IP-Country X-Vercel-IP-City
            X-Sucuri-Country CDN-RequestCountryCode X-Akamai-Edgescape CF-Ray
        """),
        _words(r"""
            x-country.* x-(city|region) (x-)?geo(ip)?-.* x-client-(country|geo|city|region).*
            cf-ip.* cf-(region|metro|postal|timezone).* cloudfront-viewer-.*
            x-appengine-(country|region|city).* x-vercel-ip-.* x-sucuri-country
            cdn-request(country|state)code x-akamai-edgescape
        """),
    ),
)  # fmt: skip
"""An unlisted name belongs to the last family whose pattern it matches."""
OF_PROXY = ("user", "certificate", "country")
"""The app gets a declared proxy's headers of these families; nginx replaces those of the others with its own."""
REPLACED = _words("X-Forwarded-For X-Real-IP X-Forwarded-Proto X-Forwarded-Host X-Forwarded-Prefix")
"""nginx always sends these, with its own values."""


def named(kinds: Collection[str]) -> tuple[str, ...]:
    """The names of these families, each once."""
    return tuple(dict.fromkeys(name for one in FAMILIES if one.kind in kinds for name in one.names))


KINDS = tuple(one.kind for one in FAMILIES)


def kind(name: str) -> str:
    """The family of a header, empty for none: a header of the application itself."""
    lowered = name.lower()
    if lowered in _REPLACED:
        return ""
    return _LISTED.get(lowered) or next((one for one, pattern in _PATTERNS if pattern.fullmatch(lowered)), "")


_REPLACED = frozenset(name.lower() for name in REPLACED)
_LISTED = {name.lower(): one.kind for one in FAMILIES for name in one.names}
_PATTERNS = [(one.kind, re.compile("|".join(one.patterns))) for one in reversed(FAMILIES)]
