"""Answers that are kept, and given to the wrong visitor."""

from __future__ import annotations

import re
from collections.abc import Iterator

from portico.explain.finding import Finding
from portico.explain.nginx.families import LINKS
from portico.explain.nginx.findings.config import Config, added, instead, removed, variables, written
from portico.explain.node import Node

_HOSTLESS = re.compile(
    r"scheme|request_uri|uri|document_uri|args|is_args|query_string|request_method|(?:cookie|arg|http_accept)_\w+"
)
"""Variables that are the same for every host."""
_PATHS = {"request_uri", "args", "query_string", "is_args"}


def _caches(config: Config, what: str) -> Iterator[tuple[str, Node]]:
    for link in LINKS:
        for node in config.named(f"{link}_{what}"):
            yield link, node


def ignored(config: Config) -> Iterator[Finding]:
    for link, node in _caches(config, "ignore_headers"):
        level = config.parent(node)
        private = [word for word in node.args if word in ("Set-Cookie", "Cache-Control")]
        if private and config.value(level, f"{link}_cache") not in ("", "off"):
            hides = any(
                one.args[:1] == ("Set-Cookie",) for one in config.in_force(level, f"{link}_hide_header")
            )
            if private == ["Set-Cookie"] and hides:
                continue
            yield config.finding(
                "cache-private",
                node,
                f"answers are kept although the app forbids it by {' and '.join(private)}",
                "a visitor gets the page, or the session, of another one",
                removed(),
            )


def everything(config: Config) -> Iterator[Finding]:
    """Pages of signed-in visitors that do not say that they are private."""
    for link, node in _caches(config, "cache_valid"):
        level = config.parent(node)
        codes = node.args[:-1]
        is_page = not codes or "200" in codes or "any" in codes
        said = {
            name
            for one in config.in_force(level, f"{link}_no_cache")
            + config.in_force(level, f"{link}_cache_bypass")
            for word in one.args
            for name in variables(word)
        }
        key = {
            name
            for one in config.in_force(level, f"{link}_cache_key")
            for word in one.args
            for name in variables(word)
        }
        zones = config.value(level, f"{link}_cache")
        if (
            is_page
            and zones not in ("", "off")
            and not said
            and not any(name.startswith("cookie") or name == "http_cookie" for name in key)
        ):
            yield config.finding(
                "cache-everybody",
                node,
                "every page without a header about caching is kept, also those of signed-in visitors",
                "a visitor gets the page of another one",
                added(
                    level,
                    written(f"{link}_no_cache", "$http_cookie", "$http_authorization"),
                    written(f"{link}_cache_bypass", "$http_cookie", "$http_authorization"),
                ),
            )


def keys(config: Config) -> Iterator[Finding]:
    for link, node in _caches(config, "cache_key"):
        names = {name for word in node.args for name in variables(word)}
        if names & {"uri", "document_uri"} and not names & _PATHS:
            yield config.finding(
                "cache-key-query",
                node,
                "the key has the path without its query",
                "?page=2 and ?user=7 get the answer of another query",
                instead(written(f"{link}_cache_key", "$scheme$host$request_uri")),
            )
        server = config.server_of(node)
        hosts = [
            name
            for one in ([server] if server else config.servers)
            for line in one.all("server_name")
            for name in line.args
        ]
        if all(map(_HOSTLESS.fullmatch, names)) and len(hosts) > 1:
            yield config.finding(
                "cache-key-host",
                node,
                f"the key has no host, and there are several: {', '.join(hosts[:3])}",
                "a page of one site is shown by another",
                instead(written(f"{link}_cache_key", f"$host{''.join(node.args)}")),
            )


def sizes(config: Config) -> Iterator[Finding]:
    for link, node in _caches(config, "cache_path"):
        if not any(word.startswith(("max_size=", "min_free=")) for word in node.args):
            yield config.finding(
                "cache-unbounded",
                node,
                "nothing limits the size of the cache",
                "anybody fills the disk with ?1, ?2, ?3; then logs, uploads and the database fail",
                instead(written(f"{link}_cache_path", *node.args, "max_size=1g")),
            )
        if node.args and node.args[0].startswith(("/tmp/", "/var/tmp/")):  # noqa: S108  reading
            yield config.finding(
                "cache-in-tmp",
                node,
                "the cache is in a folder where everybody may write",
                "any user of the machine makes the folder first and chooses what visitors see",
                instead(written(f"{link}_cache_path", "/var/cache/nginx/app", *node.args[1:])),
            )


def herds(config: Config) -> Iterator[Finding]:
    for link, node in _caches(config, "cache"):
        level = config.parent(node)
        keeps = config.in_force(level, f"{link}_cache_valid")
        if node.args != ("off",) and keeps and config.value(level, f"{link}_cache_lock") != "on":
            yield config.finding(
                "cache-herd",
                node,
                "many requests for a page that is not kept yet all go to the app",
                "when a much-read page runs out, the app gets all of its visitors at once",
                added(level, written(f"{link}_cache_lock", "on")),
            )


def methods(config: Config) -> Iterator[Finding]:
    for link, node in _caches(config, "cache_methods"):
        if "POST" in node.args:
            yield config.finding(
                "cache-post",
                node,
                "answers to a POST are kept",
                "the second order is answered with the first one's page, and never reaches the app",
                instead(written(f"{link}_cache_methods", "GET", "HEAD")),
            )


FINDERS = (ignored, everything, keys, sizes, herds, methods)
