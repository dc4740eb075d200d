"""Do the app's login cookies have the right attributes for the site?"""

from __future__ import annotations

from collections.abc import Iterator

from portico.check.app.front import is_told_https
from portico.check.model import Finding, warning
from portico.plan.notes.reachable import is_reachable
from portico.site.facts import AppSettings, Cookie
from portico.site.model import Site


def cookie_findings(site: Site, said: AppSettings) -> Iterator[Finding]:
    """Several for each cookie; none for a good one."""
    for cookie in said.cookies:
        yield from _lost(site, cookie)
        yield from _open(site, cookie)
    if said.keyless:
        what = f"there is no SECRET_KEY, and {said.keyless} uses the session: such requests end with an error"
        yield warning("SECRET_KEY", what, "set one, from the environment or a file", "no-key")


def _lost(site: Site, cookie: Cookie) -> Iterator[Finding]:
    """Cookies that browsers refuse, or do not send back."""
    secure = cookie.names.get("secure", "")
    if cookie.secure and is_reachable(site) and not is_told_https(site) and not site.proxies:
        what = f"{secure} is on and the site has no HTTPS: browsers do not send {cookie.what} back, and no login holds"
        hint = "turn HTTPS on; or name the proxy that ends it: behind"
        yield warning(secure, what, hint, "cookie-lost")
    if cookie.samesite == "none" and not cookie.secure:
        name = cookie.names.get("samesite", "")
        what = f'{name} is "None" without {secure}: browsers refuse {cookie.what}, and no login holds'
        yield warning(name, what, f'{secure} = True, or {name} = "Lax"', "cookie-lost")
    if missing := list(_prefixed(cookie)):
        rule = f"is a name that browsers take with {' and '.join(missing)} only"
        what = f"{cookie.title} {rule}: they refuse {cookie.what}"
        yield warning(cookie.title, what, "give it those attributes, or another name", "cookie-lost")
    if (domain := cookie.domain.lstrip(".").lower()) and (
        elsewhere := _not_below(site.options.domains, domain)
    ):
        name = cookie.names.get("domain", "")
        what = f"{name} is {cookie.domain}, and browsers refuse {cookie.what} at {', '.join(elsewhere)}"
        yield warning(name, what, f"leave {name} out, or name what the domains share", "cookie-lost")
    if cookie.path and site.prefix and not f"{site.prefix}/".startswith(f"{cookie.path.rstrip('/')}/"):
        name = cookie.names.get("path", "")
        what = f"{name} is {cookie.path} and mount is {site.prefix}: browsers do not send {cookie.what} there"
        yield warning(name, what, f"leave {name} out", "cookie-lost")


def _prefixed(cookie: Cookie) -> Iterator[str]:
    """What browsers miss in a cookie whose name begins so: draft-ietf-httpbis-rfc6265bis, section 4.1.3."""
    is_of_host = cookie.title.startswith("__Host-")
    if not cookie.secure and (is_of_host or cookie.title.startswith("__Secure-")):
        yield "Secure"
    if is_of_host and cookie.domain:
        yield "no Domain"
    if is_of_host and cookie.path not in ("", "/"):
        yield 'Path="/"'


def _not_below(domains: list[str], domain: str) -> list[str]:
    return [one for one in domains if one.lower() != domain and not one.lower().endswith(f".{domain}")]


def _open(site: Site, cookie: Cookie) -> Iterator[Finding]:
    """Cookies that others than their owner get, or can use."""
    if not cookie.secure and is_told_https(site):
        name = cookie.names.get("secure", "")
        what = f"{name} is off: {cookie.what} also travels over plain HTTP"
        yield warning(name, what, f"set {name} = True", "cookies")
    if cookie.httponly is False:
        name = cookie.names.get("httponly", "")
        what = f"{name} is off: a script that an attacker injects into a page reads {cookie.what}"
        yield warning(name, what, f"set {name} = True", "cookies")
    if not cookie.samesite and is_reachable(site):
        name = cookie.names.get("samesite", "")
        what = f"{name} is not set: some browsers send {cookie.what} with the forms of other sites"
        yield warning(name, what, f'set {name} = "Lax"', "cookies")
