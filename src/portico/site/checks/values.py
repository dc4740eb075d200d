"""Rules for values beyond their types: one rule a key, each says what was expected and what to do."""

from __future__ import annotations

import re

from portico.site.checks.behind import BEHIND_RULES, gateways, socket
from portico.site.checks.commands import COMMAND_RULES
from portico.site.checks.crawlers import CRAWLER_RULES
from portico.site.checks.env import ENV_RULES
from portico.site.checks.fleet import FLEET_RULES
from portico.site.checks.guard import GUARD_RULES
from portico.site.checks.headers import HEADER_RULES, broken_headers, has_https
from portico.site.checks.https import HTTPS_RULES, address_of
from portico.site.checks.limits import LIMIT_RULES
from portico.site.checks.observers import OBSERVER_RULES
from portico.site.checks.routing import ROUTING_RULES, broken_routes
from portico.site.checks.rule import (
    DOMAIN,
    LARGEST,
    LONGEST_TIMEOUT,
    URL_PATH,
    Broken,
    BrokenRule,
    Rules,
    can_be_asked,
)
from portico.site.checks.upstream import UPSTREAM_RULES
from portico.site.checks.workers import WORKER_RULES
from portico.site.options import Options
from portico.values import Size

_DOTS = re.compile(r"//|/\.\.?(/|$)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,40}")
_LEAST_CACHE = Size(1 << 20)


def broken_rules(options: Options) -> list[BrokenRule]:
    """Every rule the options break, in the order of the keys."""
    found = [BrokenRule(key, what, hint) for key, rule in _RULES.items() for what, hint in rule(options)]
    names = broken_headers(options.headers.set, has_https=has_https(options))
    of_headers = (BrokenRule(f"headers.set.{name}", what, hint) for name, what, hint in names)
    return [*found, *of_headers, *broken_routes(options)]


def _name(options: Options) -> Broken:
    if options.name and not _NAME.fullmatch(options.name):
        yield (
            f'"{options.name}" cannot name a directory',
            "expected letters, digits, '.', '_' and '-', at most 41",
        )


def _domains(options: Options) -> Broken:
    for domain in options.domains:
        if (address := address_of(domain)) is not None:
            right = str(address).partition("%")[0]
            if right != domain:
                yield f'"{domain}" is an address in another spelling', f"write it as {right}"
        elif not DOMAIN.fullmatch(domain):
            yield (
                f'"{domain}" is not a host name',
                "expected a name like shop.example, without scheme, port or path",
            )


def _mount(options: Options) -> Broken:
    if not URL_PATH.fullmatch(options.mount) or _DOTS.search(options.mount):
        yield f'"{options.mount}" is not a URL prefix', "expected a path that begins with /, like /shop"
    elif (options.mount + "/").startswith("/-/"):
        yield f'"{options.mount}" is taken', "paths under /-/ are Portico's own; choose another prefix"


def _request_timeout(options: Options) -> Broken:
    if not 1 <= options.request_timeout <= LONGEST_TIMEOUT:
        yield f"{options.request_timeout} is out of range", "expected 1s to 1h"


def _max_upload(options: Options) -> Broken:
    if options.max_upload is not None and options.max_upload < 1:
        yield (
            "0 would refuse every request with a body",
            'expected at least 1B; nginx\'s 0 for "no limit" is not supported',
        )
    if options.max_upload is not None and options.max_upload > LARGEST:
        yield f"{options.max_upload} is more than nginx can count", "expected at most 1024GiB"


def _health(options: Options) -> Broken:
    if not can_be_asked(options.health):
        yield f'"{options.health}" is not a URL path', "expected a path that begins with /, like /healthz"


def _start_timeout(options: Options) -> Broken:
    if not 1 <= options.start_timeout <= LONGEST_TIMEOUT:
        yield f"{options.start_timeout} is out of range", "expected 1s to 1h"


def _static(options: Options) -> Broken:
    for url, folder in options.static.items():
        if not URL_PATH.fullmatch(url) or not url.endswith("/") or url == "/" or _DOTS.search(url):
            yield f'"{url}" is not a URL prefix', 'expected a path with both slashes, like "/media/"'
        if url.startswith("/-/"):
            yield f'"{url}" is taken', "paths under /-/ are Portico's own; choose another URL"
        if "$" in folder or not folder:
            yield (
                f'"{folder}" cannot be written in a configuration of nginx',
                "expected a directory whose path has no $",
            )


def _spa(options: Options) -> Broken:
    if "$" in options.spa:
        yield (
            f'"{options.spa}" cannot be written in a configuration of nginx',
            "expected a directory whose path has no $",
        )


def _cache_size(options: Options) -> Broken:
    size = options.cache.size
    if size and not _LEAST_CACHE <= size <= LARGEST:
        yield f"{size} is out of range", f"expected {_LEAST_CACHE} to 1024GiB, or 0B for no cache"


def _cache_item(options: Options) -> Broken:
    if not 1 <= options.cache.item <= LARGEST:
        yield f"{options.cache.item} is out of range", "expected 1B to 1024GiB"


_RULES: Rules = {
    "name": _name,
    "domains": _domains,
    "mount": _mount,
    **ROUTING_RULES,
    **BEHIND_RULES,
    "request_timeout": _request_timeout,
    "max_upload": _max_upload,
    "health": _health,
    "start_timeout": _start_timeout,
    **ENV_RULES,
    **COMMAND_RULES,
    **WORKER_RULES,
    "static": _static,
    "spa": _spa,
    **LIMIT_RULES,
    **GUARD_RULES,
    **CRAWLER_RULES,
    "cache.size": _cache_size,
    "cache.item": _cache_item,
    **UPSTREAM_RULES,
    "node.gateways": gateways,
    "node.socket": socket,
    **FLEET_RULES,
    **HTTPS_RULES,
    **HEADER_RULES,
    **OBSERVER_RULES,
}
