"""`if`, patterns and locations that do not do what they look like."""

from __future__ import annotations

import re
from collections.abc import Iterator

from portico.explain.finding import Finding
from portico.explain.nginx.families import PASSES
from portico.explain.nginx.findings.config import Config, instead, is_pattern, is_prefix, removed, written
from portico.explain.nginx.locations import rule
from portico.explain.node import Node

_SAFE = ("return", "rewrite", "set", "break", "if")
_ALL = ("/", ".*", "^", "^/", ".", "^/.*", "^/(.*)", "(.*)", "^(.*)$", "^/(.*)$", "^.*$", "^/.*$", "/.*")


def evil(config: Config) -> Iterator[Finding]:
    """`if` in a location is a location of its own, without all that was said beside it."""
    for node in config.named("if"):
        location = config.parent(node)
        others = [one for one in node.children or () if one.name not in _SAFE]
        if location.name != "location" or not others or node.first("return"):
            continue
        beside = [one for one in location.all("if") if one is not node and _goes_on(one)]
        if not (node.first(*PASSES, "try_files", "alias") or location.first("try_files") or beside):
            continue
        yield config.finding(
            "if-in-location",
            others[0],
            f"{others[0].name} in an if: when it holds, the if is a location of its own",
            "what stands beside it, such as try_files or another if, no longer counts; some modules crash",
            instead(
                "# a map on the variable, and the directive with it, or a location of its own:",
                "error_page 418 = @special; if (...) { return 418; }",
            ),
        )


def _goes_on(node: Node) -> bool:
    """Whether the request stays in the location when the condition holds, with other settings."""
    return not node.first("return") and any(one.name not in _SAFE for one in node.children or ())


def files(config: Config) -> Iterator[Finding]:
    """`try_files` beside an `if`."""
    for location in config.locations:
        tries = location.first("try_files")
        for node in location.all("if"):
            names = [one.name for one in node.children or ()]
            if (
                tries
                and "return" not in names
                and not (set(names) & {"rewrite"} and "set" not in names)
                and set(names) - {"set"}
            ):
                yield config.finding(
                    "if-try-files",
                    node,
                    "when this if holds, try_files beside it is not carried out",
                    "files answer 404 for some visitors alone",
                    removed("a map gives the same value without an if"),
                )


def existence(config: Config) -> Iterator[Finding]:
    for node in config.named("if"):
        if re.match(r"\(!?-[fe] \$request_filename\)", " ".join(node.args)):
            yield config.finding(
                "if-file",
                node,
                "whether a file is there is asked by if",
                "each request looks at the disk twice, and folders are found as files",
                instead(written("try_files", "$uri", "@app")),
            )


def unreached(config: Config) -> Iterator[Finding]:
    """A pattern that another one, or a prefix, always precedes."""
    for level in [*config.servers, *config.locations]:
        patterns = [one for one in level.all("location") if is_pattern(one)]
        firm = [rule(one).pattern for one in level.all("location") if rule(one).kind == "^~"]
        for at, node in enumerate(patterns):
            wanted = rule(node)
            for earlier in patterns[:at]:
                if _covers(earlier, node):
                    yield _never(
                        config,
                        node,
                        f"{earlier.text} (line {earlier.line}) comes first and matches all that this does",
                    )
                    break
            else:
                literal = re.match(r"\^(/[\w/-]+)", wanted.pattern)
                before = [
                    one for one in firm if literal and _whole(wanted.pattern, literal[1]).startswith(one)
                ]
                if before:
                    yield _never(
                        config, node, f"^~ {before[0]} keeps patterns from being asked for these paths"
                    )


def _whole(pattern: str, text: str) -> str:
    """The literal start of a pattern, without a last letter that a quantifier may take away."""
    after = pattern[len(text) + 1 : len(text) + 2]
    return text[:-1] if after in ("?", "*", "{") else text


def _covers(earlier: Node, later: Node) -> bool:
    first, second = rule(earlier), rule(later)
    is_wider = first.kind == second.kind or first.kind == "~*"
    return (first.pattern == second.pattern and is_wider) or first.pattern in _ALL


def _never(config: Config, node: Node, why: str) -> Finding:
    return config.finding(
        "location-unreached", node, f"no request ever comes here: {why}", "what it says never happens",
        removed("or write it before the other one"),
    )  # fmt: skip


def doubles(config: Config) -> Iterator[Finding]:
    for level in [*config.servers, *config.locations]:
        seen: dict[tuple[bool, str], Node] = {}
        for node in level.all("location"):
            found = rule(node)
            if not (is_prefix(node) or found.kind in ("=", "@")):
                continue
            first = seen.setdefault((found.kind == "=", found.pattern), node)
            if first is not node:
                yield config.finding(
                    "duplicate-location",
                    node,
                    f"the location {found.pattern} is there already, at line {first.line}",
                    "nginx refuses the configuration and keeps the old one, or does not start",
                    removed("write its lines into the first one"),
                )


FINDERS = (evil, files, existence, unreached, doubles)
