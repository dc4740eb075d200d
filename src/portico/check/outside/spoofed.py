"""Headers in which proxies say who and where: does the site believe them from anybody?"""

from __future__ import annotations

from collections.abc import Iterator

from portico.check.model import Finding
from portico.check.outside.client import Answer
from portico.check.outside.look import Look, links

_HOSTS = (
    "X-Forwarded-Host",
    "X-Host",
    "X-Forwarded-Server",
    "X-HTTP-Host-Override",
    "Forwarded",
    "X-Original-Host",
)
_SCHEMES = (
    "X-Forwarded-Proto",
    "X-Forwarded-Scheme",
    "X-Forwarded-Ssl",
    "Front-End-Https",
    "X-Url-Scheme",
    "Forwarded",
)
_PATHS = ("X-Original-URL", "X-Rewrite-URL")
_PREFIXES = ("X-Script-Name", "X-Forwarded-Prefix", "Script-Name")
_FILES = ("X-Accel-Redirect", "X-Sendfile")
_BELIEVED = (
    "the proxy in front must replace or remove the header: proxy_set_header {} with what nginx itself knows"
)
_OPTION = (
    "Portico removes this header: is a proxy of behind (or a header of client_headers) handing it on, or does the app "
    "listen to strangers beside nginx?"
)


def spoofed_findings(look: Look) -> Iterator[Finding]:
    """One request with all headers of a kind; each by itself only where that changed something."""
    found = [*_hosts(look), *_schemes(look), *_paths(look), *_proxy(look)]
    yield from found
    if not found:
        what = "redirects, links and cookies stay as they are, whatever headers of proxies a client sends"
        yield look.ok(what, "url-spoofed-host")


def _hosts(look: Look) -> Iterator[Finding]:
    name = f"{look.client.mark}.example"
    for path in look.paths():
        if not name_in(look.client.get(path, *(_host_line(one, name) for one in _HOSTS)), name):
            continue
        for one in _HOSTS:
            if where := name_in(look.client.get(path, _host_line(one, name)), name):
                what = f"a client that sends {one} chooses the host in the {where} of {path}: links lead where it says"
                yield look.fault(one, what, _BELIEVED.format(one), "url-spoofed-host", _OPTION)
        return


def _host_line(header: str, name: str) -> str:
    return f"Forwarded: host={name}" if header == "Forwarded" else f"{header}: {name}"


def name_in(answer: Answer, name: str) -> str:
    """Where an answer names it as an address: a redirect, a cookie, a link. Text that repeats it does not count."""
    if name in answer.header("Location"):
        return "redirect"
    if any(f"domain={name}" in value.lower() for value in answer.all("Set-Cookie")):
        return "cookie"
    if name in answer.header("Link") or any(f"//{name}" in link for link in links(answer)):
        return "links"
    return ""


def _schemes(look: Look) -> Iterator[Finding]:
    """Whether the scheme of redirects and links, or the redirect to HTTPS itself, follows the header."""
    other = "http" if look.target.is_secure else "https"
    values = {
        "X-Forwarded-Ssl": "off" if other == "http" else "on",
        "Front-End-Https": "off" if other == "http" else "on",
    }
    for path in look.paths():
        plain = _shape(look.client.get(path), other)
        said = [(one, f"proto={other}" if one == "Forwarded" else values.get(one, other)) for one in _SCHEMES]
        if _shape(look.client.get(path, *(f"{one}: {value}" for one, value in said)), other) == plain:
            continue
        for one, value in said:
            if _shape(look.client.get(path, f"{one}: {value}"), other) != plain:
                what = f"a client that sends {one}: {value} chooses the scheme of redirects, links or cookies of {path}"
                yield look.fault(one, what, _BELIEVED.format(one), "url-spoofed-scheme", _OPTION)
        return


def _shape(answer: Answer, scheme: str) -> tuple[object, ...]:
    """What depends on the scheme."""
    secure = sum("secure" in value.lower() for value in answer.all("Set-Cookie"))
    return (
        answer.status,
        answer.header("Location"),
        secure,
        sum(link.startswith(f"{scheme}://") for link in links(answer)),
    )


def _paths(look: Look) -> Iterator[Finding]:
    mark = f"/{look.client.mark}"
    page = look.page
    for one in _PATHS:
        answer = look.client.get("", f"{one}: {mark}")
        if answer.status == 404 != page.status:
            what = f"a client that sends {one} chooses the path: rules of the gateway for a path can be passed by"
            yield look.fault(one, what, _BELIEVED.format(one), "url-spoofed-path", _OPTION)
    for one in _PREFIXES:
        answer = look.client.get("", f"{one}: {mark}")
        if mark in answer.header("Location") or any(link.startswith(mark) for link in links(answer)):
            what = f"a client that sends {one} puts a prefix before the site's links and redirects"
            yield look.fault(one, what, _BELIEVED.format(one), "url-spoofed-path", _OPTION)
    for one in _FILES:
        answer = look.client.get("", f"{one}: {mark}")
        if answer.status in (403, 404, 500) and page.status < 400:
            what = f"a client that sends {one} changes what is sent: the header belongs to answers, not to requests"
            yield look.fault(one, what, _BELIEVED.format(one), "url-spoofed-path", _OPTION)


def _proxy(look: Look) -> Iterator[Finding]:
    """HTTP_PROXY in the environment of a CGI: its own requests then go through the attacker (httpoxy)."""
    answer = look.client.get("", "Proxy: http://127.0.0.1:9/")
    if answer.status >= 500 > look.page.status > 0:
        what = f"with a Proxy header the page answers {answer.status}: its own requests may go where a client says"
        yield look.fault("Proxy", what, 'nginx: proxy_set_header Proxy ""', "url-spoofed-path", _OPTION)
