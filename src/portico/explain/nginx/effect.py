"""What is in force where: nginx's inheritance from http to server to location, and what a level overrides."""

from __future__ import annotations

from portico.explain.language import InForce
from portico.explain.nginx.families import LINKS, PASSES
from portico.explain.nginx.servers import names_of
from portico.explain.node import Node

_LEVELS = ("http", "server", "location", "if", "limit_except")
_LOCAL = frozenset(
    (
        *("return", "rewrite", "set", "break", "if", "try_files", "internal", "alias", "location", "server"),
        *(
            "server_name",
            "listen",
            "upstream",
            "map",
            "geo",
            "split_clients",
            "limit_except",
            "include",
            "types",
        ),
        *(
            "log_format",
            "limit_req_zone",
            "limit_conn_zone",
            "keyval_zone",
            "empty_gif",
            "stub_status",
            "mirror",
        ),
        *PASSES,
        *(f"{link}_cache_path" for link in LINKS),
    )
)
"""Directives that are not inherited, or that define something by a name."""
_OF_LINKS = ("set_header", "param", "hide_header", "pass_header", "cookie_path", "redirect", "cache_valid")
_LISTS = frozenset(
    (
        *(
            "add_header",
            "add_trailer",
            "error_page",
            "access_log",
            "limit_req",
            "limit_conn",
            "allow",
            "deny",
        ),
        "sub_filter",
        *(f"{link}_{name}" for link in LINKS for name in _OF_LINKS),
    )
)
"""Directives that a level may repeat; the first on a level overrides all of those above."""


def in_force(chain: tuple[Node, ...]) -> list[InForce]:
    """What is in force in the last block of `chain` (http, server, location ...), its own lines and the inherited
    ones.
    """
    found: dict[str, list[InForce]] = {}
    for level in chain:
        if level.name not in _LEVELS:
            continue
        own: dict[str, list[InForce]] = {}
        for node in level.children or ():
            is_here = level is chain[-1]
            if node.children is None and (is_here or node.name not in _LOCAL):
                own.setdefault(node.name, []).append(InForce(node, level))
        found |= own
    return [item for items in found.values() for item in items if item.node.name not in ("include",)]


def notes(node: Node, above: tuple[Node, ...]) -> list[str]:
    """How this directive affects those of the same name above and below; `above` are its ancestors."""
    made: list[str] = []
    above = tuple(level for level in above if level.name)  # without the root
    if node.name in _LOCAL or not above or above[-1].name not in _LEVELS:
        return made
    hidden = next((found for level in reversed(above[:-1]) if (found := level.all(node.name))), [])
    if hidden and node is above[-1].first(node.name):
        if node.name in _LISTS:
            what = f"all {len(hidden)} {node.name} lines" if len(hidden) > 1 else f"the {node.name} line"
            made.append(
                f"hides {what} of {_level(hidden[0], above)} ({hidden[0].place}): a level that sets one inherits none"
            )
        else:
            made.append(f"replaces {hidden[0].text} of {_level(hidden[0], above)} ({hidden[0].place})")
    below = [
        lower
        for lower, _ in above[-1].walk()
        if lower.name == node.name and lower not in (above[-1].children or ())
    ]
    if below and node is above[-1].first(node.name):
        verb = "hidden" if node.name in _LISTS else "replaced"
        made.append(
            f"{verb} further down at {', '.join(lower.place for lower in below[:3])}"
            + (" ..." if below[3:] else "")
        )
    return made


def title(node: Node) -> str:
    """`server shop.example`, `location /static/`."""
    named = " ".join(name or '""' for name in names_of(node)) if node.name == "server" else ""
    return f"server {named}" if named else node.text


def _level(node: Node, above: tuple[Node, ...]) -> str:
    return next((level.name for level in reversed(above) if node in (level.children or ())), "above")
