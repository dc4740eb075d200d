"""The servers behind a site: an address, or an upstream block with its method."""

from __future__ import annotations

from portico.explain.nginx.adopt import fastcgi
from portico.explain.nginx.adopt.passes import Target
from portico.explain.nginx.adopt.work import Work
from portico.explain.node import Node

_METHODS = {"least_conn": "least_conn", "ip_hash": "ip_hash", "least_time": "least_time"}


def adopt_upstream(work: Work, location: Node, target: Target) -> None:
    """The options of [upstream], for the target of a location."""
    differs = ""
    if any("localhost" in text for text in (target.address, *_addresses(target))):
        differs = "localhost is written as 127.0.0.1: nginx tried ::1, too, where few app servers listen"
    work.seen.add(target.node)
    if target.scheme == "fastcgi":
        differs = fastcgi.differs(work.view, location) or differs
    work.option(("upstream", "servers"), target.servers, target.node, differs)
    if target.upstream is not None:
        for node in target.upstream.children or ():
            _line(work, node)


def _addresses(target: Target) -> list[str]:
    return [node.args[0] for node in target.upstream.all("server") if node.args] if target.upstream else []


def _line(work: Work, node: Node) -> None:
    match node.name:
        case "server":
            _server(work, node)
        case "least_conn" | "ip_hash" | "least_time":
            work.option(("upstream", "method"), _METHODS[node.name], node)
        case "hash":
            differs = (
                ""
                if "consistent" in node.args
                else "the hash is consistent: a server that leaves moves only its own share"
            )
            work.option(("upstream", "method"), "hash", node, differs)
            work.option(("upstream", "hash_key"), node.args[0], node)
        case "random":
            work.option(("upstream", "method"), "random_two", node)
        case "sticky" if node.args[:1] == ("cookie",) and len(node.args) > 1:
            differs = "the cookie lasts for the session" if len(node.args) > 2 else ""
            work.option(("upstream", "sticky"), node.args[1], node, differs)
        case "keepalive" | "keepalive_timeout" | "keepalive_requests" | "keepalive_time":
            work.improved(
                node,
                "each request has a connection of its own: none is closed under a POST that uses it again",
            )
        case "zone" | "resolver" | "resolver_timeout":
            work.built_in(node, "Portico writes its own")
        case _:
            work.lost(node, "Portico's list of servers has no place for it")


def _server(work: Work, node: Node) -> None:
    words = node.args[1:]
    if "down" in words:
        work.lost(node, "it is down, and left out", f"portico drain {node.args[0]} takes a server out")
    if any(word.startswith(("max_fails", "fail_timeout")) for word in words):
        work.improved(node, "Portico asks each server for the health path itself: [upstream] check")
    for word in words:
        if word.startswith(("max_conns", "slow_start", "route", "service", "drain")):
            work.lost(node, f"{word.partition('=')[0]} has no option")
