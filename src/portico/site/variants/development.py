"""`--dev`: a site while it is developed, on this machine alone, whatever its portico.toml says of production."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from portico.errors import Problem
from portico.site.facts import DJANGO_STATIC_ROOT, AppFacts
from portico.site.model import Development, Routed
from portico.site.options import Options
from portico.site.options.cache import Cache
from portico.site.options.https import Https
from portico.site.options.mirror import Mirror
from portico.site.options.observers import Tracing
from portico.site.options.release import Release
from portico.site.variants.platform import CAUSE as PORT
from portico.values import Address, Duration, Size

FLAG = "dev"
CAUSE = f"--{FLAG}"
DEADLINE = Duration(86_400)
"""A request may stop in a debugger for a day."""
_NAMES = ["localhost", "127.0.0.1", "*.localhost"]
"""The Hosts that are answered. A page of another site can give this machine any name that it owns (DNS rebinding)."""
_OF_PRODUCTION: Mapping[str, Any] = {
    "domains": _NAMES, "canonical": "", "email": "", "behind": [], "behind_only": False, "behind_headers": None,
    "behind_protocol": "http", "request_timeout": DEADLINE, "cache": Cache(size=Size(0)), "release": Release(),
    "mirror": Mirror(), "tracing": Tracing(),
}  # fmt: skip
"""What the site has instead. Tables are whole."""
_OF_WORKERS: Mapping[str, Any] = {"count": 1, "max_requests": 0, "queue": Duration(0)}
"""The debugger's page asks the process that has the traceback."""


def developed(
    options: Options, causes: Mapping[str, str]
) -> tuple[Options, dict[str, str], Development, list[Problem]]:
    """The options of the same site for `--dev`, their origins, what does not hold, and what forbids it."""
    problems = [*_public(options, causes), *_elsewhere(options, causes)]
    listen = options.listen or Address("127.0.0.1", 8080)
    if causes.get("listen") == PORT:
        listen = Address("127.0.0.1", listen.port)
    https = Https(mode="off")
    if options.https.mode == "local":
        https = Https(mode="local", listen=options.https.listen)
    names = [*_NAMES, f"[{listen.host}]"] if listen.is_v6 else _NAMES
    said = {**_OF_PRODUCTION, "listen": listen, "domains": names, "https": https}
    if options.headers.csp:
        said["headers"] = replace(options.headers, csp_report_only=True)
    made = replace(options, **said, workers=replace(options.workers, **_OF_WORKERS))
    changed = [key for key in causes if _value(options, key) != _value(made, key)]
    now = [*said, *(f"workers.{name}" for name in _OF_WORKERS)]
    aside = tuple(f"{key} ({causes[key]})" for key in changed if causes[key] != PORT)
    kept = {key: where for key, where in causes.items() if key not in changed}
    return made, dict.fromkeys(now, CAUSE) | kept, Development(aside), problems


def _value(options: Options, key: str) -> Any:
    """Of a dotted key; None where it is an entry of a table."""
    value: Any = options
    for name in key.split("."):
        value = getattr(value, name, None)
    return value


def _public(options: Options, causes: Mapping[str, str]) -> Iterator[Problem]:
    """Whoever reaches the debugger of an app runs code as its user."""
    addresses = {
        "listen": None if causes.get("listen") == PORT else options.listen,
        "https.listen": options.https.listen,
    }
    for key, address in addresses.items():
        if address is not None and not is_loopback(address):
            what = f"{CAUSE} serves this machine alone, and {address} can be reached from others"
            hint = f"add --{key.replace('.', '-')} 127.0.0.1:{_high(address.port)}, or leave {CAUSE} out"
            yield Problem(causes.get(key, key), what, hint)
    for key in ("domains", "email", "canonical"):
        if causes.get(key, "").startswith("--"):
            yield Problem(causes[key], f"{CAUSE} serves localhost alone", "leave one of the two out")
    typed = [where for key, where in causes.items() if key.startswith("https.") and where.startswith("--")]
    if typed and options.https.mode not in ("local", "off"):
        what = f"{CAUSE} has no public certificate"
        yield Problem(typed[0], what, "expected --https local, or none")


def _high(port: int) -> int:
    return port if port >= 1024 else 8080


def _elsewhere(options: Options, causes: Mapping[str, str]) -> Iterator[Problem]:
    hint = f"leave {CAUSE} out, or name another file with --config"
    if options.node.socket:
        yield Problem(causes.get("node.socket", "node.socket"), f"{CAUSE} needs a gateway of its own", hint)
    if options.routed_by:
        what = f"{CAUSE} runs one site, and this one is reached through another"
        yield Problem(causes.get("routed_by", "routed_by"), what, hint)


def is_loopback(address: Address) -> bool:
    """Whether this machine alone reaches that address."""
    return not address.is_wildcard and ipaddress.ip_address(address.host).is_loopback


def facts_for(facts: AppFacts) -> AppFacts:
    """Django itself finds the static files of its apps: those of STATIC_ROOT are copies, perhaps old ones."""
    static = [folder for folder in facts.static if folder.origin != DJANGO_STATIC_ROOT]
    return replace(facts, static=static)


def without_deadlines(routed: tuple[Routed, ...]) -> tuple[Routed, ...]:
    """The routes, without times of their own: a debugger may stop any of them."""
    return tuple(replace(one, edge=replace(one.edge, timeout=None)) for one in routed)
