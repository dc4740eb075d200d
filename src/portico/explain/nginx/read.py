"""Reads an nginx configuration with all its includes, by crossplane."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from portico.errors import PorticoError, Problem
from portico.explain.node import Node
from portico.site.own.nginx.syntax import unescaped


def read(path: Path) -> Node:
    """The configuration as one tree, with includes in their place. Raises PorticoError for an invalid one."""
    import crossplane

    try:
        path.open("rb").close()
    except OSError as error:
        raise PorticoError(Problem(str(path), f"cannot be read: {error.strerror}")) from None
    payload = crossplane.parse(
        str(path), catch_errors=True, check_ctx=False, check_args=False, comments=False, combine=False
    )
    problems = [_problem(error) for error in payload["errors"]]
    if problems:
        raise PorticoError(*problems)
    return Node("", (), str(path), 0, tuple(_nodes(payload["config"], 0)))


def _nodes(files: list[Any], index: int) -> list[Node]:
    return _parsed(files, files[index]["parsed"], files[index]["file"])


def _parsed(files: list[Any], parsed: list[Any], file: str) -> list[Node]:
    made = []
    for item in parsed:
        if item["directive"] == "include":
            made.append(Node("include", tuple(item["args"]), file, item["line"]))
            for index in item.get("includes", ()):
                made += _nodes(files, index)
            continue
        block = item.get("block")
        children = None if block is None else tuple(_parsed(files, block, file))
        args = tuple(unescaped(word) for word in item["args"])
        if item["directive"] == "if":  # crossplane removes the parentheses
            args = (f"({' '.join(args)})",)
        name = unescaped(item["directive"])  # the key of a map is one, too
        made.append(Node(name, args, file, item["line"], children))
    return made


def _problem(error: dict[str, Any]) -> Problem:
    line = f":{error['line']}" if error.get("line") else ""
    what = str(error["error"]).removesuffix(f" in {error['file']}{line}")
    return Problem(f"{error['file']}{line}", what, "nginx -t says more")
