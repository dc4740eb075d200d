"""What a site needs from a gateway that it shares, and where two sites conflict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

import msgspec
from msgspec import Struct

from portico.errors import Problem
from portico.plan.files import File, Line
from portico.plan.web.ability import Ability
from portico.plan.web.entry.tls import Http2
from portico.plan.web.model import Web
from portico.site.checks.https import has_addresses
from portico.values import Address

FILE = "bindings.json"


class Spoken(StrEnum):
    """How each connection to an address begins, for all sites there."""

    TLS = "ssl"
    HTTP2 = "http2"
    """Settings that the gateway has once for an address."""
    PROXY_PROTOCOL = "proxy_protocol"


class Listen(Struct, frozen=True):
    """An address and its protocols."""

    address: str
    words: tuple[Spoken, ...] = ()


class Bindings(Struct, frozen=True):
    """`origin` is the site's file or directory; without domains the site takes every Host of its addresses."""

    name: str
    origin: str
    listen: tuple[Listen, ...]
    domains: tuple[str, ...]
    request_seconds: float = 0.0
    """The longest timeout of its requests."""
    urls: tuple[str, ...] = ()
    runtime: str = ""
    """The site's runtime directory, which contains its app's sockets."""

    routes: tuple[tuple[str, str], ...] = ()
    """Paths that its rules send to other sites, with their names."""
    mirrors: tuple[str, ...] = ()
    """The site that gets copies of its requests."""
    routed_by: tuple[str, ...] = ()
    """The sites that may send it requests; it has no address then."""

    inspects: bool = False
    """Whether the site has the firewall."""
    sets: tuple[str, ...] = ()
    """What its own directives set for the whole `http` block: simple directives that Portico writes there, too."""
    modules: tuple[str, ...] = ()
    """The modules that the gateway loads for it."""
    once: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Directives that the gateway takes once for all sites, with the words that this one needs there."""
    is_ordered: bool = False
    """The gateway takes the first site that has a name or a wildcard for it."""
    own: tuple[tuple[int, str], ...] = ()
    """The line numbers in its fragment of the user's own lines, each with its place."""

    @property
    def addresses(self) -> tuple[Address, ...]:
        return tuple(Address.parse(one.address) for one in self.listen)

    @property
    def nameless(self) -> tuple[Address, ...]:
        """Where clients that send no server name in the handshake get its certificate: it has an IP address."""
        if not has_addresses(self.domains):
            return ()
        return tuple(address for address in self.addresses if _words(self, address)[0])


def spoken(web: Web) -> dict[str, tuple[Spoken, ...]]:
    """Every TCP address of the site, and its protocols."""
    of_all = (Spoken.PROXY_PROTOCOL,) if web.listeners.has_proxy_protocol else ()
    is_everybodys = Ability.HTTP2_BY_SITE not in web.abilities
    has_http2 = is_everybodys and web.tls is not None and web.tls.http2 is Http2.ON
    of_tls = (Spoken.TLS, *((Spoken.HTTP2,) if has_http2 else ()))
    found = {str(address): of_all for address in web.listeners.plain}
    return found | {str(address): (*of_tls, *of_all) for address in web.listeners.tls}


def addresses(bindings: Iterable[Bindings]) -> dict[Address, tuple[Spoken, ...]]:
    """Every address of these sites, with its protocols."""
    found: dict[Address, dict[Spoken, None]] = {}
    for one in bindings:
        for listen in one.listen:
            words = found.setdefault(Address.parse(listen.address), {})
            words |= dict.fromkeys(listen.words)
    return {address: tuple(words) for address, words in found.items()}


def file(wanted: Bindings) -> File:
    """The bindings as a file beside the site's fragment."""
    text = msgspec.json.encode(wanted).decode()
    return File(
        FILE, (Line(text, "what the gateway is asked for; its program does not read it"),), mode=0o600
    )


def parse(text: str) -> Bindings:
    """Raises ValueError for an invalid file."""
    return msgspec.json.decode(text, type=Bindings)


def reached(wanted: Bindings, all_sites: Iterable[Bindings]) -> tuple[str, ...]:
    """The URLs of the site for visitors: its own, or those of the paths that other sites send to it."""
    if not wanted.routed_by:
        return wanted.urls
    return tuple(
        f"{'/'.join(url.split('/', 3)[:3])}{path.rstrip('/')}/"
        for one in all_sites
        if one.name in wanted.routed_by
        for path, name in one.routes
        if name == wanted.name
        for url in one.urls
    )


class BindingTable:
    """The bindings of sites on one gateway; each lookup is fast, because there may be a thousand sites."""

    def __init__(self) -> None:
        self._names: dict[str, Bindings] = {}
        self._hosts: dict[tuple[Address, str], Bindings] = {}
        self._ports: dict[tuple[int, bool], dict[Address, Bindings]] = {}
        self._words: dict[Address, tuple[tuple[bool, ...], Bindings]] = {}
        self._nameless: dict[Address, Bindings] = {}
        self._sets: dict[str, Bindings] = {}
        self._once: dict[str, tuple[tuple[str, ...], Bindings]] = {}

    def add(self, new: Bindings) -> Problem | None:
        """Adds the bindings, or returns why they conflict with the others."""
        problem = (
            self._same_name(new)
            or self._same_host(new)
            or self._same_socket(new)
            or self._same_words(new)
            or self._same_nameless(new)
            or self._same_setting(new)
            or self._other_words(new)
            or self._no_order(new)
            or self._circle(new)
        )
        if problem is None:
            self._names[new.name] = new
            self._sets |= dict.fromkeys(new.sets, new)
            self._once |= {name: (words, new) for name, words in new.once}
            self._nameless |= dict.fromkeys(new.nameless, new)
            for address in new.addresses:
                self._hosts |= {(address, host): new for host in _hosts(new)}
                self._words.setdefault(address, (_words(new, address), new))
                self._ports.setdefault((address.port, address.is_v6), {}).setdefault(address, new)
        return problem

    def _same_name(self, new: Bindings) -> Problem | None:
        other = self._names.get(new.name)
        if other is None:
            return None
        what = f'is called "{new.name}", and so is {other.origin}'
        return Problem(new.origin, what, 'give one of the two another name: name = "..."')

    def _same_host(self, new: Bindings) -> Problem | None:
        places = ((address, host) for address in new.addresses for host in _hosts(new))
        found = next((place for place in places if place in self._hosts), None)
        if found is None:
            return None
        (address, host), other = found, self._hosts[found]
        if not host:
            what = f"answers every Host on {address}, and so does {other.origin}"
            hint = "give each site its domains, or another address (listen)"
        else:
            what = f'answers "{host}" on {address}, and so does {other.origin}'
            hint = (
                "a domain belongs to one site: take it out of one of the two; to share it by paths, one of them has a\n"
                f'[[route]] to the other, and that one has routed_by instead of domains, such as ["{other.name}"]'
            )
        return Problem(new.origin, what, hint)

    def _same_socket(self, new: Bindings) -> Problem | None:
        for address in new.addresses:
            for near, other in self._ports.get((address.port, address.is_v6), {}).items():
                if near != address and (near.is_wildcard or address.is_wildcard):
                    what = f"listens on {address} and {other.origin} on {near}, and one is part of the other"
                    hint = "let both listen on the same address: it is opened once, and the Host selects the site"
                    return Problem(new.origin, what, hint)
        return None

    def _same_words(self, new: Bindings) -> Problem | None:
        for address in new.addresses:
            here = _words(new, address)
            there, other = self._words.get(address, (here, new))
            for (_, one, two, hint), is_there, is_here in zip(_SPEAKS, there, here, strict=True):
                if is_there != is_here:
                    ours, theirs = (two, one) if is_there else (one, two)
                    what = f"speaks {ours} on {address}, and {other.origin} speaks {theirs} there"
                    return Problem(new.origin, what, hint)
        return None

    def _same_nameless(self, new: Bindings) -> Problem | None:
        address = next((one for one in new.nameless if one in self._nameless), None)
        if address is None:
            return None
        other = self._nameless[address].origin
        what = f"has an IP address among its domains, and so has {other}, on {address}"
        hint = (
            "clients that give no name see one certificate: let each listen on its own address (https.listen)"
        )
        return Problem(new.origin, what, hint)

    def _circle(self, new: Bindings) -> Problem | None:
        """Rules and mirrors by which a request could come back to this site, again and again."""
        names = self._names | {new.name: new}
        ways = [[new.name, *way] for way in _ways(new, names)]
        for way in ways:  # it grows: each way is followed to its end
            if way[-1] == new.name:
                what = f"its rules and its mirror lead in a circle: {', '.join(way)}"
                return Problem(
                    new.origin,
                    what,
                    "a request would come back to it: remove one of these [[route]] or mirror",
                )
            if len(way) == len(set(way)):
                ways += [[*way, *more] for more in _ways(names[way[-1]], names)]
        return None

    def _same_setting(self, new: Bindings) -> Problem | None:
        name = next((one for one in new.sets if one in self._sets), None)
        if name is None:
            return None
        what = f"sets {name} for every site, and so does {self._sets[name].origin}"
        return Problem(new.origin, what, "it holds for every site of the gateway: keep it in one of the two")

    def _other_words(self, new: Bindings) -> Problem | None:
        for name, words in new.once:
            there, other = self._once.get(name, (words, new))
            if there != words:
                what = f"needs another {name} than {other.origin}, and the gateway has one for all sites"
                hint = "let behind and the host of listen be the same in both, or run one of them by itself"
                return Problem(new.origin, what, hint)
        return None

    def _no_order(self, new: Bindings) -> Problem | None:
        """Two sites, or more in a circle, each with a wildcard for a name of the next: none can come first."""
        if not new.is_ordered or not _wildcards(new):
            return None
        others, todo, seen = [*filter(_wildcards, self._names.values()), new], [new], {""}
        while todo:
            one = todo.pop()
            if one is not new and _covers(one, new):
                what = f"has a wildcard for names of other sites, and {one.origin} has one for a name of this site"
                hint = (
                    "the gateway tries one site after the other: give all names below a wildcard to one site"
                )
                return Problem(new.origin, what, hint)
            fresh = [other for other in others if other.name not in seen and _covers(one, other)]
            seen |= {other.name for other in fresh}
            todo += [other for other in fresh if other is not new]
        return None


def in_order(bindings: Iterable[Bindings]) -> list[Bindings]:
    """The sites in the order in which a gateway tries them: first those that take every Host, which are for what no
    other has, and a wildcard behind every name that is below it.
    """
    left = sorted(bindings, key=lambda one: bool(one.domains))
    wild = [one for one in left if _wildcards(one)]
    made = [one for one in left if not _wildcards(one)]
    while wild:
        first = next(
            (one for one in wild if not any(_covers(one, other) for other in wild if other != one)), wild[0]
        )
        wild.remove(first)
        made.append(first)
    return made


def _covers(one: Bindings, other: Bindings) -> bool:
    """Whether it has a wildcard for a name of the other, or for those below a wildcard of the other."""
    wildcards = _wildcards(one)
    if not wildcards or not set(one.addresses).intersection(other.addresses):
        return False
    return any(name.endswith(each) and name != f"*{each}" for each in wildcards for name in other.domains)


def _wildcards(one: Bindings) -> list[str]:
    """What the names that they are for end with: `.shop.example`."""
    return [name[1:] for name in one.domains if name.startswith("*.")]


_ELSEWHERE = "give one of the two another address (listen, https.listen)"
_SPEAKS = (
    (Spoken.TLS, "HTTPS", "plain HTTP", _ELSEWHERE),
    (
        Spoken.HTTP2, "HTTP/2", "HTTP/1.1 alone",
        f'let [https] http2 be the same in both: this nginx decides it once for an address; or {_ELSEWHERE}',
    ),
    (
        Spoken.PROXY_PROTOCOL, "the PROXY protocol", "no PROXY protocol",
        f"let behind_protocol be the same in both: it holds for all connections to an address; or {_ELSEWHERE}",
    ),
)  # fmt: skip
"""For each property: the words with it and without it, and what to do if two sites differ."""


def _ways(one: Bindings, names: Mapping[str, Bindings]) -> Iterator[list[str]]:
    """The sites that this one leads to, and that let it."""
    for name in dict.fromkeys((*(name for _, name in one.routes), *one.mirrors)):
        if name in names and one.name in names[name].routed_by:
            yield [name]


def _words(wanted: Bindings, address: Address) -> tuple[bool, ...]:
    said = [one.words for one in wanted.listen if Address.parse(one.address) == address]
    return tuple(any(speaks[0] in words for words in said) for speaks in _SPEAKS)


def _hosts(wanted: Bindings) -> tuple[str, ...]:
    """ "" stands for every Host."""
    return wanted.domains or ("",)
