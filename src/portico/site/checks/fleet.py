"""Rules for the options of [fleet], beyond their types."""

from __future__ import annotations

import ipaddress
import re

from portico.site.checks.rule import Broken, Rules
from portico.site.options import Options
from portico.site.upstream_server import Server

_DIRECTORY = re.compile(r"(/[^/\x00-\x1f\x7f-\x9f\u2028\u2029]+)+")
_LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]+")
"""Without control characters, and without those that some programs take for the end of a line."""
_DESTINATION = re.compile(r"[A-Za-z0-9_\[][A-Za-z0-9_.@:%\[\]-]*")
"""Of ssh(1): not an option, and one word in any shell."""


def _directory(options: Options) -> Broken:
    directory = options.fleet.directory
    if not directory:
        return
    if not _DIRECTORY.fullmatch(directory) or ".." in directory.split("/"):
        yield f'"{directory}" is not a directory of a host', "expected an absolute path, like /srv/shop"
    if not options.upstream.servers:
        yield "there are no hosts", "name the gateway's servers in [upstream]"
    try:
        hosts = [(server.name, server.host) for server in map(Server.parse, options.upstream.servers)]
    except ValueError:
        return  # the rule of the servers reports it
    seen = set[str]()
    for name, host in hosts:
        if not host:
            yield f"{name} is no other host", "leave [fleet] out, or name the servers by host and port"
        elif host in seen:
            yield f"{name} is on the same host as another server", "each host has one site of a fleet"
        seen.add(host)


def _fetch(options: Options) -> Broken:
    if options.fleet.fetch and not _LINE.fullmatch(options.fleet.fetch):
        yield (
            "the command has several lines or a control character",
            "expected one line for sh; call a script for more",
        )


def _program(options: Options) -> Broken:
    if not _LINE.fullmatch(options.fleet.program):
        yield f'"{options.fleet.program}" is not a program', "expected portico, or its absolute path"


def _gateway(options: Options) -> Broken:
    if options.fleet.gateway and not _DESTINATION.fullmatch(options.fleet.gateway):
        yield f'"{options.fleet.gateway}" is not a host for ssh', "expected HOST or USER@HOST, as for ssh(1)"


def _node(options: Options) -> Broken:
    for entry in options.fleet.node:
        try:
            ipaddress.ip_network(entry, strict=True)
        except ValueError:
            yield f'"{entry}" is not an address', "expected an IP address or a range, like 10.0.0.1"


FLEET_RULES: Rules = {
    "fleet.directory": _directory,
    "fleet.fetch": _fetch,
    "fleet.program": _program,
    "fleet.gateway": _gateway,
    "fleet.node": _node,
}
