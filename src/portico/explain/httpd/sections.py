"""Which blocks hold for a request, in the order in which httpd merges them (server/request.c)."""

from __future__ import annotations

from collections.abc import Iterator

from portico.explain.httpd.blocks import every, inside
from portico.explain.httpd.known import Known, holds
from portico.explain.httpd.paths import fits, is_wild
from portico.explain.node import Node
from portico.explain.pcre import search

_IFS = ("If", "ElseIf", "Else")


def pattern_of(block: Node) -> tuple[str, bool]:
    """What a block is for, and whether that is a regular expression."""
    if block.args[:1] == ("~",):
        return block.args[1] if block.args[1:] else "", True
    return block.args[0] if block.args else "", block.name.endswith("Match")


def locations(servers: list[Node], uri: str) -> list[Node]:
    """<Location> and <LocationMatch> of the main server, then of the virtual host, in the order of the files."""
    return [block for block in _all(servers, "Location", "LocationMatch") if _is_location(block, uri)]


def _is_location(block: Node, uri: str) -> bool:
    pattern, is_regex = pattern_of(block)
    if is_regex:
        return search(pattern, uri)
    if is_wild(pattern):
        return fits(pattern, uri, parts=True)
    rest = uri[len(pattern) :]
    return uri.startswith(pattern) and (pattern.endswith("/") or rest == "" or rest.startswith("/"))


def directories(servers: list[Node], path: str) -> list[Node]:
    """<Directory> of the path and of those above, the shortest first, then those with regular
    expressions, those with fewer slashes first.
    """
    folder = path if path.endswith("/") else path.rpartition("/")[0] + "/"
    blocks = [(block, *pattern_of(block)) for block in _all(servers, "Directory", "DirectoryMatch")]
    plain = [(block, pattern) for block, pattern, is_regex in blocks if not is_regex]
    fitting = [(_parts(pattern), block) for block, pattern in plain if _is_above(pattern, folder)]
    regexes = [
        (pattern.count("/"), block)
        for block, pattern, is_regex in blocks
        if is_regex and _matches_above(pattern, folder)
    ]
    ordered = (*sorted(fitting, key=lambda pair: pair[0]), *sorted(regexes, key=lambda pair: pair[0]))
    return [block for _, block in ordered]


def _parts(pattern: str) -> int:
    return len([part for part in pattern.split("/") if part])


def _is_above(pattern: str, folder: str) -> bool:
    wanted = pattern.rstrip("/") + "/"
    if not is_wild(pattern):
        return folder.startswith(wanted)
    here = "/".join(folder.split("/")[: _parts(pattern) + 1])
    return fits(wanted.removesuffix("/"), here, parts=True)


def _matches_above(pattern: str, folder: str) -> bool:
    """A regular expression is asked about the folder of the file alone."""
    return search(pattern, folder) or search(pattern, folder.rstrip("/"))


def files(blocks: list[Node], path: str) -> list[Node]:
    """<Files> and <FilesMatch> of the servers and of the directories that hold, by the file's name."""
    name = path.rpartition("/")[2]
    found = [one for block in blocks for one in every(block, "Files", "FilesMatch")]
    return [block for block in found if name and _is_file(block, name)]


def _is_file(block: Node, name: str) -> bool:
    pattern, is_regex = pattern_of(block)
    return search(pattern, name) if is_regex else fits(pattern, name, parts=False)


def proxies(servers: list[Node], url: str) -> list[Node]:
    """<Proxy> and <ProxyMatch>, by the address to which the request goes."""
    return [block for block in _all(servers, "Proxy", "ProxyMatch") if _is_proxy(block, url)]


def _is_proxy(block: Node, url: str) -> bool:
    pattern, is_regex = pattern_of(block)
    if is_regex:
        return search(pattern, url)
    return fits(pattern, url, parts=False) if is_wild(pattern) else url.startswith(pattern)


def ifs(blocks: list[Node], known: Known, unknown: list[Node]) -> list[Node]:
    """<If>, <ElseIf> and <Else> that hold; those that cannot be decided are added to `unknown`."""
    return [one for block in blocks for one in _chosen(block, known, unknown)]


def _chosen(block: Node, known: Known, unknown: list[Node]) -> Iterator[Node]:
    taken: bool | None = False
    for child in inside(block):
        if child.name not in _IFS:
            continue
        if child.name == "If":
            taken = False
        answer = True if child.name == "Else" else holds(child.args[0], known)
        if taken is False and answer:
            yield child
            yield from _chosen(child, known, unknown)
        elif taken is not True and answer is None:
            unknown.append(child)
        taken = True if taken is True or answer else None if None in (taken, answer) else False


def _all(servers: list[Node], *names: str) -> list[Node]:
    return [block for server in servers for block in every(server, *names)]
