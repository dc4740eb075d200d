"""Which server and which location answer a request by nginx's rules, and why the others do not.

Pure. The rules are those of ngx_http.c (servers) and ngx_http_core_find_location (locations); the tests compare
with real nginx.
"""

from __future__ import annotations

from portico.explain.nginx.conditions import known_of, value
from portico.explain.nginx.locations import find_location
from portico.explain.nginx.locations import lost as locations_lost
from portico.explain.nginx.paths import normalised
from portico.explain.nginx.servers import choose_server
from portico.explain.node import Node
from portico.explain.verdict import Asked, Verdict


def verdict(root: Node, asked: Asked) -> Verdict:
    """The server and location. Raises NoServerError; ValueError for a path that nginx refuses with 400."""
    server, server_why, lost, notes = choose_server(root, asked)
    http = next((block for block in root.all("http") if server in (block.children or ())), root)
    uri = normalised(asked.target, merges=_merges(http, server))
    known = known_of(asked, uri)

    def holds(variable: str) -> bool:
        return value(http, variable, known) not in (None, "", "0")

    location, how = find_location(server, uri, holds)
    if early := server.first("return"):
        notes = (
            *notes,
            f"the server itself says: {early.text} ({early.place}), before it looks for a location",
        )
    return Verdict(
        server, server_why, lost, uri, location, how, tuple(locations_lost(server, location, uri, how)), notes
    )


def _merges(http: Node, server: Node) -> bool:
    said = server.first("merge_slashes") or http.first("merge_slashes")
    return said is None or said.args != ("off",)
