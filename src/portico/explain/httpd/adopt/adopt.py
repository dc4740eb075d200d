"""Every virtual host of an httpd configuration, as sites of Portico."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portico.explain.adopted import Adopted, Draft, Fate, Remark, unique_names
from portico.explain.httpd.adopt import access
from portico.explain.httpd.adopt.entry import (
    adopt_addresses,
    adopt_certificates,
    adopt_names,
    adopt_proxies,
    adopt_redirects,
)
from portico.explain.httpd.adopt.files import adopt_aliases, adopt_folders
from portico.explain.httpd.adopt.main import adopt_main
from portico.explain.httpd.adopt.rules import adopt_other_target, adopt_redirects_of_paths, adopt_rules
from portico.explain.httpd.adopt.settings import adopt_setting, defaults
from portico.explain.httpd.adopt.view import Redirect, View, redirect, views
from portico.explain.httpd.adopt.work import Work, shown
from portico.explain.httpd.blocks import every, inside, undecided
from portico.explain.httpd.sections import pattern_of
from portico.explain.httpd.sources import ALIASES, PROXIES, REDIRECTS, WSGI
from portico.explain.node import Node

_BLOCKS_OF_FILES = ("Directory", "DirectoryMatch", "Files", "FilesMatch")
_INHERITED = ("Timeout", "ProxyTimeout", "LimitRequestBody", "Header", "RequestHeader", "SecRuleEngine")
_STATUS = ("server-status", "server-info", "balancer-manager")
_OF_PATHS = (*PROXIES, *REDIRECTS, *ALIASES, *WSGI)


def adopted(root: Node) -> Adopted:
    """The sites of a configuration."""
    content, redirects = list[View](), list[tuple[View, Redirect]]()
    for view in views(root):
        if to := redirect(view):
            redirects.append((view, to))
        elif view.node is not root or _says_something(view):
            content.append(view)
    groups = _grouped(content)
    mine = [[pair for pair in redirects if _leads_to(*pair, group[0])] for group in groups]
    remarks = [_alone(view, to) for view, to in redirects if not any((view, to) in found for found in mine)]
    names = unique_names({at: _name(group[0]) for at, group in enumerate(groups)})
    sites = [
        _site(group, found, names[at]) for at, (group, found) in enumerate(zip(groups, mine, strict=True))
    ]
    return Adopted(tuple(one.done() for one in sites), tuple(remarks))


def _says_something(view: View) -> bool:
    return bool(next(view.targets(), None) or view.apps())


def _grouped(content: Sequence[View]) -> list[list[View]]:
    """Virtual hosts with the same names are one site: the one with TLS first."""
    groups = list[list[View]]()
    for view in content:
        same = next((group for group in groups if set(group[0].names) & set(view.names)), None)
        if same is None:
            groups.append([view])
        elif view.is_tls and not same[0].is_tls:
            same.insert(0, view)
        else:
            same.append(view)
    return groups


def _leads_to(view: View, to: Redirect, site: View) -> bool:
    if to.host:
        return to.host in site.names
    return bool(set(view.names) & set(site.names)) or (site.is_tls and not (view.names and site.names))


def _name(view: View) -> str:
    plain = next((name for name in view.names if name[:1].isalnum() and name != "localhost"), "")
    if plain:
        parts = plain.split(".")
        return parts[1] if parts[0] == "www" and len(parts) > 1 else parts[0]
    stem = view.node.file.rpartition("/")[2].removesuffix(".conf")
    return stem if stem and stem not in ("apache2", "httpd") else "site"


def _site(group: Sequence[View], redirects: Sequence[tuple[View, Redirect]], name: str) -> Draft:
    view, *others = group
    work = Work(Draft(name, view.mark.place), view)
    adopt_main(work)
    adopt_names(work)
    adopt_addresses(work, [*others, *(one for one, _ in redirects)])
    adopt_certificates(work)
    adopt_proxies(work)
    adopt_redirects(work, redirects)
    for other in others:
        _second(work, other)
    _exceptions(work)
    for target in view.targets():
        if target != work.target and target.node not in work.seen:
            adopt_other_target(work, target)
    for app in view.apps():
        if app not in work.seen:
            work.lost(app, "a site has one app", "make it a second site, below a name of its own")
    adopt_aliases(work)
    adopt_folders(work)
    adopt_redirects_of_paths(work)
    adopt_rules(work)
    _paths(work)
    for node in _settings(work):
        adopt_setting(work, node)
    defaults(work)
    _guesses(work)
    return work.draft


def _exceptions(work: Work) -> None:
    for node in every(work.view.node, "ProxyPass", "ProxyPassMatch"):
        if node.args[1:2] == ("!",):
            work.built_in(node, "files of [static] come before the app")


def _second(work: Work, other: View) -> None:
    """A virtual host of the same names beside the main one: it usually says the same without TLS."""
    if work.view.is_tls and not other.is_tls:
        work.improved(other.node, "Portico redirects HTTP to HTTPS (308), instead of answering both")
        return
    why = "another virtual host has the same names: a site has one address for HTTP"
    work.lost(other.node, why, "make it a second site")


def _paths(work: Work) -> None:
    """<Location>: who may come there, and what has no option."""
    for block in work.view.blocks_of_all(
        "Location", "LocationMatch", "Proxy", "ProxyMatch", "If", "Limit", "LimitExcept"
    ):
        if block in work.seen:
            continue
        pattern, is_regex = pattern_of(block)
        lines = [node for node in inside(block) if node.name not in (*_OF_PATHS, *access.NAMES)]
        rules = [node for node in every(block, *access.NAMES) if node.args != ("all", "granted")]
        if block.name == "Proxy" and pattern == "*" and rules:
            access.adopt_access(work, block, "/")
        elif block.name.startswith("Proxy") and not rules:
            work.built_in(block, "nothing is passed on to other servers than those of the site")
        elif any(_is_status(node) for node in lines):
            work.improved(block, "portico status and portico metrics have its numbers, and more")
            continue
        elif block.name != "Location" or is_regex or "*" in pattern:
            _conditional(work, block, has_rules=bool(rules))
            continue
        elif rules:
            access.adopt_access(work, block, pattern.rstrip("/") or "/")
        _lines_of_path(work, block, lines, is_whole=pattern == "/")


def _conditional(work: Work, block: Node, *, has_rules: bool) -> None:
    """A block for some requests: a site whose rules would be lost is not served."""
    why = "[access] and [routes] know paths, not conditions and patterns"
    work.lost(block, why, "write them for each path, or let the app decide")
    if has_rules and not work.draft.refused:
        work.draft.refused = f"{shown(block)} says who may come, and Portico cannot keep it: {why}"


def _lines_of_path(work: Work, block: Node, lines: list[Node], *, is_whole: bool) -> None:
    for node in lines:
        if node in work.seen:
            continue
        if is_whole or node.name.startswith(
            ("ProxyPassReverse", "RequestHeader", "SetEnv", "WSGI", "ProxySet")
        ):
            adopt_setting(work, node)
        else:
            work.lost(
                node,
                f"it holds below {block.args[0] if block.args else block.name} alone",
                "[routes] has an option for some",
            )


def _settings(work: Work) -> Iterator[Node]:
    """The lines of the virtual host, then those of the main server that it has no line of its own for."""
    own = [node for node in inside(work.view.node) if node.children is None]
    yield from own
    names = {node.name for node in own} - {"Header", "RequestHeader"}
    for node in (one for level in work.view.levels[1:] for one in inside(level)):
        if node.children is None and node.name in _INHERITED and node.name not in names:
            yield node


def _guesses(work: Work) -> None:
    for node in undecided(work.view.node):
        why = "the files do not tell whether it holds: taken as if it did"
        work.draft.remark(Fate.BUILT_IN, node.place, shown(node), why)


def _alone(view: View, to: Redirect) -> Remark:
    names, target = ", ".join(view.names) or "any Host", to.host or "HTTPS"
    why = f"it only leads {names} to {target}, which is no site of this configuration"
    return Remark(Fate.LOST, to.node.place, shown(to.node), why, "leave it to httpd, or set canonical")


def _is_status(node: Node) -> bool:
    return node.name == "SetHandler" and node.args[:1] != () and node.args[0] in _STATUS
