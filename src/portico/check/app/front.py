"""Do the app's settings fit what is in front of it: names, HTTPS, proxies, prefix?"""

from __future__ import annotations

from collections.abc import Iterator

from portico.check.model import Finding, fault, ok, warning
from portico.plan.notes.reachable import is_reachable
from portico.proxy_headers import REPLACED, kind
from portico.site.facts import AppSettings, ProxyLayer
from portico.site.model import Site

_ONE = "leave it out, or count one: the gateway has put the right answer there"


def front_findings(site: Site, said: AppSettings) -> Iterator[Finding]:
    """`said` are the app's settings."""
    yield from _hosts(site, said)
    yield from _to_https(site, said)
    yield from _scheme_header(site, said)
    for layer in said.layers:
        yield from _counts(layer)
        yield from _prefix(site, layer)


def is_told_https(site: Site) -> bool:
    """Whether the app learns that a client uses HTTPS: TLS ends here, or at a proxy that may say so."""
    return site.has_https or "scheme" in site.believed


def _hosts(site: Site, said: AppSettings) -> Iterator[Finding]:
    name = said.hosts_name
    if said.hosts is None:
        return
    if not said.hosts:
        what = f"{name} is empty: the app answers every request with 400"
        yield fault(name, what, f"add the site's names to {name}", "hosts")
        return
    asked = [site.options.canonical] if site.options.canonical else site.options.domains
    if missing := [domain for domain in asked if not _is_among(domain.lower(), said.hosts)]:
        names = ", ".join(missing)
        what = f"domains has {names}, and {name} has not: the app answers each request for it with 400"
        yield fault(name, what, f"add {names} to {name}", "hosts")


def _is_among(domain: str, allowed: list[str]) -> bool:
    """As Django, Starlette and Werkzeug compare: `.x` is x and all below it, `*.x` all below it."""
    for one in map(str.lower, allowed):
        if one in ("*", domain) or (one.startswith("*.") and domain.endswith(one[1:])):
            return True
        if one.startswith(".") and (domain == one[1:] or domain.endswith(one)):
            return True
    return False


def _to_https(site: Site, said: AppSettings) -> Iterator[Finding]:
    who = said.to_https
    if not who:
        return
    if site.has_https:
        yield ok(
            "https", f"the gateway redirects to HTTPS itself; {who} has nothing left to do", "https-redirect"
        )
    elif site.proxies and not is_told_https(site):
        what = f"{who} redirects to HTTPS, and the app is never told that a client used it: an endless loop"
        hint = 'let the proxy set X-Forwarded-Proto in every request, and add "scheme" to behind_headers'
        yield fault("https", what, hint, "https-redirect")
    elif not site.proxies:
        what = (
            f"{who} redirects every request to https://, and the site has no HTTPS: nobody sees a page; "
            "where a proxy in front ends HTTPS, it is an endless loop"
        )
        hint = (
            'turn HTTPS on: email = "you@..." with domains, or [https] cert and key\n'
            'or name the proxy that ends it: behind = ["10.0.0.0/8"]'
        )
        yield (fault if is_reachable(site) else warning)("https", what, hint, "https-redirect")


def _scheme_header(site: Site, said: AppSettings) -> Iterator[Finding]:
    """Django uses that header instead of wsgi.url_scheme, which Portico sets."""
    if len(said.scheme_header) < 2:
        return
    meta, value = said.scheme_header[:2]
    header = meta.removeprefix("HTTP_").replace("_", "-")
    name = "SECURE_PROXY_SSL_HEADER"
    leave_out = "leave it out: Portico tells Django the scheme (wsgi.url_scheme)"
    if header == "X-FORWARDED-PROTO":
        if value != "https" and is_told_https(site):
            what = (
                f"{name} waits for {value!r} and X-Forwarded-Proto says https: Django takes every request for plain "
                "HTTP, refuses forms (CSRF), and redirects without end where it is to redirect to HTTPS"
            )
            yield fault(name, what, f'{name} = ("{meta}", "https"), or {leave_out}', "scheme-value")
    elif header.lower() in {one.lower() for one in REPLACED}:
        yield warning(name, f"{name} names {meta}, which says no scheme", leave_out, "scheme-value")
    elif kind(header) and header not in {one.upper() for one in site.options.client_headers}:
        what = f"{name} names {meta}, which never arrives: Django takes the scheme from wsgi.url_scheme"
        yield warning(name, what, leave_out, "settings-unused")
    else:
        yield warning(
            name, f"{name} believes {meta}, which a client may send itself", leave_out, "scheme-header"
        )


def _counts(layer: ProxyLayer) -> Iterator[Finding]:
    wrong = {name: count for name, count in layer.counts.items() if count > 1}
    if not wrong:
        return
    said = ", ".join(f"{name}={count}" for name, count in wrong.items())
    most = max(wrong.values())
    what = (
        f"{layer.name}({said}) waits for {most} entries, one a proxy; the gateway hands on one, whatever is in front: "
        "it changes nothing here, and would believe the client where something else hands on what that sent"
    )
    yield warning(layer.name, what, _ONE, "proxy-count")


def _prefix(site: Site, layer: ProxyLayer) -> Iterator[Finding]:
    if layer.prefix is not None and layer.prefix != site.prefix and site.prefix:
        what = (
            f"{layer.name} says that the app is below {layer.prefix or '/'!r}, and mount is {site.prefix!r}: "
            "links and redirects lead to paths that the site does not have"
        )
        yield fault(layer.name, what, "leave it out: Portico sets SCRIPT_NAME", "prefix")
    if layer.scheme == "http" and is_told_https(site):
        what = f"{layer.name} says that every request came by plain HTTP: links and redirects leave HTTPS"
        yield warning(layer.name, what, "leave its scheme out: Portico sets wsgi.url_scheme", "prefix")
