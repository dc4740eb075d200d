"""The Host header: whose names does the site answer to?"""

from __future__ import annotations

from collections.abc import Iterator

from portico.check.model import Finding
from portico.check.outside.client import Answer
from portico.check.outside.look import Look
from portico.check.outside.spoofed import name_in

_DOMAINS = 'domains = ["{}"]: every other name is closed without an answer'
_DEFAULT = "nginx: one server with listen ... default_server and return 444, another with the site's names"


def host_findings(look: Look) -> Iterator[Finding]:
    found = [*_unknown(look), *_broken(look), *_request_line(look)]
    yield from found
    if not found:
        yield look.ok("a Host of nobody's, none and two are refused", "url-host")


def _option(look: Look) -> str:
    is_name = any(letter.isalpha() for letter in look.target.host) and ":" not in look.target.host
    return _DOMAINS.format(look.target.host if is_name else "shop.example")


def is_same(page: Answer, answer: Answer) -> bool:
    """Whether the app answered both alike: status, kind and about the size."""
    if answer.status != page.status or not 0 < answer.status < 400:
        return False
    is_kind = answer.header("Content-Type") == page.header("Content-Type")
    return is_kind and abs(len(answer.body) - len(page.body)) <= max(64, len(page.body) // 5)


def _unknown(look: Look) -> Iterator[Finding]:
    name, option = f"{look.client.mark}.example", _option(look)
    for path in look.paths():
        if where := name_in(look.client.get(path, host=name), name):
            what = f"the {where} of {path} name any host that a client sends: a link in a mail can lead elsewhere"
            yield look.fault(
                "Host", what.replace("redirect of", "redirects of"), _DEFAULT, "url-host", option
            )
            return
    if is_same(look.page, look.client.get(host=name)):
        what = f"the app answers to names that are not its own ({name}): another domain can show this site as its own"
        yield look.warning("Host", what, _DEFAULT, "url-host", option)


def _broken(look: Look) -> Iterator[Finding]:
    """RFC 9112, 3.2: a server must answer 400 to each."""
    path, own = look.target.path, f"Host: {look.target.authority}"
    cases = {
        "no Host": f"GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n",
        "two Hosts": f"GET {path} HTTP/1.1\r\n{own}\r\nHost: {look.client.mark}.example\r\nConnection: close\r\n\r\n",
        "a Host with a blank": f"GET {path} HTTP/1.1\r\n{own} x\r\nConnection: close\r\n\r\n",
    }
    for name, request in cases.items():
        answer = look.client.raw(request.encode("latin-1"))
        if 0 < answer.status < 400:
            what = f"a request with {name} is answered with {answer.status}: caches and firewalls may read another name"
            yield look.warning(
                "Host", what, "a server must answer 400: which one in the chain does not?", "url-framing"
            )


def _request_line(look: Look) -> Iterator[Finding]:
    """The name in the request line counts, not the header's (RFC 9112, 3.2.2)."""
    name = f"{look.client.mark}.example"
    target = f"{look.target.scheme}://{look.target.authority}{look.target.path}"
    where = name_in(look.client.get(target, host=name), name)
    if where:
        what = f"with the site's own name in the request line, the Host header still chooses the host in the {where}"
        hint = "nginx: hand on $host, not $http_host; and refuse unknown names"
        yield look.fault("Host", what, hint, "url-host", _option(look))
