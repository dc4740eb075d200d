"""Which virtual host and which line answer a request by httpd's rules, and why the others do not.

Pure. The tests compare with a real httpd.
"""

from __future__ import annotations

from portico.explain.httpd import rewrite, sources
from portico.explain.httpd.blocks import for_method, latest, plain, undecided
from portico.explain.httpd.known import Known
from portico.explain.httpd.paths import normalised
from portico.explain.httpd.servers import choose_server, title
from portico.explain.httpd.translate import Answer, answer
from portico.explain.language import Left
from portico.explain.node import Node
from portico.explain.verdict import Asked, Lost, Verdict

_REQUIRES = ("Require", "RequireAll", "RequireAny", "RequireNone")
_WHO = ("valid-user", "user", "group", "ldap-user", "ldap-group", "ldap-attribute")
_FIRST = "matches as well, but {} is asked first"


def verdict(root: Node, asked: Asked) -> Verdict:
    """The virtual host and the line. Raises NoServerError; ValueError for a path that httpd refuses."""
    server, why, lost, notes = choose_server(root, asked)
    servers = servers_of(root, server)
    slashes = latest(servers, "AllowEncodedSlashes")
    merging = latest(servers, "MergeSlashes")
    uri = normalised(
        asked.target,
        slashes=slashes.args[0].lower() if slashes and slashes.args else "off",
        merges=merging is None or [word.lower() for word in merging.args] != ["off"],
    )
    found = answer(servers, uri, Known.of(asked, uri))
    return Verdict(
        server, why, lost, uri, found.node, found.why, tuple(_lost(servers, found, uri)),
        (*notes, *found.notes, *_htaccess(found), *_guesses(servers)), tuple(found.blocks),
    )  # fmt: skip


def servers_of(root: Node, server: Node) -> list[Node]:
    """The main server, whose settings hold where the virtual host has none, and the virtual host."""
    return [root] if server is root else [root, server]


def _lost(servers: list[Node], found: Answer, uri: str) -> list[Lost]:
    made = []
    for node, block in sources.everything(servers):
        if node is not found.node:
            made.append(Lost(node, found.failed.get(node) or _why_lost(servers, node, block, found, uri)))
    return made


def _why_lost(servers: list[Node], node: Node, block: Node | None, found: Answer, uri: str) -> str:
    first = found.node.text if found.node else "another line"
    if block is not None and block not in found.blocks:
        return f"stands in {title(block)}, which is not for this request"
    if node.name == "DocumentRoot":
        return "a virtual host has its own" if found.node and found.node.name == node.name else (
            f"is asked when nothing else maps the path, and {first} does"
        )  # fmt: skip
    if node.name == "RewriteRule":
        is_on = rewrite.is_on_in(servers[-1] if block is None else block)
        is_foreign = block is None and not any(node is rule.node for rule in rewrite.rules_for(servers))
        if not is_on or is_foreign:
            return "RewriteEngine is off there: a virtual host does not inherit it"
        return f"comes after {first}"
    if node.name == "SetHandler":
        return _FIRST.format(first)
    line = sources.line_of(node, block)
    if line is None:
        return "has too few words to map a path"
    return sources.does_not_match(line, uri) if line.leads(uri) is None else _FIRST.format(first)


def _guesses(servers: list[Node]) -> list[str]:
    """What was taken for granted because this machine's modules are not known."""
    found = [one for server in servers for one in undecided(server)]
    if not found:
        return []
    names = ", ".join(dict.fromkeys(title(one) for one in found))
    return [f"the files do not tell whether these hold, taken as if they did: {names}"]


def _htaccess(found: Answer) -> list[str]:
    allows = latest(found.blocks, "AllowOverride")
    if (
        not found.path
        or found.url
        or allows is None
        or allows.args[:1] == ()
        or allows.args[0].lower() == "none"
    ):
        return []
    return [
        f"files named .htaccess in the folders of {found.path} may change this ({allows.place}); they are not read"
    ]


def levels(root: Node, found: Verdict) -> list[Node]:
    """The answering line, the blocks that hold, the last merged first, the virtual host and the main server."""
    own = found.location
    line = [Node("", (), own.file, own.line, (own,))] if own and own.children is None else []
    return [
        *line,
        *(plain(block) for block in (*reversed(found.sections), *reversed(servers_of(root, found.server)))),
    ]


def ends(root: Node, asked: Asked, found: Verdict) -> list[Left]:
    """Who is refused, or asked for a password, before the line answers."""
    if _is_early(root, found):
        return []
    for block in reversed((*servers_of(root, found.server), *found.sections)):
        required = [one for one in for_method(block, asked.method) if one.name in _REQUIRES]
        if required:
            decisive = next((one for one in required if _refuses(one)), None)
            return [Left(block, decisive)] if decisive else []
    return []


def _is_early(root: Node, found: Verdict) -> bool:
    """Whether the line answers before httpd asks who may come: redirects outside of blocks."""
    own = found.location
    if own is None or own.name not in (*sources.REDIRECTS, "RewriteRule"):
        return False
    return any(own in (child for child, block in sources.everything([one]) if block is None) for one in
               servers_of(root, found.server))  # fmt: skip


def _refuses(node: Node) -> bool:
    """For some: everybody is refused, or only those with a password are let in."""
    words = [word.lower() for word in node.args]
    if node.name == "Require":
        return words[:2] == ["all", "denied"] or (words[:1] != [] and words[0] in _WHO)
    return any(_refuses(child) for child in node.children or () if child.name in _REQUIRES)


def page(found: Verdict, status: int) -> Node | None:
    """The ErrorDocument for it: the one of the block that was merged last."""
    pages = [
        node
        for block in (found.server, *found.sections)
        for node in plain(block).all("ErrorDocument")
        if node.args[:1] == (str(status),)
    ]
    return pages[-1] if pages else None


def hides(node: Node, header: str) -> bool:
    """By `Header unset`, also with `always`."""
    words = [word.lower() for word in node.args]
    return node.name == "Header" and "unset" in words[:2] and header.lower() in words[1:3]
