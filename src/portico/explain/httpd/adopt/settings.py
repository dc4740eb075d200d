"""Times, sizes, headers, and everything that Portico does itself."""

from __future__ import annotations

import re

from portico.explain.adopted import Fate
from portico.explain.httpd.adopt.replaced import replaced
from portico.explain.httpd.adopt.work import Work
from portico.explain.httpd.blocks import is_on, last
from portico.explain.httpd.names import MODULE_OF
from portico.explain.node import Node
from portico.values import Duration, Size

_AGE = re.compile(r"max-age=(\d+)")
_PLAIN = re.compile(r"[\x20-\x24\x26-\x7e]*")
_MOST_SECONDS = 730 * 86400
_TOLD = (
    "x-forwarded-proto", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-ssl", "x-real-ip",
    "x-forwarded-scheme", "x-forwarded-prefix", "x-scheme", "x-url-scheme", "x-script-name", "host", "proxy",
    "front-end-https", "x-forwarded-server", "forwarded",
)  # fmt: skip
_ABOUT_ONE = ("cache-control", "expires", "pragma", "vary", "server", "set-cookie", "link", "etag")
_HTTPD = 'gateway = "apache" takes it: [apache] server'


def adopt_setting(work: Work, node: Node) -> None:
    """One directive of a virtual host, or one that it inherits."""
    if node in work.seen:
        return
    match node.name:
        case "Timeout" if work.view.setting("ProxyTimeout"):
            work.built_in(node, "ProxyTimeout counts for the app")
        case "Timeout" | "ProxyTimeout" if ("request_timeout",) in work.draft.options:
            work.built_in(node, "the timeout of ProxyPass or of the app's processes counts")
        case "Timeout" | "ProxyTimeout" if node.args and node.args[0].isdigit() and work.target:
            work.option(("request_timeout",), str(Duration(float(node.args[0]))), node)
        case "LimitRequestBody" if node.args and node.args[0].isdigit():
            size, differs = int(node.args[0]), "0 was no limit: a body may fill the disk"
            text = str(Size(size)) if size else "1024GiB"
            work.option(("max_upload",), text, node, "" if size else differs)
        case "Header":
            _header(work, node)
        case "RequestHeader":
            _request_header(work, node)
        case "SetEnv" | "PassEnv" | "UnsetEnv":
            _environment(work, node)
        case "SecRuleEngine":
            _firewall(work, node)
        case _:
            _other(work, node)


def _other(work: Work, node: Node) -> None:
    fate, why = replaced(node.name)
    if fate is Fate.BUILT_IN and why:
        work.built_in(node, why)
    elif fate is Fate.IMPROVED:
        work.improved(node, why)
    elif fate is None:
        known = node.name in MODULE_OF
        work.lost(
            node,
            "Portico has no option for it" if known else "no module of httpd has it",
            _HTTPD if known else "",
        )
    work.seen.add(node)


def _header(work: Work, node: Node) -> None:
    words = list(node.args)
    if words[:1] and words[0].lower() in ("always", "onsuccess"):
        words.pop(0)
    action, name, *rest = (*(word for word in words), "", "")[:4]
    low, value, more = name.lower(), rest[0] if rest else "", words[3:]
    if action.lower() == "unset" and name:
        work.option(("headers", "remove"), (name,), node)
    elif (
        more
        or action.lower() not in ("set", "add", "append", "merge", "setifempty")
        or not _PLAIN.fullmatch(value)
    ):
        work.lost(node, "Portico sets a header always, and to one text", "let the app send it")
    elif low == "strict-transport-security":
        _hsts(work, node, value)
    elif low == "x-xss-protection":
        work.improved(
            node,
            "browsers have removed the filter that it switched, because it could be turned against a page",
        )
    elif low in _ABOUT_ONE or low.startswith("access-control-"):
        hint = "let the app send it, or use [cors]" if low.startswith("access") else "let the app send it"
        work.lost(node, "it depends on the answer", hint)
    else:
        differs = "the app's own value wins, and the header is sent once"
        work.option(("headers", "set", name), " ".join(value.split()), node, differs)


def _hsts(work: Work, node: Node, value: str) -> None:
    found = _AGE.search(value)
    age, low = min(int(found[1]), _MOST_SECONDS) if found else 0, value.lower()
    if not work.view.is_tls or not age:
        work.improved(node, "browsers ignore it on plain HTTP; with HTTPS Portico sends it: https.hsts")
    elif "preload" in low and age >= 365 * 86400:
        work.option(("https", "hsts"), "preload", node)
    else:
        days, rest = divmod(age, 86400)
        differs = "without includeSubDomains, which holds for other sites of the domain, too"
        text = f"{days}d" if not rest else f"{age}s"
        work.option(("https", "hsts"), text, node, differs if "includesubdomains" in low else "")


def _request_header(work: Work, node: Node) -> None:
    words = [word for word in node.args if word.lower() != "early"]
    name = words[1].lower() if len(words) > 1 else ""
    if name in _TOLD:
        work.built_in(node, "the app gets host, scheme and client from the gateway alone")
    elif name == "upgrade" or name == "connection":
        work.built_in(node, "WebSockets pass everywhere")
    else:
        work.lost(node, "Portico adds no headers of its own to requests", "let the app decide")


def _environment(work: Work, node: Node) -> None:
    name = node.args[0].lower() if node.args else ""
    if name.startswith(
        ("proxy-", "no-gzip", "force-", "nokeepalive", "downgrade", "dont-vary", "force-proxy")
    ):
        work.built_in(node, "Portico sets how requests and answers travel to the app")
    else:
        hint = "set it where Portico starts: in its unit, Environment="
        work.lost(node, "the app gets its environment from Portico's own", hint)


def _firewall(work: Work, node: Node) -> None:
    kind = {"on": "block", "detectiononly": "detect"}.get(node.args[0].lower() if node.args else "")
    if kind:
        work.option(("guard", "waf"), kind, node, "the OWASP Core Rule Set, with Portico's own settings")
    else:
        work.seen.add(node)


def defaults(work: Work) -> None:
    """What httpd does where nothing is set: 60 s for an answer, 1 GiB for a body."""
    if work.target is None:
        return
    if ("request_timeout",) not in work.draft.options:
        work.draft.set(("request_timeout",), "60s", work.target.node.place, "Timeout is 60 by default")
    keeps = work.view.setting("ProxyPreserveHost") or (
        last(work.target.line.block, "ProxyPreserveHost") if work.target.line.block else None
    )
    if work.target.scheme in ("http", "https") and not is_on(keeps):
        why = "the app gets the Host that the client asked for, not the inner one"
        work.draft.remark(Fate.IMPROVED, work.target.node.place, "ProxyPreserveHost is Off by default", why)
    if ("max_upload",) not in work.draft.options:
        why = "bodies of 16 MiB are accepted, or what the app itself sets: max_upload"
        work.draft.remark(Fate.IMPROVED, work.view.mark.place, "LimitRequestBody is 1 GiB by default", why)
