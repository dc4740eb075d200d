"""Who may come to which paths. For each thing that is asked the innermost rule that says it holds; all are asked.

A path is the decoded one, the mount's prefix included. Of a choice by path the first row that matches counts. A rule
that asks less than an outer one holds alone for its paths as they are written. Some app takes another spelling
(`/users/PUBLIC`) for the same path, another app for one of the outer rule: there, what both ask must be fulfilled.
"""

from __future__ import annotations

import hashlib
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Generic, TypeVar

from msgspec import Struct, to_builtins

from portico.errors import Problem
from portico.place.model import Place
from portico.plan.app_servers.chosen import protocol
from portico.plan.web.ability import Ability
from portico.site.access.rule import AccessRule, Networks
from portico.site.access.spelling import covering, holding
from portico.site.model import Site
from portico.site.pattern import escape

T = TypeVar("T")


class Row(Struct, Generic[T], frozen=True):
    """The value for the paths of a pattern (PCRE); None: no requirement there."""

    what: str
    """The paths as they were written."""
    head: str
    """The fixed prefix of each of them."""
    pattern: str
    ignores_case: bool
    value: T | None


class ByPath(Struct, Generic[T], frozen=True, dict=True):
    """A choice by path: the first row that matches, else `rest`."""

    rows: tuple[Row[T], ...]
    rest: T | None

    @cached_property
    def values(self) -> tuple[T, ...]:
        """Each value once."""
        found = (*(row.value for row in self.rows), self.rest)
        return tuple(dict.fromkeys(value for value in found if value is not None))


class Allowed(Struct, frozen=True):
    """Only these networks have access: else 403, or 404 if the path is hidden."""

    networks: tuple[str, ...]
    is_hidden: bool
    cause: str


class Denied(Struct, frozen=True):
    """These networks have no access: 403."""

    networks: tuple[str, ...]
    cause: str


class Taken(Struct, frozen=True):
    """The accepted methods: any other is refused with 405."""

    methods: tuple[str, ...]
    cause: str


class Verified(Struct, frozen=True):
    """The client must have a certificate that a known authority signed: else 403."""

    cause: str


class Users(Struct, frozen=True):
    """These users have access with their passwords: else 401."""

    realm: str
    """The realm that browsers show."""
    entries: tuple[tuple[str, str], ...]
    """Names, and hashes that every build can verify."""
    cause: str


class Check(Struct, frozen=True):
    """Somebody else decides: 2xx is a yes, 401, 403 and a redirect are a no, anything else is a failure (500).

    Without a path and a URL nobody may come (403): two would have to decide, and one can be asked.
    """

    path: str
    """The app's path with the mount's prefix, which is asked with the client's head; or empty."""
    url: str
    """The URL of a service; or empty."""
    sign_in: str
    """Where a browser is redirected at 401: a path with the prefix, or a URL. If it ends with `=`, the requested
    URL is appended.
    """
    headers: tuple[str, ...]
    """Headers of a granting answer that the app gets."""
    authorities: str
    """The authorities for an https URL, as a file."""
    cause: str


class Access(Struct, frozen=True, dict=True):
    """The access rules; None if a requirement occurs nowhere."""

    allowed: ByPath[Allowed] | None
    denied: ByPath[Denied] | None
    methods: ByPath[Taken] | None
    certificates: ByPath[Verified] | None
    users: ByPath[Users] | None
    checks: ByPath[Check] | None
    closed: ByPath[bool] | None
    """Paths with restricted access: no cache between the site and a client stores their files."""
    refuses_dots: bool
    """A path with a `.` or `..` segment, or a `#`, is refused (400): the app may see another path than the gateway,
    which chooses rules and the settings of routes by its own.
    """

    @cached_property
    def rules(self) -> str:
        """A word for what is asked, the same for the same; empty where nothing is."""
        if not self:
            return ""
        said = json.dumps(_without_causes(to_builtins(self) | {"refuses_dots": False}), sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()[:8]

    def __bool__(self) -> bool:
        return any((self.allowed, self.denied, self.methods, self.certificates, self.users, self.checks))


def _without_causes(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_causes(one) for key, one in value.items() if key != "cause"}
    return [_without_causes(one) for one in value] if isinstance(value, list | tuple) else value


def access(site: Site, place: Place) -> Access:
    """The access rules of the site."""
    by_path = any(not rule.is_all for rule in site.access) or any(item.causes for item in site.routed)
    return Access(
        allowed=_chosen(site, _allowed, _both_allowed),
        denied=_chosen(site, _denied, _both_denied),
        methods=_chosen(site, _methods, _both_taken),
        certificates=_chosen(site, _verified, lambda inner, _: inner),
        users=_chosen(site, lambda rule: _users(site, rule), _both_users),
        checks=_chosen(site, lambda rule: _check(site, place, rule), _both_checks),
        closed=_chosen(site, lambda rule: True if _is_closed(rule) else None, lambda inner, _: inner),
        refuses_dots=by_path and protocol(site) != "uwsgi",
    )


def _allowed(rule: AccessRule) -> Allowed | None:
    if rule.internal:
        networks = _sorted(rule.allow.all if rule.allow else ())
        return Allowed(networks, is_hidden=True, cause=rule.causes.get("internal", ""))
    return Allowed(_sorted(rule.allow.all), is_hidden=False, cause=rule.allow.cause) if rule.allow else None


def _denied(rule: AccessRule) -> Denied | None:
    return Denied(_sorted(rule.deny.all), rule.deny.cause) if rule.deny else None


def _methods(rule: AccessRule) -> Taken | None:
    return Taken(rule.methods, rule.causes.get("methods", "")) if rule.methods else None


_REALM = re.compile(r"[^A-Za-z0-9._~/<>:-]+")


def _users(site: Site, rule: AccessRule) -> Users | None:
    if rule.users is None:
        return None
    what = "" if rule.is_all else f" {_REALM.sub('', rule.what)}"
    return Users(f"{site.name}{what}", rule.users.entries, rule.users.cause)


def _verified(rule: AccessRule) -> Verified | None:
    return Verified(rule.causes.get("certificate", "")) if rule.certificate else None


def _check(site: Site, place: Place, rule: AccessRule) -> Check | None:
    said = rule.check
    if said is None:
        return None
    sign_in = f"{site.prefix}{said.sign_in}" if said.sign_in.startswith("/") else said.sign_in
    path = said.path and f"{site.prefix}{said.path}"
    return Check(path, said.url, sign_in, said.headers, place.ca_file, said.cause)


class Answer(Struct, frozen=True):
    """A requirement for clients: the key of the option, the requirement in words, and the origin."""

    key: str
    what: str
    cause: str


def admits(site: Site, path: str) -> list[Answer]:
    """The requirements for that decoded path below the mount; empty for an open one."""
    made = []
    for key, words in _WORDS.items():
        said = [rule for rule in site.access if words(rule) or rule.anybody]
        found = {words(rule): rule for rule in holding(said, path) if not rule.anybody}
        made += [Answer(key, what, rule.causes.get(key, "")) for what, rule in found.items()]
    return made


def _networks(networks: Networks | None) -> str:
    if networks is None:
        return ""
    shown = ", ".join(networks.all[:_MOST_SHOWN])
    return shown + (f" and {len(networks.all) - _MOST_SHOWN} more" if len(networks.all) > _MOST_SHOWN else "")


def _allow_words(rule: AccessRule) -> str:
    if rule.internal and rule.allow is None:
        return ""
    return (
        f"only networks {_networks(rule.allow)} (else {404 if rule.internal else 403})" if rule.allow else ""
    )


def _check_words(rule: AccessRule) -> str:
    if rule.check is None:
        return ""
    sign_in = f", browsers are sent to {rule.check.sign_in}" if rule.check.sign_in else ""
    return f"whom {rule.check.url or rule.check.path} lets come (else 401 or 403{sign_in})"


_MOST_SHOWN = 5
_WORDS: dict[str, Callable[[AccessRule], str]] = {
    "deny": lambda rule: f"not networks {_networks(rule.deny) or 'none'} (403)" if rule.deny else "",
    "internal": lambda rule: "no access from outside (404)" if rule.internal and rule.allow is None else "",
    "allow": _allow_words,
    "methods": lambda rule: f"with {', '.join(rule.methods)} (else 405)" if rule.methods else "",
    "certificate": lambda rule: "with a certificate (else 403)" if rule.certificate else "",
    "users": lambda rule: (
        f"users with a password: {len(rule.users.entries)} (else 401)" if rule.users else ""
    ),
    "auth": _check_words,
}


def impossible(
    site: Site, place: Place, abilities: frozenset[Ability], remedies: Mapping[Ability, str]
) -> list[Problem]:
    """Requirements that are impossible here."""
    found = list[Problem]()
    for rule in site.access:
        if rule.certificate and not (site.has_https and site.options.https.client_ca):
            where = rule.causes.get("certificate", "").partition(": ")[0]
            what = f"{rule.what}: certificate: no client is asked for one"
            hint = 'name the authorities: [https] client_ca = "staff-ca.pem", client_verify = "optional"'
            found.append(Problem(where, what, hint))
        if rule.check is None:
            continue
        where = rule.check.cause.partition(": ")[0]
        if Ability.HEALTH not in abilities:
            what = f"{rule.what}: auth: this gateway can ask nobody who may come"
            found.append(Problem(where, what, remedies.get(Ability.HEALTH, "")))
        if rule.check.url.startswith("https:") and not place.ca_file:
            what = f"{rule.what}: auth: no authorities are known that may sign for {rule.check.url}"
            found.append(Problem(where, what, "install the system's (ca-certificates)"))
    return found


def _is_closed(rule: AccessRule) -> bool:
    return bool(rule.allow or rule.internal or rule.certificate or rule.users or rule.check)


def _chosen(
    site: Site, said: Callable[[AccessRule], T | None], both: Callable[[T, T], T]
) -> ByPath[T] | None:
    """The rows of the rules that say it, and of those that open; None where no rule says it.

    `both` is what two rules ask together, the inner one first; it is the inner one where that asks for no less.
    """
    found = [(rule, value) for rule in site.access if (value := said(rule)) is not None or rule.anybody]
    rest = next((value for rule, value in found if rule.is_all), None)
    if all(value is None for _, value in found):
        return None
    rows = list[Row[T]]()
    for number, (rule, value) in enumerate(found):
        if not rule.is_all:
            outer = [(one, asked) for one, asked in found[number + 1 :] if covering(one, rule)]
            rows += _rows(escape(site.prefix), site.prefix + rule.head, rule, value, outer, both)
    return ByPath(tuple(rows), rest)


def _rows(
    prefix: str,
    head: str,
    rule: AccessRule,
    value: T | None,
    outer: Iterable[tuple[AccessRule, T | None]],
    both: Callable[[T, T], T],
) -> list[Row[T]]:
    """Of one rule: its paths as they are written, other spellings of which an outer rule is sure, any other."""
    written = Row(rule.what, head, f"^{prefix}{rule.strict}", ignores_case=False, value=value)
    if value is None:
        return [written]
    made = [written]
    for one, asked in outer:
        value = value if asked is None else both(value, asked)
        pattern = f"^{prefix}(?={one.strict})(?i:{rule.pattern})"
        made.append(Row(rule.what, head, pattern, ignores_case=False, value=value))
    while made and made[-1].value == value:
        made.pop()
    return [*made, Row(rule.what, head, f"^{prefix}{rule.pattern}", ignores_case=True, value=value)]


def _both_allowed(inner: Allowed, outer: Allowed) -> Allowed:
    shared = _sorted([*_inside(inner.networks, outer.networks), *_inside(outer.networks, inner.networks)])
    is_hidden = inner.is_hidden or outer.is_hidden
    if (shared, is_hidden) == (inner.networks, inner.is_hidden):
        return inner
    return Allowed(shared, is_hidden, _causes(inner.cause, outer.cause))


def _both_denied(inner: Denied, outer: Denied) -> Denied:
    joined = _sorted((*inner.networks, *outer.networks))
    return inner if joined == inner.networks else Denied(joined, _causes(inner.cause, outer.cause))


def _both_taken(inner: Taken, outer: Taken) -> Taken:
    shared = tuple(method for method in inner.methods if method in outer.methods)
    return inner if shared == inner.methods else Taken(shared, _causes(inner.cause, outer.cause))


def _both_users(inner: Users, outer: Users) -> Users:
    shared = tuple(entry for entry in inner.entries if entry in outer.entries)
    if shared == inner.entries:
        return inner
    return Users(inner.realm, shared, _causes(inner.cause, outer.cause))


def _both_checks(inner: Check, outer: Check) -> Check:
    if (inner.path, inner.url) == (outer.path, outer.url):
        return inner
    return Check("", "", "", (), "", _causes(inner.cause, outer.cause))


def _causes(*causes: str) -> str:
    return "; ".join(dict.fromkeys(cause for cause in causes if cause))


def _inside(networks: Sequence[str], others: Sequence[str]) -> Iterator[str]:
    """Those that lie in one of the others, none of which lies in another."""
    starts = sorted((net.version, int(net.network_address), net) for net in map(ip_network, others))
    for network in networks:
        net = ip_network(network)
        at = bisect_right(starts, (net.version, int(net.network_address)), key=lambda one: one[:2])
        if at and starts[at - 1][0] == net.version and net.subnet_of(starts[at - 1][2]):  # type: ignore[arg-type]
            yield network


def _sorted(networks: Iterable[str]) -> tuple[str, ...]:
    """Networks without those inside another."""
    found: list[IPv4Network | IPv6Network] = []
    for version in (4, 6):
        some = sorted(net for net in map(ip_network, networks) if net.version == version)
        for net in some:
            if not (found and found[-1].version == version and net.subnet_of(found[-1])):  # type: ignore[arg-type]
                found.append(net)
    return tuple(map(str, found))
