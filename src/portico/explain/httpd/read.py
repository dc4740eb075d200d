"""Reads an httpd configuration with all its includes, as server/config.c does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from portico.errors import PorticoError, Problem
from portico.explain.httpd import conditions, files
from portico.explain.httpd.names import CONDITIONS, canonical
from portico.explain.httpd.syntax import Line, lines, resolved, rewrite_words, word, words
from portico.explain.node import Node
from portico.reading import ordinary

_DEEPEST, _MOST_NESTED = 20, 60
"""AP_MAX_INCLUDE_DEPTH; httpd has no limit for blocks, nobody writes so many."""
_MOST_BYTES, _MOST_NODES, _MOST_FILES = 32 * 1024 * 1024, 200_000, 10_000
_MOST_PROBLEMS = 20
_NO_ARGUMENT = ("Else", "RequireAll", "RequireAny", "RequireNone")
_EXPRESSIONS = ("If", "ElseIf")


def read(path: Path) -> Node:
    """The configuration as one tree, with includes and macros in their place. Raises PorticoError for an invalid one.

    `path` is a file, or a directory with a main file. A block that httpd skips has `holds` False, one of which the
    files do not tell None.
    """
    root, problems = read_partly(path)
    if problems:
        raise PorticoError(*problems)
    return root


def read_partly(path: Path) -> tuple[Node, tuple[Problem, ...]]:
    """The same with a problem for each include that cannot be read. Raises PorticoError if the file itself cannot."""
    file = files.first_file(path.absolute())
    reader = _Reader(file)
    nodes = reader.file(file, Line(str(file), 0, ""))
    return Node("", (), str(file), 0, tuple(nodes)), tuple(reader.problems)


class _Reader:
    """What httpd knows while it reads, and the problems of includes."""

    def __init__(self, file: Path) -> None:
        self.problems: list[Problem] = []
        self.server_root = files.root_of(file)
        self.environment = files.variables(self.server_root)
        self.defined: dict[str, str] = {}
        """Of `Define`: NAME alone has an empty value, which is no variable."""
        self.modules: set[str] = set()
        self.macros: dict[str, _Macro] = {}
        self.depth, self.nested, self.bytes, self.nodes, self.files = 0, 0, 0, 0, 0
        self.used: list[str] = []

    @property
    def variables(self) -> dict[str, str]:
        return self.environment | {name: value for name, value in self.defined.items() if value}

    def file(self, file: Path, asked: Line) -> list[Node]:
        self.depth, self.files = self.depth + 1, self.files + 1
        if self.depth > _DEEPEST:
            raise _problem(
                asked, f"files include one another more than {_DEEPEST} deep", "is there a circle?"
            )
        if self.files > _MOST_FILES:
            raise _problem(asked, f"more than {_MOST_FILES} files are included")
        try:
            text = ordinary(file).decode("utf-8", "surrogateescape")
        except OSError as error:
            where = asked.place if asked.number else str(file)
            what = f"{file} cannot be read" if asked.number else "cannot be read"
            hint = (
                "may this user read it?"
                if asked.number
                else "expected a file, or a directory with apache2.conf"
            )
            raise PorticoError(Problem(where, f"{what}: {error.strerror}", hint)) from None
        self.bytes += len(text)
        if self.bytes > _MOST_BYTES:
            raise _problem(asked, f"the files have more than {_MOST_BYTES >> 20} MiB together")
        made = self.all(lines(str(file), text))
        self.depth -= 1
        return made

    def all(self, source: Iterator[Line], opened: Line | None = None, name: str = "") -> list[Node]:
        """The nodes up to the end of the source, or to `</name>` of the block `opened`."""
        made: list[Node] = []
        for line in source:
            text = resolved(line.text, self.variables) if "${" in line.text else line.text
            if text.startswith("</"):
                if opened is None or text[2:].lower() != f"{name.lower()}>":
                    raise _problem(line, *_wrong_end(text, opened, name))
                return made
            self.nodes += 1
            if self.nodes > _MOST_NODES:
                raise _problem(line, f"more than {_MOST_NODES} directives")
            made += self._block(line, text, source) if text.startswith("<") else self._directive(line, text)
        if opened is not None:
            raise _problem(opened, f"<{name}> is never closed", f"expected </{name}>")
        return made

    # Blocks --------------------------------------------------------------------------------------------

    def _block(self, line: Line, text: str, source: Iterator[Line]) -> list[Node]:
        name, args = _opening(line, text)
        self.nested += 1
        if self.nested > _MOST_NESTED:
            raise _problem(line, f"blocks are more than {_MOST_NESTED} deep")
        holds: bool | None = True
        if name == "Macro":
            made = self._macro(line, args, source)
        elif name in CONDITIONS and (holds := self._holds(line, name, args)) is False:
            made = _skipped(_soaked(line, name, source))
        else:
            made = self.all(source, line, name)
        self.nested -= 1
        return [Node(name, args, line.file, line.number, tuple(made), holds)]

    def _holds(self, line: Line, name: str, args: tuple[str, ...]) -> bool | None:
        test = args[0]
        if name == "IfDefine":
            return conditions.is_defined(test, self.defined)
        if name == "IfVersion":
            try:
                return conditions.has_version(args)
            except (ValueError, re.error) as error:
                raise _problem(line, str(error), "expected, for example, <IfVersion >= 2.4.30>") from None
        if name == "IfFile":
            return (self.server_root / test.removeprefix("!")).exists() != test.startswith("!")
        asks = conditions.has_module if name == "IfModule" else conditions.has_directive
        return asks(test, self.modules, is_whole=bool(self.modules))

    def _macro(self, line: Line, args: tuple[str, ...], source: Iterator[Line]) -> list[Node]:
        body = _soaked(line, "Macro", source)
        self.macros[args[0].lower()] = _Macro(line, args[1:], tuple(body))
        return _skipped(body)

    # Directives ----------------------------------------------------------------------------------------

    def _directive(self, line: Line, text: str) -> list[Node]:
        first, rest = word(text)
        name = canonical(first)
        args = rewrite_words(rest) if name in ("RewriteRule", "RewriteCond") else words(rest)
        node = Node(name, args, line.file, line.number)
        if name in ("Include", "IncludeOptional"):
            return [node, *self._included(line, node)]
        if name == "Use":
            return [node, *self._expanded(line, node)]
        if name == "Error":
            raise _problem(line, f"the file itself says: {' '.join(args)}")
        if name == "Define" and args:
            self.defined[args[0]] = args[1] if len(args) > 1 else ""
        elif name == "UnDefine" and args:
            self.defined.pop(args[0], None)
        elif name == "LoadModule" and len(args) > 1:
            self.modules.update(conditions.names_of_module(*args[:2]))
        elif name == "ServerRoot" and args:
            self.server_root = Path(args[0])
        return [node]

    def _included(self, line: Line, node: Node) -> Iterable[Node]:
        if len(node.args) != 1:
            raise _problem(line, f"{node.name} has {len(node.args)} words", "expected one file or pattern")
        pattern = self.server_root / node.args[0]
        try:
            found = files.matching(pattern)
        except files.TooManyError as error:
            raise _problem(
                line, f"{pattern} means {error}", "expected the files of a configuration"
            ) from None
        if not found and node.name == "Include":
            self.problems += _problem(line, f"{pattern} is not there", "IncludeOptional allows that").problems
        return [below for file in found for below in self._apart(file, line)]

    def _apart(self, file: Path, line: Line) -> list[Node]:
        """An included file; what is wrong with it is a problem of the whole, and says so at the end."""
        depth, nested, used = self.depth, self.nested, list(self.used)
        try:
            return self.file(file, line)
        except PorticoError as error:
            if len(self.problems) >= _MOST_PROBLEMS:
                raise
            self.problems += error.problems
            self.depth, self.nested, self.used = depth, nested, used
            return []

    def _expanded(self, line: Line, node: Node) -> list[Node]:
        name, values = (node.args[0].lower(), node.args[1:]) if node.args else ("", ())
        macro = self.macros.get(name)
        if macro is None:
            raise _problem(line, f'there is no macro "{" ".join(node.args[:1])}" before this line')
        if len(values) != len(macro.parameters):
            expected = f"expected {len(macro.parameters)}: {' '.join(macro.parameters)}"
            raise _problem(line, f"the macro is used with {len(values)} values", expected)
        if name in self.used:
            raise _problem(line, f"the macro {name} uses itself")
        self.used.append(name)
        made = self.all(macro.lines(values))
        self.used.pop()
        return made


class _Macro:
    """A `<Macro>`: its lines as they stand, and its parameters."""

    def __init__(self, line: Line, parameters: tuple[str, ...], body: tuple[Line, ...]) -> None:
        self.line, self.parameters, self.body = line, parameters, body

    def lines(self, values: tuple[str, ...]) -> Iterator[Line]:
        """With the values in place: of two parameters that begin alike, the longer is meant."""
        known = dict(zip(self.parameters, values, strict=True))
        names = sorted(known, key=len, reverse=True)
        pattern = re.compile("|".join(map(re.escape, names)) or r"(?!)")
        for line in self.body:
            yield Line(line.file, line.number, pattern.sub(lambda found: known[found[0]], line.text))


def _opening(line: Line, text: str) -> tuple[str, tuple[str, ...]]:
    """Name and arguments of `<Name arguments>`."""
    first, rest = word(text)
    is_alone = first.endswith(">")
    name = canonical(first[1:].rstrip(">"))
    if not name:
        raise _problem(line, "a block without a name", "expected <Name arguments>")
    if not is_alone and ">" not in rest:
        raise _problem(line, f"<{name} is not closed on its line", "expected > at its end")
    inner = "" if is_alone else rest[: rest.rindex(">")].strip()
    args = words(inner)
    if name in _EXPRESSIONS and len(args) != 1:
        args = (inner,)
    if not args and name not in _NO_ARGUMENT:
        raise _problem(line, f"<{name}> says not for what", f"expected <{name} ...>")
    return name, args


def _soaked(opened: Line, name: str, source: Iterator[Line]) -> list[Line]:
    """The lines of a block that is not read now: only blocks of the same name are counted (ap_soak_end_container)."""
    made, depth = list[Line](), 1
    for line in source:
        first = line.text.split(None, 1)[0].lower()
        if first == f"</{name.lower()}>":
            depth -= 1
            if not depth:
                return made
        elif first.rstrip(">") == f"<{name.lower()}":
            depth += 1
        made.append(line)
    raise _problem(opened, f"<{name}> is never closed", f"expected </{name}>")


def _skipped(body: list[Line]) -> list[Node]:
    """The lines of a skipped block as nodes, as far as they are ones: nothing in them has an effect."""
    stack: list[tuple[Node, list[Node]]] = [(Node(""), [])]
    for line in body:
        if line.text.startswith("</"):
            if len(stack) > 1:
                node, made = stack.pop()
                stack[-1][1].append(Node(node.name, node.args, node.file, node.line, tuple(made), node.holds))
        elif line.text.startswith("<") and len(stack) < _MOST_NESTED:
            first, rest = word(line.text)
            name = canonical(first[1:].rstrip(">"))
            stack.append((Node(name, words(rest.rpartition(">")[0]), line.file, line.number, (), False), []))
        else:
            first, rest = word(line.text)
            stack[-1][1].append(Node(canonical(first), words(rest), line.file, line.number, None, False))
    while len(stack) > 1:
        node, made = stack.pop()
        stack[-1][1].append(Node(node.name, node.args, node.file, node.line, tuple(made), node.holds))
    return stack[0][1]


def _wrong_end(text: str, opened: Line | None, name: str) -> tuple[str, str]:
    if opened is None:
        return f"{text} closes a block that was not opened", "remove it, or open the block before"
    return f"{text} closes <{name}> of {opened.place}", f"expected </{name}>"


def _problem(line: Line, what: str, hint: str = "") -> PorticoError:
    return PorticoError(Problem(line.place, what, hint or "apachectl -t says more"))
