"""Rules about who may come that do not hold."""

from __future__ import annotations

from collections.abc import Iterator

from portico.explain.finding import Finding
from portico.explain.nginx.families import PASSES
from portico.explain.nginx.findings.config import (
    Config,
    added,
    instead,
    is_pattern,
    is_prefix,
    removed,
    written,
)
from portico.explain.nginx.findings.patterns import endings
from portico.explain.nginx.locations import find_location, rule
from portico.explain.node import Node

_HINTS = ("protected", "internal", "private", "x-accel", "xaccel", "secure", "sendfile", "accel")


def order(config: Config) -> Iterator[Finding]:
    """The first rule that fits decides."""
    for level in dict.fromkeys(config.parent(node) for node in config.named("allow", "deny")):
        lines = [one for one in level.children or () if one.name in ("allow", "deny")]
        end = next((at for at, one in enumerate(lines) if one.args == ("all",)), None)
        if end is None:
            if all(one.name == "allow" for one in lines):
                yield config.finding(
                    "allow-alone",
                    lines[-1],
                    "no deny all follows: who is not on the list may come as well",
                    "everybody gets what the list was written for",
                    added(level, written("deny", "all")),
                )
            continue
        for late in lines[end + 1 :]:
            is_open = lines[end].name == "allow"
            yield config.finding(
                "access-order",
                late,
                f"{lines[end].text} stands before it and decides: this line is never asked",
                "the address that should be kept out comes in"
                if is_open
                else "the address that should come in is refused",
                instead(written(late.name, *late.args), written(lines[end].name, "all")),
            )


def either(config: Config) -> Iterator[Finding]:
    for node in config.named("satisfy"):
        level = config.parent(node)
        rules = config.in_force(level, "allow", "deny")
        if node.args != ("any",) or not config.in_force(level, "auth_basic", "auth_request", "auth_jwt"):
            continue
        wide = [one for one in rules if one.name == "allow" and one.args[0] in ("all", "0.0.0.0/0")]
        if not rules or wide:
            yield config.finding(
                "satisfy-any",
                node,
                "an address or a password is enough, and every address is allowed",
                "nobody is ever asked for the password",
                instead(written("satisfy", "all")),
            )


def returns(config: Config) -> Iterator[Finding]:
    """`return` answers before anybody is asked who is there."""
    for location in config.locations:
        rules = location.all("deny") + location.all("auth_basic") + location.all("auth_request")
        rules = [one for one in rules if one.args != ("off",)]
        for node in location.all("return"):
            if rules and node.args and node.args[0] not in ("403", "404", "444", "401"):
                yield config.finding(
                    "return-before-access",
                    rules[0],
                    f"{node.text} answers first: rules about who may come are asked later",
                    "everybody gets the answer without a password, from any address",
                    instead(
                        "try_files /nonexistent @answer;",
                        f"# and beside it: location @answer {{ {node.text}; }}",
                    ),
                )


def exact(config: Config) -> Iterator[Finding]:
    """A rule for one path, and nothing for what is below it."""
    for location in config.locations:
        server, found = config.server_of(location), rule(location)
        if found.kind != "=" or server is None or found.pattern == "/" or not _is_guarded(config, location):
            continue
        if not location.first(*PASSES) or "." in found.pattern:
            continue
        other, _ = find_location(server, f"{found.pattern.rstrip('/')}/x")
        if other is not None and config.is_open(other) and other.first(*PASSES):
            yield config.finding(
                "access-exact",
                location,
                f"only {found.pattern} itself is protected, not {found.pattern}/ and what is below",
                f"the app answers {found.pattern}/ or {found.pattern}/x to everybody",
                instead(f"location {found.pattern} {{"),
            )


def _is_guarded(config: Config, location: Node) -> bool:
    own = location.all("deny") + location.all("auth_basic") + location.all("auth_request")
    return any(one.args != ("off",) for one in own) and not config.is_open(location)


def overtaken(config: Config) -> Iterator[Finding]:
    """A location by pattern takes paths out of a protected one."""
    for location in config.locations:
        server = config.server_of(location)
        if server is None or rule(location).kind != "" or not _is_guarded(config, location):
            continue
        prefix = rule(location).pattern
        for other in config.locations_of(server):
            if (
                not is_pattern(other)
                or not config.is_open(other)
                or location in config.above[other]
                or other.first("return")
            ):
                continue
            for end in endings(rule(other).pattern):
                path = f"{prefix.rstrip('/')}/x{end}"
                if find_location(server, path)[0] is other:
                    yield config.finding(
                        "access-overtaken",
                        location,
                        f"{path} is answered by {other.text} (line {other.line}), which protects nothing",
                        "everybody gets such paths without a password, from any address",
                        instead(f"location ^~ {prefix} {{"),
                    )
                    break


def merged(config: Config) -> Iterator[Finding]:
    for node in config.named("merge_slashes"):
        level = config.parent(node)
        guarded = [one for one in config.locations if level in config.above[one] and _is_guarded(config, one)]
        guarded = [one for one in guarded if one.first(*PASSES) and _is_passed(config, one)]
        if node.args == ("off",) and guarded:
            yield config.finding(
                "merge-slashes",
                node,
                f"//path does not match {guarded[0].text}, and the app takes it for the same",
                "everybody gets protected pages by two slashes",
                instead(written("merge_slashes", "on")),
            )


def _is_passed(config: Config, guarded: Node) -> bool:
    """Whether the same path with two slashes reaches the app without the guard."""
    server, found = config.server_of(guarded), rule(guarded)
    if server is None or is_pattern(guarded):
        return False
    other, _ = find_location(server, f"/{found.pattern}")
    return other is not None and config.is_open(other) and bool(other.first(*PASSES))


def cases(config: Config) -> Iterator[Finding]:
    """A rule for endings in small letters."""
    for location in config.locations:
        found = rule(location)
        if (
            found.kind == "~"
            and not config.is_open(location)
            and location.first("deny")
            and _has_ending(found.pattern)
        ):
            yield config.finding(
                "access-case",
                location,
                f"{found.pattern} is compared with its letters as they are",
                "a backup called DUMP.SQL is given to everybody",
                instead(f"location ~* {found.pattern} {{"),
            )


def _has_ending(pattern: str) -> bool:
    return pattern.endswith("$") and any(one.isalpha() for end in endings(pattern) for one in end)


def sent_files(config: Config) -> Iterator[Finding]:
    """The folder of files that only the app may send."""
    for location in config.locations:
        found = rule(location)
        named = any(word in found.pattern.lower() for word in _HINTS)
        if named and is_prefix(location) and location.first("alias", "root") and config.is_open(location):
            yield config.finding(
                "not-internal",
                location,
                f"{found.pattern} looks like the folder of X-Accel-Redirect, and everybody may ask for it",
                "who knows or guesses a file's name gets it past the app's own check",
                added(location, "internal;"),
            )


def questions(config: Config) -> Iterator[Finding]:
    """The endpoint of `auth_request` is for nginx alone."""
    for node in config.named("auth_request"):
        server = config.server_of(node)
        path = node.args[0] if node.args else ""
        location = find_location(server, path)[0] if server and path.startswith("/") else None
        if location is None or rule(location).kind != "=" or config.in_force(location, "internal"):
            continue
        if location.first(*PASSES):
            yield config.finding(
                "auth-request-open",
                location,
                f"{path} answers clients as well as nginx",
                "anybody tries sessions and tokens there, past limits on the sign-in page",
                added(location, "internal;"),
            )


def counters(config: Config) -> Iterator[Finding]:
    for node in config.named("stub_status"):
        location = config.parent(node)
        server = config.server_of(node)
        if config.is_open(location) and server is not None and config.is_public(server):
            yield config.finding(
                "status-open",
                node,
                "everybody may see how many connections there are",
                "an attacker sees whether an attack works, and when the site is busy",
                added(location, written("allow", "127.0.0.1"), written("deny", "all")),
            )


def passwords(config: Config) -> Iterator[Finding]:
    for node in config.named("auth_basic"):
        above = config.parent(node)
        servers = [config.server_of(node)] if config.server_of(node) else config.servers
        for server in servers:
            if (
                server is None
                or node.args == ("off",)
                or config.has_tls(server)
                or not config.is_public(server)
            ):
                continue
            if not config.in_force(above, "set_real_ip_from") and config.serves(server):
                yield config.finding(
                    "password-http",
                    node,
                    "the password comes by http, without encryption, with each request",
                    "who is on the way reads it",
                    removed("say it in a server with TLS, and redirect to that"),
                )
                break


FINDERS = (
    order,
    either,
    returns,
    exact,
    overtaken,
    merged,
    cases,
    sent_files,
    questions,
    counters,
    passwords,
)
