"""Strangers and declared proxies: who may say who the client is, on every link and behind both builds of nginx."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.attack.target import BUILDS, LINKS, Target, target

STRANGER, PROXY = "127.0.0.1", "127.0.0.2"
EVIL = "6.6.6.6"
_SPOOFED = """
Client-IP X-Client-IP True-Client-IP X-Cluster-Client-IP Fastly-Client-IP Fly-Client-IP CF-Connecting-IP
CF-Connecting-IPv6 DO-Connecting-IP X-Forwarded-Client-IP X-Original-Forwarded-For X-Originating-IP X-Remote-IP
X-Remote-Addr X-ProxyUser-Ip X-Envoy-External-Address X-Azure-ClientIP X-Azure-SocketIP X-Appengine-User-IP
X-Vercel-Forwarded-For X-NF-Client-Connection-IP WL-Proxy-Client-IP Proxy-Client-IP Incap-Client-IP X-Sucuri-ClientIP
Ali-CDN-Real-IP CloudFront-Viewer-Address Forwarded Forwarded-For X-Forwarded X-Forwarded-By X-Coming-From
X-Forwarded-Protocol X-Forwarded-Ssl X-Forwarded-Scheme X-Url-Scheme X-Scheme X-HTTPS Front-End-Https WL-Proxy-SSL
CloudFront-Forwarded-Proto CF-Visitor X-ARR-SSL X-Forwarded-Port X-Forwarded-Server X-Forwarded-Path X-Forwarded-Uri
X-Original-URL X-Original-URI X-Original-Host X-Original-Method X-Rewrite-URL X-Host X-HTTP-Host-Override X-Script-Name
X-Envoy-Original-Path X-Accel-Mapping X-Sendfile-Type Script-Name Path-Info Remote-Addr Remote-Host Server-Name
Request-Uri Proxy Remote-User Remote-Groups Remote-Name Remote-Email X-Remote-User X-Forwarded-User X-Forwarded-Email
X-Forwarded-Groups X-Forwarded-Preferred-Username X-Forwarded-Access-Token X-Auth-Request-User X-Auth-Request-Email
X-Auth-Request-Groups X-Authenticated-User X-Authenticated-Userid X-authentik-username X-authentik-groups X-Webauth-User
X-User X-Username X-User-Email X-Proxy-User X-Consumer-Username X-Pomerium-Jwt-Assertion X-Vouch-User
Cf-Access-Authenticated-User-Email Cf-Access-Jwt-Assertion Tailscale-User-Login Tailscale-User-Name
X-Amzn-Oidc-Identity X-Amzn-Oidc-Data X-Goog-Authenticated-User-Email X-Goog-Iap-Jwt-Assertion X-MS-Client-Principal
X-MS-Client-Principal-Name Auth-User Auth-Type Oidc-Claim-Email Client-Cert Client-Cert-Chain X-Client-Cert
X-Client-Verify X-Forwarded-Client-Cert X-SSL-Client-Cert X-SSL-Client-Verify X-SSL-Client-S-DN X-SSL-Client-CN
SSL-Client-Cert
X-ARR-ClientCert X-Amzn-Mtls-Clientcert CF-IPCountry CF-Ray X-Country-Code X-GeoIP-Country CloudFront-Viewer-Country
X-AppEngine-Country X-Vercel-IP-Country CDN-RequestCountryCode
"""
_UNLISTED = """
X-Auth-Request-Roles X-Auth-Request-Acr X-SSL-Client-Not-After X-Forwarded-Anything X-Authentik-Meta-App
Tailscale-Headers-Info X-Pomerium-Claim-Email X-Amzn-Mtls-Clientcert-Validity X-MS-Token-Aad-Id-Token X-Webauth-Tags
X-Vercel-IP-Latitude CloudFront-Viewer-Time-Zone X-Envoy-Peer-Metadata New-CDN-Client-IP
"""
SPOOFED = _SPOOFED.split()
UNLISTED = _UNLISTED.split()
"""Names of the same families that no list has."""
APPS_OWN = {
    "X-Requested-With": "a", "X-Api-Key": "b", "X-Auth-Token": "c", "X-CSRF-Token": "d", "Idempotency-Key": "e",
    "X-HTTP-Method-Override": "PUT", "X-User-Agent": "f", "X-Goog-Api-Key": "g", "X-Amz-Date": "h",
    "X-Client-Version": "1", "X-GitHub-Event": "push", "X-Hub-Signature-256": "i",
}  # fmt: skip
OF_PROXY = {
    "Remote-User": "alice", "X-Forwarded-Groups": "staff", "X-Auth-Request-Email": "alice@shop.example",
    "X-SSL-Client-S-DN": "CN=alice", "X-Country-Code": "CH",
}  # fmt: skip
KINDS = ("scheme", "user", "certificate", "country", "host", "prefix")
BEHIND = ["--behind", f"{PROXY}/32", *(word for kind in KINDS for word in ("--behind-headers", kind))]


def ask(
    port: int, headers: Mapping[str, str], source: str = STRANGER, path: str = "/x"
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60, source_address=(source, 0))
    connection.putrequest("GET", path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    return connection.getresponse()


def told(port: int, headers: Mapping[str, str], source: str = STRANGER, path: str = "/x") -> dict[str, Any]:
    answer = ask(port, headers, source, path)
    assert answer.status == 200, answer.read()
    found: dict[str, Any] = json.loads(answer.read())["told"]
    return found


def variable(name: str) -> str:
    return "HTTP_" + name.upper().replace("-", "_")


def scheme_of(seen: Mapping[str, Any]) -> str:
    return str(seen["HTTP_X_FORWARDED_PROTO"])


def _of(link: str, build: str) -> Any:
    """httpd's [upstream] has servers of HTTP alone."""
    marks = [pytest.mark.of_nginx] if link == "fastcgi" else []
    return pytest.param(f"{link}-{build}", marks=marks)


@pytest.fixture(scope="module", params=[_of(link, build) for build in BUILDS for link in LINKS])
def site(request: pytest.FixtureRequest) -> Iterator[Target]:
    """A site that lets one proxy say everything."""
    with target(*request.param.split("-"), *BEHIND) as found:
        yield found


def test_no_header_of_any_family_arrives_from_a_stranger(site: Target) -> None:
    own = site.name.startswith(("gunicorn", "asgi"))
    for names in (SPOOFED[:50], SPOOFED[50:100], SPOOFED[100:], UNLISTED if own else []):
        seen = told(site.run.port, dict.fromkeys(names, EVIL) | APPS_OWN)
        assert [name for name in names if variable(name) in seen] == []
        assert EVIL not in str(seen)
        assert {name: seen[variable(name)] for name in APPS_OWN} == APPS_OWN


def test_a_declared_proxy_says_who_the_user_is_and_not_who_connects(site: Target) -> None:
    seen = told(site.run.port, OF_PROXY | {"X-Client-IP": EVIL, "Script-Name": "/evil"}, PROXY)
    assert {name: seen[variable(name)] for name in OF_PROXY} == OF_PROXY
    assert EVIL not in str(seen)
    assert "/evil" not in str(seen)


def test_of_several_schemes_the_nearest_proxy_s_counts(site: Target) -> None:
    said = {
        "https": "https", "HTTPS": "https", "wss": "https", "ws": "http", "http": "http", "https, http": "http",
        "http,https": "https", "http, WSS ": "https", "ftp": "http", "https, ftp": "http",
    }  # fmt: skip
    for text, scheme in said.items():
        assert scheme_of(told(site.run.port, {"X-Forwarded-Proto": text}, PROXY)) == scheme, text
    assert scheme_of(told(site.run.port, {"X-Forwarded-Proto": "https"})) == "http"


def test_a_declared_proxy_says_what_host_and_prefix_were_asked_for(site: Target) -> None:
    port = site.run.port
    for host in ("shop.example", "shop.example:8443", "[2001:db8::1]:80"):
        assert told(port, {"X-Forwarded-Host": host}, PROXY)["HTTP_HOST"] == host
        assert told(port, {"X-Forwarded-Host": host})["HTTP_HOST"] == f"127.0.0.1:{port}"
    for host in (
        "a b",
        "shop.example/x",
        "user@shop.example",
        "shop.example:port",
        'a"b',
        "a, b",
        "-->",
        "a..b",
    ):
        assert told(port, {"X-Forwarded-Host": host}, PROXY)["HTTP_HOST"] == f"127.0.0.1:{port}", host
    for prefix in ("/", "//evil.example", "/a//b", "/a/../b", "/..", "evil", "/a b", "/a/", "/a;b", "/%2e"):
        assert told(port, {"X-Forwarded-Prefix": prefix}, PROXY).get("HTTP_X_FORWARDED_PREFIX", "") == "", (
            prefix
        )
    assert told(port, {"X-Forwarded-Prefix": "/outer"}).get("HTTP_X_FORWARDED_PREFIX", "") == ""
    seen = told(port, {"X-Forwarded-Prefix": "/outer/a.b"}, PROXY)
    assert seen["HTTP_X_FORWARDED_PREFIX"] == "/outer/a.b"
    has_prefix = site.name.startswith("gunicorn" if site.run.is_apache else ("gunicorn", "uwsgi"))
    if has_prefix:  # httpd tells uWSGI none
        assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("/outer/a.b", "/x")
    if site.name.startswith("asgi"):
        assert (seen["root_path"], seen["path"]) == ("/outer/a.b", "/outer/a.b/x")
