"""Error pages that never show, or say that all is well."""

from __future__ import annotations

from collections.abc import Iterator

from portico.explain.finding import Finding
from portico.explain.nginx.families import LINKS, PASSES
from portico.explain.nginx.findings.config import Config, added, instead, written
from portico.explain.nginx.locations import find_location
from portico.explain.node import Node

_DEAD = ("502", "503", "504")


def from_the_app(config: Config) -> Iterator[Finding]:
    """The page for a dead app is asked of the app."""
    for node in config.named("error_page"):
        path = node.args[-1] if node.args else ""
        server = config.server_of(node)
        if server is None or not path.startswith("/") or "$" in path or not set(node.args[:-1]) & set(_DEAD):
            continue
        found, _ = find_location(server, path)
        if found is not None and found.first(*PASSES) and not found.first("try_files"):
            yield config.finding(
                "error-page-from-app",
                node,
                f"{path} is answered by {found.text}, so by the app that has just failed",
                "visitors see nginx's bare page instead",
                added(server, f"location = {path} {{ root /var/www/errors; internal; }}"),
            )


def unseen(config: Config) -> Iterator[Finding]:
    """Pages for statuses that only the app gives."""
    for node in config.named("error_page"):
        level = config.parent(node)
        codes = {word for word in node.args[:-1] if word.isdigit()}
        below = [one for one in config.passes if level in config.above[one]]
        if (
            level.name == "location"
            or not codes
            or not below
            or codes & {"502", "504", "413", "401", "403", "503", "429"}
        ):
            continue
        if (
            codes & {"404", "500"}
            and all(_passes_errors(config, one) for one in below)
            and not _has_files(config, level)
        ):
            yield config.finding(
                "error-page-unseen",
                node,
                f"{' and '.join(sorted(codes))} come from the app, whose own page is passed on",
                "visitors never see this page",
                added(level, written(f"{below[0].name.removesuffix('_pass')}_intercept_errors", "on")),
            )


def _passes_errors(config: Config, node: Node) -> bool:
    return config.value(config.parent(node), f"{node.name.removesuffix('_pass')}_intercept_errors") != "on"


def _has_files(config: Config, level: Node) -> bool:
    return any(
        level in config.above[one] and config.in_force(one, "root", "alias", "try_files")
        for one in config.locations
    )


def unused(config: Config) -> Iterator[Finding]:
    for node in config.named(*(f"{link}_intercept_errors" for link in LINKS)):
        level = config.parent(node)
        inside = [
            one for one in config.named("error_page") if level in (config.parent(one), *config.above[one])
        ]
        if node.args == ("on",) and not config.in_force(level, "error_page") and not inside:
            yield config.finding(
                "intercept-unused",
                node,
                "no error_page says what to show instead",
                "the app's error pages pass as they are",
                added(level, written("error_page", 500, "/500.html")),
            )


def fine(config: Config) -> Iterator[Finding]:
    for node in config.named("error_page"):
        wrong = set(node.args[:-2]) & {"404", "500", "502", "503"}
        if "=200" in node.args and wrong and node.args[-1].startswith("/"):
            yield config.finding(
                "error-page-200",
                node,
                f"{' and '.join(sorted(wrong))} are answered as 200",
                "search engines keep pages that are not there, and alarms stay silent",
                instead(written("error_page", *(word for word in node.args if word != "=200"))),
            )


def compressed(config: Config) -> Iterator[Finding]:
    """Answers to requests that came through another proxy, with who they are for."""
    for node in config.named("gzip_proxied"):
        level = config.parent(node)
        types = " ".join(word for one in config.in_force(level, "gzip_types") for word in one.args)
        if "auth" in node.args and "any" not in node.args and "json" in types:
            yield config.finding(
                "gzip-secrets",
                node,
                "answers to requests with a password or token are compressed on purpose",
                "over TLS, a secret beside text of an attacker's can be guessed from the length (BREACH)",
                instead(
                    written("gzip_proxied", *([word for word in node.args if word != "auth"] or ["off"]))
                ),
            )


FINDERS = (from_the_app, unseen, unused, fine, compressed)
