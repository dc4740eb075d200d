"""limit_req, limit_conn and limit_rate."""

from __future__ import annotations

from portico.explain.nginx.adopt.quantities import bytes_of, rate, size
from portico.explain.nginx.adopt.work import Work
from portico.explain.node import Node

_CLIENT = ("$binary_remote_addr", "$remote_addr", "$http_x_forwarded_for", "$realip_remote_addr")


def adopt_limit(work: Work, node: Node, rules: tuple[str, ...]) -> None:
    """One limit of the site, or of the rules of a location."""
    match node.name:
        case "limit_req":
            _requests(work, node, rules)
        case "limit_conn":
            _connections(work, node, rules)
        case "limit_rate":
            _bandwidth(work, node, rules)
        case _:
            work.lost(node, "an answer has one bandwidth from its first byte")


def zone(work: Work, kind: str, name: str) -> Node | None:
    """The zone of that name."""
    return next(
        (
            one
            for one in work.view.inherited(kind)
            if any(word.startswith(f"zone={name}:") for word in one.args)
        ),
        None,
    )


def _requests(work: Work, node: Node, rules: tuple[str, ...]) -> None:
    words = dict(word.partition("=")[::2] for word in node.args)
    found = zone(work, "limit_req_zone", words.get("zone", ""))
    text = next((rate(word[5:]) for word in found.args if word.startswith("rate=")), None) if found else None
    if found is None or text is None:
        work.lost(node, "its zone is not in this configuration", "set [limits] rate")
        return
    if found.args[0] not in _CLIENT:
        _keep(work, node, found, rules)
        return
    burst = words.get("burst", "0")
    limit = f"{text} burst {burst or '0'}"
    differs = (
        ""
        if "nodelay" in words
        else "requests above the rate are not delayed: within the burst they pass, above it they get 429"
    )
    if found.args[0] == "$http_x_forwarded_for":
        differs = "the client's address counts: it could write any X-Forwarded-For"
    work.seen.add(found)
    for rule in rules:
        work.option(("routes", rule, "limit"), (limit,), node, differs)
    if not rules:
        work.option(("limits", "rate"), (limit,), node, differs)


def _connections(work: Work, node: Node, rules: tuple[str, ...]) -> None:
    found = zone(work, "limit_conn_zone", node.args[0]) if node.args else None
    if found is None or not node.args[-1].isdigit():
        work.lost(node, "its zone is not in this configuration", "set [limits] in_progress")
    elif found.args[0] not in _CLIENT:
        _keep(work, node, found, rules)
    elif rules:
        for rule in rules:
            work.option(("routes", rule, "limit"), (f"{node.args[-1]} in progress",), node)
    else:
        work.option(("limits", "in_progress"), int(node.args[-1]), node)


def _keep(work: Work, node: Node, found: Node, rules: tuple[str, ...]) -> None:
    if rules:
        work.lost(node, f"a route's limit counts clients, sessions or accounts, not {found.args[0]}")
    else:
        work.keep(node)


def _bandwidth(work: Work, node: Node, rules: tuple[str, ...]) -> None:
    value = bytes_of(node.args[0]) if node.args else None
    if value is None:
        work.lost(node, "Portico's bandwidth is one number", "set [limits] bandwidth")
        return
    if value == 0:
        work.built_in(node, "no bandwidth is limited")
        return
    text = f"{size(value)}/second"
    for rule in rules:
        work.option(("routes", rule, "bandwidth"), text, node)
    if not rules:
        work.option(("limits", "bandwidth"), text, node)
