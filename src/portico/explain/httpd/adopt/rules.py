"""Redirects and rules: options of Portico's, or the same in nginx's words."""

from __future__ import annotations

import re

from portico.explain.httpd.adopt import access
from portico.explain.httpd.adopt.view import Target, https_of, is_challenge
from portico.explain.httpd.adopt.work import Work
from portico.explain.httpd.blocks import every
from portico.explain.httpd.rewrite import Rule, rules_of
from portico.explain.httpd.sections import pattern_of
from portico.explain.httpd.servers import title
from portico.explain.httpd.sources import REDIRECTS, Line, line_of
from portico.explain.node import Node
from portico.plan.gateway.nginx.syntax import quote
from portico.site.checks.rule import URL_PATH
from portico.site.upstream_server import PARAMETERS

_WWW = re.compile(r"(?:\^?www\\?\.|!\^(?P<wanted>[\w\\.-]+)\$)")
_TO_HOST = re.compile(r"https?://(?P<host>[\w.-]+)(?:/?\$1|%\{REQUEST_URI\})")
_KEPT = ("301", "302")


def adopt_redirects_of_paths(work: Work) -> None:
    """Redirect and RedirectMatch of single paths."""
    for node in every(work.view.node, *REDIRECTS):
        line = line_of(node)
        if node in work.seen or line is None:
            continue
        if line.pattern in ("/", "^/"):
            work.improved(node, "Portico redirects HTTP to HTTPS by itself (308)")
        elif text := _redirect(line):
            work.keep(text, node)
            if work.target and not work.target.line.block:
                work.improved(node, "behind ProxyPass it never happened; now it does")
        else:
            work.lost(node, f"nginx's rewrite cannot answer {line.status or 'that'}", "let the app redirect")


def _redirect(line: Line) -> str:
    """The same as nginx's rewrite; empty if it has none."""
    if line.status not in _KEPT or re.search(r"[\s{}]", line.target + line.pattern):
        return ""
    how = "permanent" if line.status == "301" else "redirect"
    if line.is_regex:
        pattern, target = line.pattern, line.target
    else:
        prefix = re.sub(r"([][.^$*+?(){}|\\])", r"\\\1", line.pattern.rstrip("/"))
        end = "/(.*)$" if line.pattern.endswith("/") else "(/.*)?$"
        pattern, target = f"^{prefix}{end}", f"{line.target}$1"
        if not target.startswith(("http", "/")):
            return ""
    return f"rewrite {quote(pattern)} {quote(target)} {how};"


def adopt_rules(work: Work) -> None:
    """RewriteRule of the virtual host."""
    for rule in rules_of(work.view.node):
        if rule.node not in work.seen:
            _rule(work, rule)
            work.seen.update(rule.conditions)


def _rule(work: Work, rule: Rule) -> None:
    node, to = rule.node, rule.substitution
    if re.match(r"wss?://", to) or any("upgrade" in one.text.lower() for one in rule.conditions):
        work.built_in(node, "WebSockets pass everywhere")
    elif (found := https_of(rule)) and not _about_www(rule):
        work.improved(
            node,
            f"Portico redirects HTTP to HTTPS by itself, with 308 instead of {rule.flags.get('R') or '302'}",
        )
        del found
    elif _about_www(rule) and (host := _TO_HOST.fullmatch(to)):
        names = work.draft.options.get(("domains",))
        name = host["host"].lower()
        if names and isinstance(names.value, tuple) and name in names.value:
            work.option(("canonical",), name, node, "the redirect is 308, which keeps method and body")
        else:
            work.lost(node, f"{name} is no name of this site", "add it to domains, and set canonical")
    elif not rule.conditions and rule.flags.keys() & {"R"} and (text := _kept(rule)):
        work.keep(text, node)
    elif "F" in rule.flags and not rule.conditions and not rule.pattern.startswith("!"):
        work.keep(f"location ~ {quote(rule.pattern)} {{\n    return 403;\n}}", node)
    elif rule.flags.keys() & {"F", "G"} and any(_is_about_client(one) for one in rule.conditions):
        why = f"{node.text} says who may come, and Portico cannot keep it"
        work.lost(node, "it depends on who the client is", "write [access] for its path yourself")
        work.draft.refused = work.draft.refused or why
    elif any(is_challenge(one) for one in (node, *rule.conditions)):
        work.built_in(node, "with email, Portico orders certificates itself")
    else:
        work.lost(node, "the app gets paths as the client sent them", "let the app answer or redirect there")


def _is_about_client(node: Node) -> bool:
    return bool(
        re.search(r"%\{(?:REMOTE_|CONN_REMOTE|HTTP:X-|SSL)|^expr$", node.args[0] if node.args else "")
    )


def _about_www(rule: Rule) -> bool:
    return any(
        one.args[:1] == ("%{HTTP_HOST}",) and len(one.args) > 1 and _WWW.match(one.args[1])
        for one in rule.conditions
    )


def _kept(rule: Rule) -> str:
    status = {"permanent": "301", "": "302", "temp": "302"}.get(rule.flags["R"], rule.flags["R"])
    to = rule.substitution
    if "%{" in to or rule.pattern.startswith("!") or not rule.pattern.startswith("^/"):
        return ""
    return _redirect(Line(rule.node, rule.pattern, True, to, None, status))


def adopt_other_target(work: Work, target: Target) -> None:
    """A path that goes to another server than the site's, in nginx's words; or to the same."""
    node, ours = target.node, work.target
    if target.scheme in ("ws", "wss"):
        work.built_in(node, "WebSockets pass everywhere")
    elif (
        ours
        and target.servers == ours.servers
        and target.uri.rstrip("/") in ("", target.prefix.rstrip("/"))
        and (bool(target.uri.rstrip("/")) or target.prefix == ours.prefix)
    ):
        work.built_in(node, "the app answers there anyway")
    elif (
        target.problem
        or target.balancer
        or len(target.servers) != 1
        or (target.scheme in PARAMETERS and not ruled(target))
    ):
        hint = "make it a second site, below a name of its own"
        work.lost(node, target.problem or _no_rule(target), hint)
    elif guarded := next(
        (one for one in work.view.blocks_of_all("Location", "Proxy") if _guards(one, target)), None
    ):
        why = f"{title(guarded)} says who may come there, and a location in nginx's words would not"
        work.lost(node, why, "make it a second site, below a name of its own")
    elif to := ruled(target):
        strips = not target.uri.rstrip("/") and target.scheme == "http"
        work.route(f"{target.prefix.rstrip('/')}/", to, node, strips=strips, differs=target.told)
    else:
        _keep_location(work, target)


def ruled(target: Target) -> str:
    """The target as a rule names it; empty if a rule cannot say it."""
    prefix, uri, server = target.prefix.rstrip("/"), target.uri.rstrip("/"), target.servers[0]
    paths = (prefix,) if target.scheme == "uwsgi" else ("", prefix)
    if target.scheme == "https" or target.line.is_regex or uri not in paths or target.words or " " in server:
        return ""
    if not URL_PATH.fullmatch(prefix) or re.search(r"//|/\.|^/-$", prefix):
        return ""
    return server if "://" in server or server.startswith("unix:") else f"http://{server}"


def _no_rule(target: Target) -> str:
    """Why neither a rule nor nginx's words lead to a server."""
    if target.balancer or len(target.servers) != 1:
        return "a site has one app, and a [[route]] one server"
    name, path = {"uwsgi": "uwsgi", "fastcgi": "FastCGI"}[target.scheme], target.uri.rstrip("/")
    if target.scheme == "uwsgi" and not path:
        return f"its uwsgi server gets paths without {target.prefix}: a [[route]] strips it for HTTP servers alone"
    if path in ("", target.prefix.rstrip("/")):
        return f"a [[route]] has no time or pattern of its own for a {name} server"
    if target.scheme == "fastcgi":
        return f"it names files below {path} for its FastCGI server, as PHP needs: a [[route]] names none"
    return f"its {name} server gets paths below {path}: a [[route]] passes them on as they came"


def _guards(block: Node, target: Target) -> bool:
    """Whether a block may restrict the paths of a target."""
    pattern = pattern_of(block)[0].rstrip("/")
    prefix = target.prefix.rstrip("/")
    is_near = block.name == "Proxy" or prefix.startswith(pattern) or pattern.startswith(prefix)
    return is_near and any(one.args != ("all", "granted") for one in every(block, *access.NAMES))


def _keep_location(work: Work, target: Target) -> None:
    server = target.servers[0].removeprefix("https://")
    prefix, uri = target.prefix, target.uri
    if prefix.endswith("/") != uri.endswith("/") and uri:
        work.improved(target.node, "a slash at one end only glued paths together, or doubled a slash")
        uri = uri.rstrip("/") + ("/" if prefix.endswith("/") else "")
    host = "$http_host" if _preserves_host(work) else "$proxy_host"
    address = f"{target.scheme}://{server}{':' if server.startswith('unix:') and uri else ''}{uri}"
    lines = [
        f"location {quote(prefix)} {{", f"    proxy_pass {quote(address)};", f"    proxy_set_header Host {host};",
        "    proxy_set_header X-Forwarded-For $remote_addr;", "    proxy_set_header X-Forwarded-Host $http_host;", "}",
    ]  # fmt: skip
    work.keep("\n".join(lines), target.node, target.servers)


def _preserves_host(work: Work) -> bool:
    node: Node | None = work.view.setting("ProxyPreserveHost")
    return node is not None and node.args[:1] != () and node.args[0].lower() == "on"
