"""Every server of an nginx configuration, as sites of Portico."""

from __future__ import annotations

from collections.abc import Sequence

from portico.explain.adopted import Adopted, Draft, Fate, Remark, unique_names
from portico.explain.nginx.adopt.dropped import dropped
from portico.explain.nginx.adopt.entry import (
    adopt_addresses,
    adopt_certificates,
    adopt_names,
    adopt_proxies,
    adopt_redirects,
)
from portico.explain.nginx.adopt.locations import adopt_location
from portico.explain.nginx.adopt.main import adopt_main, adopt_main_access
from portico.explain.nginx.adopt.own import keep_used
from portico.explain.nginx.adopt.routes import redirect_words
from portico.explain.nginx.adopt.settings import adopt_setting, defaults
from portico.explain.nginx.adopt.view import Redirect, View, closes, is_challenge, redirect, views
from portico.explain.nginx.adopt.work import Work, shown
from portico.explain.nginx.families import PASSES
from portico.explain.node import Node

_TABLES = frozenset({"map", "geo", "split_clients", "upstream", "server", "location", "log_format", "types"})
_OTHER_MODULES = frozenset({"stream", "mail"})


def adopted(root: Node) -> Adopted:
    """The sites of a configuration."""
    everything = views(root)
    remarks = list(_outside(root))
    content, redirects = list[View](), list[tuple[View, Redirect]]()
    for view in everything:
        if line := closes(view):
            why = "with domains, requests for any other Host are closed (444)"
            remarks.append(Remark(Fate.BUILT_IN, line.place, shown(line), why))
        elif to := redirect(view):
            redirects.append((view, to))
        else:
            content.append(view)
    groups = _grouped(content)
    mine = _matched(groups, redirects)
    others = [(view, to) for view, to in redirects if not any((view, to) in found for found in mine)]
    moved = [(view, to) for view, to in others if view.names and _words(to)]
    remarks += [_alone(view, to) for view, to in others if (view, to) not in moved]
    views_of_sites = [*(group[0] for group in groups), *(view for view, _ in moved)]
    names = unique_names({at: _name(view) for at, view in enumerate(views_of_sites)})
    sites = [
        _site(group, found, names[at]) for at, (group, found) in enumerate(zip(groups, mine, strict=True))
    ]
    sites += [_moved(view, to, names[len(groups) + at]) for at, (view, to) in enumerate(moved)]
    return Adopted(tuple(one.done() for one in sites), tuple(remarks))


def _grouped(content: Sequence[View]) -> list[list[View]]:
    """Servers with the same names are one site: the one with TLS first."""
    groups = list[list[View]]()
    for view in content:
        same = next((group for group in groups if view.names and set(group[0].names) & set(view.names)), None)
        if same is None:
            groups.append([view])
        elif view.is_tls and not same[0].is_tls:
            same.insert(0, view)
        else:
            same.append(view)
    return groups


def _matched(
    groups: Sequence[Sequence[View]], redirects: Sequence[tuple[View, Redirect]]
) -> list[list[tuple[View, Redirect]]]:
    """The redirects that lead to each site."""
    made = [list[tuple[View, Redirect]]() for _ in groups]
    for view, to in redirects:
        at = next((n for n, group in enumerate(groups) if _leads_to(view, to, group[0])), None)
        if at is not None:
            made[at].append((view, to))
    return made


def _leads_to(view: View, to: Redirect, site: View) -> bool:
    if to.scheme == "https" and not site.is_tls:
        return False
    if to.host and not to.host.startswith("$"):
        return to.host in site.names
    return bool(set(view.names) & set(site.names)) or (
        site.is_tls and to.scheme == "https" and (not view.names or not site.names)
    )


def _name(view: View) -> str:
    plain = next((name for name in view.names if name[0].isalnum() and name != "localhost"), "")
    if plain:
        parts = plain.split(".")
        return parts[1] if parts[0] == "www" and len(parts) > 1 else parts[0]
    stem = view.node.file.rpartition("/")[2].removesuffix(".conf")
    return stem if stem and stem != "nginx" else "site"


def _site(group: Sequence[View], redirects: Sequence[tuple[View, Redirect]], name: str) -> Draft:
    view, *others = group
    work = Work(Draft(name, view.node.place), view)
    adopt_main(work)
    adopt_names(work)
    adopt_addresses(work, [*others, *(one for one, _ in redirects)])
    adopt_certificates(work)
    adopt_proxies(work)
    adopt_redirects(work, redirects)
    for other in others:
        _second(work, other)
    adopt_main_access(work)
    _settings(work)
    for location in view.locations:
        if location not in (view.main, work.main):
            adopt_location(work, location)
    for other, _ in redirects:
        for location in filter(is_challenge, other.locations):
            adopt_location(work, location)
    defaults(work)
    keep_used(work, [one.text for one in work.draft.kept])
    return work.draft


def _settings(work: Work) -> None:
    """The directives of `/`, of its server, and of http: the innermost of a name counts."""
    view = work.view
    taken = set[str]()
    whole = [work.main] if work.main is not None and work.main is not view.main else []
    for level in (*whole, *([view.main] if view.main else []), view.node, *reversed(view.above)):
        names = set[str]()
        for node in level.children or ():
            if node.name in (*PASSES, "location", *_TABLES) or node.name in taken:
                continue
            names.add(node.name)
            if level is view.above[0] and len(view.above) > 1:
                continue  # what is outside of http belongs to no site
            adopt_setting(work, node, ())
        taken |= names


def _second(work: Work, other: View) -> None:
    """A server of the same names beside the main one: it usually says the same without TLS."""
    if work.view.is_tls and not other.is_tls:
        work.improved(other.node, "Portico redirects HTTP to HTTPS (308), instead of answering both")
        return
    work.lost(
        other.node,
        "another server has the same names: a site has one address for HTTP",
        "make it a second site",
    )


def _words(to: Redirect) -> str:
    """The redirect as a rule says it; empty if it cannot."""
    if not to.host or "$" in to.host or to.scheme == "$scheme":
        return ""
    url = f"{to.scheme}://{to.host}"
    return redirect_words(to.status, f"{url}$request_uri" if to.keeps_path else to.node.args[-1])


def _moved(view: View, to: Redirect, name: str) -> Draft:
    """A site that only redirects its names."""
    work = Work(Draft(name, view.node.place), view, is_ruled=True)
    work.route("/", _words(to), to.node)
    adopt_names(work)
    adopt_addresses(work, [])
    adopt_certificates(work)
    for location in filter(is_challenge, view.locations):
        adopt_location(work, location)
    return work.draft


def _alone(view: View, to: Redirect) -> Remark:
    names, target = ", ".join(view.names) or "any Host", to.host or "HTTPS"
    why = f"it only redirects {names} to {target}: Portico redirects between the names of a site"
    return Remark(
        Fate.LOST,
        to.node.place,
        shown(to.node),
        why,
        "add these names to the domains of the site they lead to",
    )


def _outside(root: Node) -> list[Remark]:
    """Lines outside of http."""
    made = []
    for node in root.children or ():
        if node.name in _OTHER_MODULES:
            made.append(
                Remark(
                    Fate.LOST,
                    node.place,
                    shown(node),
                    "Portico serves HTTP",
                    "leave it to an nginx of its own",
                )
            )
        elif node.name == "load_module":
            why = "Portico takes the modules of the nginx that it runs"
            made.append(Remark(Fate.LOST, node.place, shown(node), why, "[nginx] binary names another nginx"))
        elif node.name == "env":
            made.append(Remark(Fate.LOST, node.place, shown(node), "nginx of Portico's has no such variable"))
        elif root.first("http") and (found := dropped(node.name)) and found[1]:
            made.append(Remark(found[0], node.place, shown(node), found[1]))
    return made
