"""nginx's configurations, in the form of `explain.language`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from portico.explain.language import Language, Setting
from portico.explain.nginx.adopt.adopt import adopted
from portico.explain.nginx.change import argv, changed, moved
from portico.explain.nginx.conditions import ends
from portico.explain.nginx.effect import in_force, notes, title
from portico.explain.nginx.families import LINKS, PASSES
from portico.explain.nginx.findings.all import findings
from portico.explain.nginx.locations import rule
from portico.explain.nginx.match import verdict
from portico.explain.nginx.read import read, read_partly
from portico.explain.nginx.sandbox import SANDBOX
from portico.explain.nginx.servers import names_of, ports
from portico.explain.nginx.words import TABLES, words
from portico.explain.nginx.written import alone
from portico.explain.node import Node
from portico.explain.verdict import Verdict
from portico.plan.gateway.nginx.syntax import quote

_DETOURS = {"upgraded": "418", "closed": "419"}
"""The statuses by which a generated configuration redirects a request to a named location."""


def quoted(node: Node) -> str:
    """A word with nginx's quotes."""
    return " ".join([node.name, *map(quote, node.args)])


def levels(root: Node, found: Verdict) -> list[Node]:
    """The location, the blocks around it, its server and http."""
    around = next((above for node, above in found.server.walk() if node is found.location), ())
    inner = [node for node in (found.location, *reversed(around)) if node and node is not found.server]
    return [*inner, found.server, *root.all("http"), root]


def detours(found: Verdict) -> Mapping[str, Node]:
    """The named locations that a generated configuration redirects to."""
    if found.location is None or not found.location.first(*PASSES):
        return {}
    ways = {why: _goes_on(found.server, found.location, status) for why, status in _DETOURS.items()}
    return {why: node for why, node in ways.items() if node}


def _goes_on(server: Node, location: Node, status: str) -> Node | None:
    """The target of `error_page` from the location with this status: `@name`, or `@name$route` with the route's
    word.
    """
    target = next((node.args[-1] for node in server.all("error_page") if status in node.args), "")
    name, sign, route = target.partition("$")
    word = next((node.args[1] for node in location.all("set") if node.args[0] == sign + route), "")
    return next((node for node in server.all("location") if rule(node).pattern == name + word), None)


def page(found: Verdict, status: int) -> Node | None:
    """The error_page that was used."""
    pages = (
        page for node in (found.location, found.server) for page in (node.all("error_page") if node else ())
    )
    return next((page for page in pages if str(status) in page.args[:-1]), None)


def hides(node: Node, header: str) -> bool:
    """By `uwsgi_hide_header` and the like."""
    return node.name.endswith("_hide_header") and node.args[0].lower() == header.lower()


def files(location: Node) -> tuple[Node, str] | None:
    """By `alias` or `root`."""
    line = location.saying("alias", "root")
    return (line, line.args[0]) if line else None


def _of_links(name: str) -> tuple[str, ...]:
    return tuple(f"{link}_{name}" for link in LINKS)


NGINX = Language(
    name="nginx",
    main="nginx.conf",
    mains=("nginx.conf", "conf/nginx.conf"),
    recognised=re.compile(r"^[^<#]*(?:[;{]|;(?:\s*\})+)\s*(?:#.*)?$", re.MULTILINE),
    read=read,
    read_partly=read_partly,
    adopted=adopted,
    alone=alone,
    quoted=quoted,
    shown=lambda node: node.text,
    title=title,
    tables=TABLES,
    words=words,
    findings=findings,
    notes=notes,
    in_force=in_force,
    names=names_of,
    ports=ports,
    verdict=verdict,
    ends=ends,
    levels=levels,
    settings={
        Setting.ANSWER: ("return",),
        Setting.BODY_SIZE: ("client_max_body_size",),
        Setting.BUFFERS: _of_links("buffers"),
        Setting.CACHE: _of_links("cache"),
        Setting.CLIENT_CERTIFICATE: ("ssl_verify_client",),
        Setting.COMPRESSION: ("gzip",),
        Setting.CONNECTIONS: ("limit_conn",),
        Setting.FILES: ("alias", "root"),
        Setting.HEAD_BUFFER: _of_links("buffer_size"),
        Setting.HEAD_SIZE: ("large_client_header_buffers",),
        Setting.NEXT_SERVER: _of_links("next_upstream"),
        Setting.ODD_NAMES: ("underscores_in_headers",),
        Setting.PASSED_HEADERS: ("uwsgi_param",),
        Setting.RATE: ("limit_req",),
        Setting.TIMEOUT: _of_links("read_timeout"),
        Setting.UPSTREAM: PASSES,
    },
    files=files,
    member=lambda _root, _address: None,
    detours=detours,
    page=page,
    hides=hides,
    changed=changed,
    moved=moved,
    argv=argv,
    only_reads=("-t",),
    sandbox=SANDBOX,
)  # fmt: skip
