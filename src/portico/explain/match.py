"""Which server and which location answer a request: nginx's own rules, and why the others lose.

Pure. The rules are those of ngx_http.c (servers) and ngx_http_core_find_location (locations); tests ask real nginx.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from portico.explain.node import PASSES, Node, servers

_ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")
_LITERAL = re.compile(r"\d+\.\d+\.\d+\.\d+|\[.*\]")


@dataclass(frozen=True)
class Asked:
    """A request: `target` is path and query as sent, `address` the one that is connected to, empty when unknown."""

    method: str
    scheme: str
    host: str
    port: int
    target: str
    address: str = ""


@dataclass(frozen=True)
class Lost:
    """One that does not answer, and why."""

    node: Node
    why: str


@dataclass(frozen=True)
class Verdict:
    """Who answers. `uri` is the path as nginx compares it: decoded, dots resolved, slashes merged."""

    server: Node
    server_why: str
    servers_lost: tuple[Lost, ...]
    uri: str
    location: Node | None
    location_why: str
    locations_lost: tuple[Lost, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Listen:
    """One listen directive, taken apart; `host` is "*" for any address."""

    host: str
    port: int
    is_default: bool
    is_tls: bool
    node: Node | None = None


class NoServerError(LookupError):
    """Nobody listens there; the message says who listens where."""


def verdict(root: Node, asked: Asked) -> Verdict:
    """Who answers. Raises NoServerError; ValueError for a path that nginx refuses with 400."""
    server, server_why, lost, notes = choose_server(root, asked)
    http = next((block for block in root.all("http") if server in (block.children or ())), root)
    uri = normalised(asked.target, merges=_merges(http, server))
    location, how = find_location(server, uri)
    if early := server.first("return"):
        notes = (
            *notes,
            f"the server itself says: {early.text} ({early.place}), before it looks for a location",
        )
    return Verdict(
        server, server_why, lost, uri, location, how, tuple(_lost(server, location, uri, how)), notes
    )


# Servers -------------------------------------------------------------------------------------------------


def choose_server(root: Node, asked: Asked) -> tuple[Node, str, tuple[Lost, ...], tuple[str, ...]]:
    """The server, why it is that one, why the others are not, and what was assumed."""
    everyone = servers(root)
    listens = [(server, listen) for server in everyone for listen in listens_of(server)]
    on_port = [(server, listen) for server, listen in listens if listen.port == asked.port]
    if not on_port:
        places = sorted({f"{listen.host}:{listen.port}" for _, listen in listens})
        raise NoServerError(
            f"nothing listens on port {asked.port}: {', '.join(places) or 'there is no server'}"
        )
    host, notes = _bound(asked, [listen for _, listen in on_port])
    here = [(server, listen) for server, listen in on_port if listen.host == host]
    candidates = list(dict.fromkeys(server for server, _ in here))
    default = next((server for server, listen in here if listen.is_default), candidates[0])
    name, names = asked.host.lower().rstrip("."), _names(candidates)
    ranks = {server: rank for server in candidates if (rank := _rank(names[server], name))}
    chosen = max(
        ranks, key=lambda server: (ranks[server][0], ranks[server][1]), default=default
    )  # the first of equals
    why = _name_why(ranks[chosen][2], asked.host) if ranks else _default_why(default, here, name)
    at = f"{host}:{asked.port}"
    lost = [
        Lost(
            server,
            _server_lost(
                server, ranks, chosen, at, is_here=server in candidates, is_default=server is default
            ),
        )
        for server in everyone
        if server is not chosen
    ]
    tls = any(listen.is_tls for _, listen in here)
    if tls != (asked.scheme == "https"):
        notes = (*notes, f"{at} speaks {'https' if tls else 'http'}, and {asked.scheme} was asked")
    return chosen, why, tuple(lost), notes


def listens_of(server: Node) -> list[Listen]:
    """Where it listens; nginx's own default when it does not say."""
    found = [_listen(node) for node in server.all("listen")]
    return [listen for listen in found if listen] or ([] if found else [Listen("*", 80, False, False)])


def _listen(node: Node) -> Listen | None:
    where, *words = node.args
    if where.startswith("unix:"):
        return None
    host, port = ("*", where) if where.isdigit() else _split(where)
    host = {"0.0.0.0": "*", "localhost": "127.0.0.1", "[::]": "[::]", "": "*"}.get(host, host)  # noqa: S104  reading
    is_default = "default_server" in words or "default" in words
    return Listen(host, int(port), is_default, "ssl" in words or "quic" in words, node)


def _split(where: str) -> tuple[str, str]:
    host, colon, port = where.rpartition(":")
    if not colon or not port.isdigit():
        return where, "80"
    return host, port


def _bound(asked: Asked, listens: list[Listen]) -> tuple[str, tuple[str, ...]]:
    """The address among those that are listened on that takes the connection: a specific one before any."""
    hosts = list(dict.fromkeys(listen.host for listen in listens))
    address = asked.address or (asked.host if _LITERAL.fullmatch(asked.host) else "")
    if address in hosts:
        return address, ()
    any_address = "[::]" if address.startswith("[") and "[::]" in hosts else "*"
    if any_address in hosts:
        return any_address, ()
    if address and hosts != [address] and len(hosts) > 1:
        return hosts[0], (f"nothing listens on {address}; taken as if {hosts[0]} had been the address",)
    if len(hosts) > 1:
        return hosts[0], (f"several addresses have this port; taken as if {hosts[0]} had been the address",)
    return hosts[0], ()


def names_of(server: Node) -> list[str]:
    return [name for node in server.all("server_name") for name in node.args] or [""]


def _names(candidates: list[Node]) -> dict[Node, list[str]]:
    """The names each really has: nginx ignores `.b.example` where an earlier server has b.example itself."""
    taken, kept = set[str](), dict[Node, list[str]]()
    for server in candidates:
        kept[server] = [
            name for name in names_of(server) if not (name.startswith(".") and name[1:].lower() in taken)
        ]
        taken |= {name.lower().removeprefix(".") for name in kept[server] if not name.startswith(("*", "~"))}
    return kept


def _rank(names: list[str], name: str) -> tuple[int, int, str] | None:
    """How well they match: exact 4, *.name 3, name.* 2, pattern 1; then the length; None for not at all."""
    found = [rank for pattern in names if (rank := _rank_of(pattern, name))]
    return max(found, key=lambda rank: rank[:2], default=None)


def _rank_of(pattern: str, name: str) -> tuple[int, int, str] | None:
    wanted = pattern.lower()
    if wanted.startswith("~"):
        return (1, 0, pattern) if search(pattern[1:], name, re.I) else None
    if wanted == name or (wanted.startswith(".") and wanted[1:] == name):
        return 4, 0, pattern
    if wanted.startswith((".", "*.")):
        tail = wanted.lstrip("*")
        return (3, len(tail), pattern) if name.endswith(tail) and len(name) > len(tail) else None
    if wanted.endswith(".*"):
        head = wanted[:-1]
        return (2, len(head), pattern) if name.startswith(head) and len(name) > len(head) else None
    return None


def _name_why(pattern: str, host: str) -> str:
    if pattern.startswith("~"):
        return f"its name {pattern} is the first pattern that matches {host}"
    if "*" in pattern or pattern.startswith("."):
        return f"its name {pattern} is the longest wildcard that matches {host}"
    return f"it is named {pattern or 'for requests without a Host'}"


def _default_why(default: Node, here: list[tuple[Node, Listen]], name: str) -> str:
    says = any(listen.is_default for server, listen in here if server is default)
    what = "says default_server" if says else "is the first one there"
    return f"no server there is named {name or '(no Host)'}, and this one {what}"


def _server_lost(
    server: Node,
    ranks: dict[Node, tuple[int, int, str]],
    chosen: Node,
    at: str,
    *,
    is_here: bool,
    is_default: bool,
) -> str:
    if not is_here:
        places = ", ".join(f"{listen.host}:{listen.port}" for listen in listens_of(server))
        return f"listens on {places or 'a unix socket'}, not on {at}"
    rank, other = ranks.get(server), ranks.get(chosen)
    if rank is None or other is None:
        named = ", ".join(name or '""' for name in names_of(server))
        return f"is named {named}" + (
            "; the default is asked only when no name matches" if is_default else ""
        )
    if other[:2] == rank[:2]:
        return f"its name {rank[2]} matches as well, but the other comes first"
    return f"its name {rank[2]} matches, but {other[2]} matches better"


# Paths ---------------------------------------------------------------------------------------------------


def normalised(target: str, *, merges: bool = True) -> str:
    """The path as nginx compares it: decoded once, `.` and `..` resolved, slashes merged. ValueError: answered 400."""
    if target.partition("?")[0] and not target.startswith("/"):
        raise ValueError("the path does not begin with /")
    raw = target.partition("?")[0].partition("#")[0]
    if re.search(r"%(?![0-9A-Fa-f]{2})", raw) or "%00" in raw:
        raise ValueError("a % that is not followed by two hexadecimal digits, or %00: nginx answers 400")
    plain = _ENCODED.sub(lambda found: bytes([int(found[1], 16)]), raw.encode("utf-8", "surrogateescape"))
    text = plain.decode("utf-8", "surrogateescape")
    out, parts = "/", text[1:].split("/")
    for number, part in enumerate(parts):
        is_last = number == len(parts) - 1
        if part == "..":
            out = _up(out)
        elif part == "" and not is_last:
            out += "" if merges and out.endswith("/") else "/"
        elif part not in (".", ""):
            out += part + ("" if is_last else "/")
    return out


def _up(out: str) -> str:
    """One directory up, as ngx_http_parse_complex_uri walks back."""
    at = len(out) - 2
    if at < 0:
        raise ValueError("the path leads above /: nginx answers 400")
    while at > 0 and out[at - 1] != "/":
        at -= 1
    return out[:at]


def _merges(http: Node, server: Node) -> bool:
    said = server.first("merge_slashes") or http.first("merge_slashes")
    return said is None or said.args != ("off",)


# Locations -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rule:
    """What a location says: `kind` is "=", "^~", "~", "~*", "@" or "" for a plain prefix."""

    kind: str
    pattern: str


def rule(location: Node) -> Rule:
    """`location = /x` and `location =/x` are one."""
    words = list(location.args)
    if len(words) > 1 and words[0] in ("=", "^~", "~", "~*"):
        return Rule(words[0], words[1])
    word = words[0] if words else ""
    for kind in ("=", "^~", "~*", "~", "@"):
        if word.startswith(kind):
            return Rule(kind, word if kind == "@" else word[len(kind) :])
    return Rule("", word)


def find_location(server: Node, uri: str) -> tuple[Node | None, str]:
    """The location that answers, and why it is that one."""
    found, how, _ = _find(server, uri)
    return found, how or "no location matches: the server's own settings answer"


_FINAL, _PREFIX, _NONE = "final", "prefix", "none"


def _find(above: Node, uri: str) -> tuple[Node | None, str, str]:
    """ngx_http_core_find_location: prefixes, then what is nested in the longest, then the patterns here."""
    locations = above.all("location")
    found, how, end = _find_prefix(locations, uri)
    keeps_patterns_off = False
    if end == _PREFIX and found is not None:
        keeps_patterns_off = rule(found).kind == "^~"
        inner, inner_how, inner_end = _find(found, uri)
        if inner is not None:
            found, how = inner, inner_how
        if inner_end == _FINAL:
            return found, how, _FINAL
    if end == _FINAL or keeps_patterns_off:
        return found, how, end
    for location in locations:
        wanted = rule(location)
        if wanted.kind in ("~", "~*") and _matches(wanted, uri):
            inner, inner_how, _ = _find(location, uri)
            what = f"{wanted.kind} {wanted.pattern}"
            how = f"{what} is the first pattern that matches, and patterns come before plain prefixes"
            return (inner, inner_how, _FINAL) if inner is not None else (location, how, _FINAL)
    return found, how, end


def _find_prefix(locations: list[Node], uri: str) -> tuple[Node | None, str, str]:
    rules = [(location, rule(location)) for location in locations]
    for location, wanted in rules:
        if wanted.kind == "=" and wanted.pattern == uri:
            return location, f"= {uri} is this path exactly: the search ends", _FINAL
    prefixes = [
        (len(w.pattern), loc) for loc, w in rules if w.kind in ("", "^~") and uri.startswith(w.pattern)
    ]
    equal = any(size == len(uri) for size, _ in prefixes)
    for location, wanted in rules:
        if (
            not equal
            and wanted.kind in ("", "^~", "=")
            and wanted.pattern == f"{uri}/"
            and location.first(*PASSES)
        ):
            return (
                location,
                f"nginx itself redirects {uri} to {wanted.pattern} (301), because a *_pass answers there",
                _FINAL,
            )
    if not prefixes:
        return None, "", _NONE
    _, found = max(prefixes, key=lambda pair: pair[0])
    wanted = rule(found)
    what = f"{wanted.kind} {wanted.pattern}".strip()
    if wanted.kind == "^~":
        return (
            found,
            f"{what} is the longest prefix that matches, and ^~ keeps patterns from being asked",
            _PREFIX,
        )
    return found, f"{what} is the longest prefix that matches, and no pattern does", _PREFIX


def _matches(wanted: Rule, uri: str) -> bool:
    return search(wanted.pattern, uri, re.I if wanted.kind == "~*" else 0)


_PCRE = re.compile(r"\\\\|\\z|\\Z|\(\?<(?![=!])|\\.", re.DOTALL)
_PYTHON = {r"\z": r"\Z", r"\Z": r"(?=\n?\Z)", "(?<": "(?P<"}
"""What PCRE writes otherwise than Python: the end of the text, the same or a line end before it, a named group."""


def search(pattern: str, text: str, flags: int = 0) -> bool:
    """As PCRE without UTF: over bytes."""
    made = _PCRE.sub(lambda found: _PYTHON.get(found[0], found[0]), pattern)
    try:
        return re.search(_bytes(made), _bytes(text), flags) is not None
    except re.error:
        return False  # PCRE knows more than Python; the words say so


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _lost(above: Node, chosen: Node | None, uri: str, how: str, parent: str = "") -> Iterator[Lost]:
    for location in above.all("location"):
        wanted = rule(location)
        if location is not chosen:
            yield Lost(location, parent or _location_lost(location, wanted, chosen, uri, above))
        is_above = chosen is not None and any(node is chosen for node, _ in location.walk())
        reason = (
            "" if is_above or location is chosen else f"it stands inside {location.text}, which is not taken"
        )
        yield from _lost(location, chosen, uri, how, parent or reason)


def _location_lost(location: Node, wanted: Rule, chosen: Node | None, uri: str, above: Node) -> str:
    won = rule(chosen) if chosen else Rule("", "")
    what = f"{won.kind} {won.pattern}".strip()
    if wanted.kind == "@":
        return "has a name: only nginx itself sends requests there (error_page, try_files)"
    if wanted.kind == "=":
        return f"is {wanted.pattern} exactly, and the path is {uri}"
    if wanted.kind in ("~", "~*"):
        if not _matches(wanted, uri):
            return "the pattern does not match"
        if won.kind == "=":
            return f"the pattern matches, but {what} is exact and ends the search"
        if won.kind in ("~", "~*"):
            return f"the pattern matches as well, but {what} comes first"
        return "the pattern matches, but ^~ keeps patterns from being asked"
    if not uri.startswith(wanted.pattern):
        return f"the path does not begin with {wanted.pattern}"
    if any(node is chosen for node, _ in location.walk()):
        return f"matches, and {what} inside it answers"
    if won.kind in ("~", "~*") and above.children and chosen in above.children:
        return f"the prefix matches, but the pattern {what} comes before prefixes without ^~"
    return f"the prefix matches, but {what} is {'exact' if won.kind == '=' else 'longer'}"
