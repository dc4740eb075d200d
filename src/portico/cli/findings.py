"""What `portico explain FILE` finds wrong with a configuration, for people."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

from portico.cli import output
from portico.errors import PorticoError, Problem, UsageError
from portico.explain.finding import HARMS, Finding, Fix
from portico.explain.language import Language
from portico.explain.node import Node
from portico.place.gateway.finders import FINDERS
from portico.place.model import Build

_WIDTH = 96
_INCLUDES = ("include", "includeoptional")


def found(language: Language, root: Node) -> list[Finding]:
    """The findings, by the version of the program that this machine has, if it has one."""
    return language.findings(root, _installed(language.name))


def unread(root: Node, problems: Sequence[Problem]) -> list[Finding]:
    """A finding for each include that was not read. Raises PorticoError if anything else is wrong with the files."""
    includes = {node.place: node for node, _ in root.walk() if node.name.lower() in _INCLUDES}
    if others := [problem for problem in problems if problem.where not in includes]:
        raise PorticoError(*others)
    return [
        Finding(
            "include-unread", "breaks", includes[problem.where].file, includes[problem.where].line, "", problem.what,
            "a web server that cannot read it either refuses the whole configuration; what it says is unknown here, "
            "so other findings may be wrong",
            Fix("put a file there that can be read, or take the line out"),
        )
        for problem in problems
    ]  # fmt: skip


def _installed(program: str) -> Build | None:
    finder = next((one for one in FINDERS if one.program == program), None)
    try:
        return finder.found("system").first if finder else None
    except UsageError:
        return None


def lines(findings: list[Finding]) -> list[str]:
    """Worst first; each with the harm, and the lines to write."""
    if not findings:
        return [output.good("nothing was found that an expert would change")]
    count = f"{len(findings)} thing{'' if len(findings) == 1 else 's'} that an expert would change"
    return [output.strong(count), "", *(text for one in findings for text in _lines(one))]


def _lines(one: Finding) -> list[str]:
    paint = output.warned if one.severity == "hint" else output.bad
    head = f"{paint(one.severity)}  {output.strong(one.code)}  {output.faint(f'{Path(one.file).name}:{one.line}')}"
    made = [head if not one.where else f"{head}  {output.faint(one.where)}"]
    made += _wrapped(f"{one.what[:1].upper()}{one.what[1:]}.")
    made += _wrapped(f"Harm ({HARMS[one.severity]}): {one.harm}.")
    made += _wrapped(f"Fix: {one.fix.how}{':' if one.fix.lines else '.'}")
    return [*made, *(f"        {line}" for line in one.fix.lines), ""]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent="    ", subsequent_indent="    ", break_long_words=False
    )
