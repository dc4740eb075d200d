"""`portico explain FILE` and `--why`: describes any configuration, and finds what would answer a request."""

from __future__ import annotations

import re
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from portico.cli import findings, output
from portico.errors import Problem, UsageError
from portico.explain.finding import Finding
from portico.explain.language import InForce, Language, Left
from portico.explain.languages import first_file, language_of, language_of_file
from portico.explain.node import Node
from portico.explain.verdict import Asked, Lost, NoServerError, Verdict
from portico.plan.model import Plan
from portico.plan.web.access import Answer

_WIDTH = 96
_ADVICE = ("right as it is", "rarely", "only ", "use ", "on,", "off,", "for debugging", "smaller ")
_GENERATED = re.compile(r"conf(-\d+)?")


class Explained(Struct, frozen=True):
    """One directive of a file in plain words; `context` is where it stands, `notes` its effects on others."""

    file: str
    line: int
    text: str
    context: str
    default: str
    does: str
    without: str
    notes: tuple[str, ...]
    depth: int
    source: str = ""


def untouched(what: str | None) -> tuple[Path, int] | None:
    """The file and line of `what` if Portico did not write the file; line 0 means the whole file."""
    if not what:
        return None
    if (main := first_file(Path(what))) != Path(what) and not _is_generated(main):
        return main, 0
    name, _, number = what.rpartition(":")
    for text, line in ((what, 0), (name, int(number) if number.isascii() and number.isdigit() else -1)):
        if text and line >= 0 and Path(text).is_file() and not _is_generated(Path(text)):
            return Path(text), line
    return None


def _is_generated(file: Path) -> bool:
    return bool(_GENERATED.fullmatch(file.parent.name)) and (file.parent / "errors").is_dir()


def explain_file(file: Path, line: int, *, is_json: bool) -> None:
    """Print the file, or one line of it with the directives in force there. Raises PorticoError."""
    language = language_of_file(file)
    root, problems = language.read_partly(file.absolute())
    unread = findings.unread(root, problems)
    if line:
        here = _beginning_at(file, line, root)
        inherited = [
            item
            for node, above in here
            if node.children is not None
            for item in language.in_force((*above, node))
        ]
    else:
        here, inherited = [pair for pair in root.walk() if pair[1][-1].name not in language.tables], []
    found = [explained(language, node, above) for node, above in here]
    wrong = [one for one in (*unread, *findings.found(language, root)) if not line or _is_at(one, file, line)]
    if is_json:
        force = [
            {"text": language.shown(item.node), "place": item.node.place, "from": _level(language, item)}
            for item in inherited
        ]
        said = {"directives": found, "findings": wrong}
        output.result(output.as_json(said | {"in_force": force} if line else said))
        return
    output.results([text for item in found for text in _lines(item)])
    if inherited:
        output.result(output.strong("in force here"))
        output.results(
            [
                f"  {language.shown(item.node)}  "
                f"{output.faint(f'{_level(language, item)}, {item.node.place}')}"
                for item in inherited
            ]
        )
    if wrong or not line:
        output.results(["", *findings.lines(wrong)])


def _beginning_at(file: Path, line: int, root: Node) -> list[tuple[Node, tuple[Node, ...]]]:
    """The directives that begin at that line, each with its ancestors. Raises UsageError for none."""
    of_file = [pair for pair in root.walk() if Path(pair[0].file).name == file.name]
    here = [pair for pair in of_file if pair[0].line == line]
    if not here:
        near = ", ".join(str(node.line) for node, _ in of_file if abs(node.line - line) <= 2)
        raise UsageError(
            Problem(f"{file}:{line}", "no directive begins here", f"near it: {near}" if near else "")
        )
    return here


def _level(language: Language, item: InForce) -> str:
    """The name of the level where it is set."""
    return item.level.name or language.title(item.level)


def _is_at(one: Finding, file: Path, line: int) -> bool:
    return (Path(one.file).name, one.line) == (file.name, line)


def explained(language: Language, node: Node, above: tuple[Node, ...]) -> Explained:
    """The description of one directive."""
    known = language.words(node.name, above[-1].name)
    context = " > ".join(language.title(block) for block in above if block.name)
    return Explained(
        node.file, node.line, language.shown(node), context, known.default if known else "",
        known.does if known else "a directive that Portico does not know: one of another module, or a typing error",
        known.without if known else "", tuple(language.notes(node, above)), len(above) - 1,
        known.source if known else "",
    )  # fmt: skip


def _lines(item: Explained) -> list[str]:
    indent = "  " * item.depth
    head = f"{indent}{output.strong(item.text)}  {output.faint(f'{Path(item.file).name}:{item.line}')}"
    without = f" {_without(item.without)}." if item.without else ""
    default = f" (default: {item.default})" if item.default and item.default != "none" else ""
    text = f"{item.does[:1].upper()}{item.does[1:]}{default}.{without}"
    made = textwrap.wrap(text, _WIDTH, initial_indent=f"{indent}    ", subsequent_indent=f"{indent}    ")
    return [head, *made, *(output.warned(f"{indent}    {note}") for note in item.notes)]


def _without(text: str) -> str:
    """The effect of leaving the directive out, as a sentence; for some it is advice to leave it out."""
    if text.startswith(_ADVICE):
        return text[:1].upper() + text[1:]
    return f"Without it: {text}"


# Who would answer ------------------------------------------------------------------------------------------


def planned(plan: Plan) -> Node:
    """A plan's configuration as a tree, with the places that `portico explain` knows."""
    from portico.run.disk.write import write_files

    language = language_of(plan)
    with tempfile.TemporaryDirectory() as directory:
        write_files(plan.files, Path(directory))
        return _renamed(language.read(Path(directory) / language.main), f"{directory}/")


def _renamed(node: Node, prefix: str) -> Node:
    children = node.children
    return replace(
        node,
        file=node.file.removeprefix(prefix),
        children=None if children is None else tuple(_renamed(child, prefix) for child in children),
    )


def why(
    language: Language,
    root: Node,
    request: str,
    base: str = "",
    *,
    is_json: bool,
    who: Callable[[str], list[Answer]] | None = None,
    rules: Callable[[Asked, str], list[Answer]] | None = None,
) -> None:
    """Prints the location that would answer, and the routing and access rules of a Portico site. Raises UsageError."""
    asked = asked_for(language, root, request, base)
    try:
        found = language.verdict(root, asked)
    except (NoServerError, ValueError) as error:
        raise UsageError(Problem("--why", str(error))) from None
    steps = [_step(language, step) for step in language.ends(root, asked, found)]
    if is_json:
        said = {} if who is None else {"access": who(found.uri)}
        said |= {} if rules is None else {"routes": rules(asked, found.uri)}
        output.result(output.as_json(_to_json(language, asked, found, steps) | said))
        return
    url = f"{asked.scheme}://{asked.host}:{asked.port}{asked.target}"
    output.results([f"{output.strong(f'{asked.method} {url}')}", ""])
    output.results(_chosen(language, "server", found.server, found.server_why, found.servers_lost))
    if found.uri != asked.target.partition("?")[0]:
        output.result(
            f"{language.name} compares the path {output.strong(found.uri)}: decoded, dots resolved, slashes merged"
        )
    output.results(_chosen(language, "location", found.location, found.location_why, found.locations_lost))
    if rules is not None and (of_rules := rules(asked, found.uri)):
        lines = [f"  {answer.what}  {output.faint(answer.cause)}" for answer in of_rules]
        output.results([output.strong("rules, in the order in which they are tried"), *lines, ""])
    if who is not None:
        output.results(_who_may_come(who(found.uri)))
    if found.location:
        output.result(output.strong("what it says"))
        output.results(
            [
                f"  {language.shown(child)}  {output.faint(child.place)}"
                for child in found.location.children or (found.location,)
            ]
        )
        output.results(["", *map(output.warned, steps)] if steps else [])
    if found.sections:
        output.result(output.strong("what else holds, the last one most"))
        output.results([f"  {language.title(one)}  {output.faint(one.place)}" for one in found.sections])
    output.results([output.warned(note) for note in found.notes])


def _step(language: Language, step: Left) -> str:
    to = f", which leads to {step.leads_to.text} ({step.leads_to.place})" if step.leads_to else ""
    return (
        f"{language.shown(step.condition)} holds ({step.condition.place}): {language.shown(step.answer)}{to}"
    )


def _who_may_come(answers: list[Answer]) -> list[str]:
    made = [f"  {answer.what}  {output.faint(answer.cause)}" for answer in answers]
    return [output.strong("access"), *(made or ["  open to all"]), ""]


def asked_for(language: Language, root: Node, request: str, base: str = "") -> Asked:
    """Parses `GET https://shop.example/a`, the same without a method, or a path alone. Raises UsageError."""
    method, _, url = request.strip().rpartition(" ")
    if url.startswith("/"):
        here = f"http://localhost:{next(iter(language.ports(root)), 80)}"
        url = (base.split("/", 3)[0] + "//" + base.split("/", 3)[2] if base else here) + url
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise UsageError(Problem("--why", f'"{url}" is not a URL: {error}')) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        hint = 'expected "GET https://shop.example/path" or a path'
        raise UsageError(Problem("--why", f'"{request}" is not a request', hint))
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Asked(method.strip().upper() or "GET", parts.scheme, parts.hostname, port, target)


def _chosen(
    language: Language, what: str, node: Node | None, reason: str, lost: tuple[Lost, ...]
) -> list[str]:
    if node is None:
        made = [f"no {what}", f"    {reason}"]
    else:
        made = [f"{output.good(language.title(node))}  {output.faint(node.place)}", f"    {reason}"]
    made += [
        f"  not {language.title(item.node)}  {output.faint(item.node.place)}: {item.why}" for item in lost
    ]
    return [*made, ""]


def _to_json(language: Language, asked: Asked, found: Verdict, steps: list[str]) -> dict[str, Any]:
    def one(node: Node | None, reason: str) -> dict[str, Any]:
        return {
            "text": language.title(node) if node else "",
            "place": node.place if node else "",
            "why": reason,
        }

    return {
        "request": asked,
        "server": one(found.server, found.server_why),
        "other_servers": [one(item.node, item.why) for item in found.servers_lost],
        "uri": found.uri,
        "location": one(found.location, found.location_why),
        "other_locations": [one(item.node, item.why) for item in found.locations_lost],
        "sections": [one(node, "") for node in found.sections],
        "notes": found.notes,
        "ends": steps,
    }
