"""The access rules of paths, from [access], [routes] and portico.edge, with the networks of their files.

A rule covers every spelling of its paths that some app may accept: repeated slashes, capitals, non-ASCII characters.
Only `anybody`, which opens a path, covers the exact spelling alone.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace

from portico.errors import Problem
from portico.reading import Reader
from portico.site.access.checks import check, loops
from portico.site.access.rule import AccessRule, Networks, Users
from portico.site.access.users import Wrong, entries
from portico.site.facts import AppFacts
from portico.site.model import Routed
from portico.site.options import Options
from portico.site.options.access import Access
from portico.site.pattern import both_ways, escape, head, parts, widened
from portico.site.proxies import KNOWN_PROXIES

_METHOD = re.compile(r"[A-Z][A-Z-]{0,30}")
_WORDS = ("private",)
"""A name that `behind` knows: the addresses of a local network."""
_PATHS = re.compile(r"/[^\x00-\x20\x7f\"'\\$]*")
_NEITHER = "is neither a network nor a file"
_HINT = "expected a network such as 10.0.0.0/8 or 2001:db8::/32, private, or a file of networks"
_END = r"(?![^/;\n])"
"""The end of a path or of a segment: /admin/x is below the table /admin, /administrator is not."""


def access_rules(
    options: Options,
    routed: Iterable[Routed],
    facts: AppFacts,
    directory: Path,
    causes: Mapping[str, str],
    reader: Reader,
    problems: list[Problem],
) -> tuple[AccessRule, ...]:
    """Every rule, the more specific before the general. Adds a problem for each value that cannot be used."""
    files = _Files(directory, reader, facts, problems)
    found = [*_of_tables(options, causes, files), *_of_routes(routed, files)]
    rules = tuple(sorted(found, key=lambda rule: rule.order))
    problems += loops(rules)
    return rules


ACCESS_KEYS = tuple(Access.__struct_fields__)


def _of_tables(options: Options, causes: Mapping[str, str], files: _Files) -> Iterator[AccessRule]:
    for path, said in options.access.items():
        own = {
            key: f"{place}: access.{path}.{key}"
            for key in ACCESS_KEYS
            if (place := causes.get(f"access.{path}.{key}"))
        }
        where = next(iter(own.values()), f"access.{path}").partition(": ")[0]
        try:
            rule = _of_table(path)
        except ValueError as error:
            hint = 'expected a path such as "/admin", or "/" for the whole site'
            files.problems.append(Problem(where, f'access: "{path}" is not a path: {error}', hint))
            continue
        yield _said(rule, said, own, files)


def _of_table(path: str) -> AccessRule:
    if not _PATHS.fullmatch(path):
        raise ValueError("it does not begin with /, or contains a space, a quote or a $")
    if re.search(r"//|/\.\.?(/|$)", path):
        raise ValueError("it has an empty segment, or a segment of dots")
    bare = path.rstrip("/")
    found = list(parts(bare))
    strict = "".join(escape(part.text) if part.is_fixed else part.text for part in found)
    wide = "".join(
        escape(part.text).replace("/", "/+") if part.is_fixed else widened(part.text) for part in found
    )
    placeholders = sum(not part.is_fixed for part in found)
    return AccessRule(
        what=bare or "/",
        pattern=f"{wide}{_END}" if bare else "",
        head=found[0].text if found and found[0].is_fixed else "",
        strict=f"{strict}(?![^/])" if bare else "",
        order=(-bare.count("/"), placeholders, 1),
    )


def _of_routes(routed: Iterable[Routed], files: _Files) -> Iterator[AccessRule]:
    for item in routed:
        own = {key: cause for key, cause in item.causes.items() if key in ACCESS_KEYS}
        if own:
            order = (-item.rule.count("/"), item.rule.count("<"), 0, *item.rank)
            rule = AccessRule(
                item.rule,
                both_ways(item.pattern),
                head(item.pattern).rstrip("/"),
                rf"{item.pattern}(?![\s\S])",
                order,
            )
            yield _said(rule, item.edge, own, files)


def _said(rule: AccessRule, said: Access, causes: Mapping[str, str], files: _Files) -> AccessRule:
    for key, what, hint in broken_access(said):
        where = causes.get(key, f"access.{rule.what}").partition(": ")[0]
        files.problems.append(Problem(where, f"{rule.what}: {what}", hint))
    return replace(
        rule,
        allow=files.networks("allow", said.allow, rule, causes),
        deny=files.networks("deny", said.deny, rule, causes),
        methods=None if said.methods is None else _with_head(said.methods),
        users=None if said.users is None else files.users(said.users, rule, causes),
        check=check(said, rule, causes, files.facts, files.problems),
        certificate=bool(said.certificate),
        internal=bool(said.internal),
        anybody=bool(said.anybody),
        causes=causes,
    )


def broken_access(said: Access) -> Iterator[tuple[str, str, str]]:
    """For each broken value: the key, what is wrong with it, what to do."""
    others = [key for key in ACCESS_KEYS if key != "anybody" and getattr(said, key) not in (None, False)]
    if said.anybody and others:
        yield "anybody", f"anybody and {others[0]} exclude each other", "remove one of them"
    for method in said.methods or ():
        if not _METHOD.fullmatch(method):
            yield (
                "methods",
                f'methods: "{method}" is not a method',
                "expected GET, POST, PUT, ... in capitals",
            )
    if said.methods is not None and not said.methods:
        yield (
            "methods",
            "methods: is empty, so no request would be accepted",
            "name the methods, or leave it out",
        )


def _with_head(methods: Iterable[str]) -> tuple[str, ...]:
    made = tuple(dict.fromkeys(methods))
    return (*made, "HEAD") if "GET" in made and "HEAD" not in made else made


_UNREADABLE_HINT = (
    "expected a file that Portico's user may read: check its mode, its owner and its directories"
)
_USERS_HINT = "write it with: portico password NAME --file {file}"


class _Files:
    """Reads the files that rules name, with the rights of whoever wrote the rule; each file once."""

    def __init__(self, directory: Path, reader: Reader, facts: AppFacts, problems: list[Problem]) -> None:
        self.problems = problems
        self.facts = facts
        self._directory = directory
        self._reader = reader

    def networks(
        self, key: str, entries: list[str] | None, rule: AccessRule, causes: Mapping[str, str]
    ) -> Networks | None:
        if entries is None:
            return None
        cause = causes.get(key, "")
        where = cause.partition(": ")[0] or f"access.{rule.what}"
        found = [net for entry in entries for net in self.entry(f"{rule.what}: {key}", entry, where)]
        if not found and key == "allow" and not self.problems:
            hint = 'name a network; "internal = true" hides a path from all clients'
            what = f"{rule.what}: allow: contains no network, so no client would have access"
            self.problems.append(Problem(where, what, hint))
        return Networks(tuple(dict.fromkeys(found)), cause)

    def users(self, name: str, rule: AccessRule, causes: Mapping[str, str]) -> Users:
        cause = causes.get("users", "")
        where, hint = cause.partition(": ")[0], _USERS_HINT.format(file=name)
        text = self._text(f'{rule.what}: users: "{name}"', "is no file", name, where, hint)
        found = list(entries(text or ""))
        for one in found:
            if isinstance(one, Wrong):
                what = f'{rule.what}: users: "{name}", line {one.number}: {one.what}'
                self.problems.append(Problem(where, what, hint))
        if text is not None and not found:
            what = f'{rule.what}: users: "{name}" contains no user, so no client would have access'
            self.problems.append(Problem(where, what, hint))
        return Users(tuple(one for one in found if not isinstance(one, Wrong)), cause)

    def entry(self, what: str, entry: str, where: str) -> Iterator[str]:
        """The networks of a word: one, those of a name, or those of a file."""
        if entry in _WORDS:
            yield from KNOWN_PROXIES[entry]
        elif network := _network(entry):
            yield network
        elif (text := self._text(f'{what}: "{entry}"', _NEITHER, entry, where, _HINT)) is not None:
            published = _published(text) if text.lstrip().startswith("{") else None
            yield from self._lines(what, entry, text, where) if published is None else published

    def _lines(self, what: str, name: str, text: str, where: str) -> Iterator[str]:
        for number, line in enumerate(text.splitlines(), 1):
            words = line.partition("#")[0].split()
            network = _network(words[0]) if len(words) == 1 else None
            if network:
                yield network
            elif words:
                shown = " ".join(words)[:60]
                problem = f'{what}: "{name}", line {number}: "{shown}" is not a network'
                self.problems.append(Problem(where, problem, "expected one network a line, like 10.0.0.0/8"))

    def _text(self, what: str, is_missing: str, name: str, where: str, hint: str) -> str | None:
        path = self._directory / name
        try:
            return self._reader.text(path)
        except FileNotFoundError:
            why = is_missing
        except UnicodeDecodeError:
            why = "is not UTF-8 text"
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            why = f"cannot be read{self._reader.as_whom(path)}: {reason}"
            hint = _UNREADABLE_HINT
        self.problems.append(Problem(where, f"{what} {why}", hint))
        return None


def networks_of(
    what: str, words: Iterable[str], where: str, directory: Path, reader: Reader, problems: list[Problem]
) -> tuple[str, ...]:
    """The networks of these words, as those of `allow`. `what` names the option in a problem."""
    files = _Files(directory, reader, AppFacts("", ""), problems)
    return tuple(dict.fromkeys(net for word in words for net in files.entry(what, word, where)))


def _published(text: str) -> list[str] | None:
    """The networks of a file as Google, Bing and others publish theirs; None for another one."""
    try:
        found = msgspec.json.decode(text, type=_Published)
    except (msgspec.DecodeError, ValueError):
        return None
    networks = [_network(one.ipv4Prefix or one.ipv6Prefix) for one in found.prefixes]
    return None if None in networks else [one for one in networks if one]


class _Prefix(msgspec.Struct):
    ipv4Prefix: str = ""  # noqa: N815  as it is published
    ipv6Prefix: str = ""  # noqa: N815


class _Published(msgspec.Struct):
    prefixes: list[_Prefix]


def _network(text: str) -> str | None:
    """The network in its usual spelling; an IPv4-mapped IPv6 network becomes an IPv4 network."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    if isinstance(network, ipaddress.IPv6Network) and "%" in text:
        return None
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped:
        if network.prefixlen < 96:
            return None
        mapped = network.network_address.ipv4_mapped
        return str(ipaddress.ip_network((mapped, network.prefixlen - 96), strict=False))
    return str(network)
