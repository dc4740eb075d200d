"""uWSGI's files of settings: ini, YAML, JSON and XML. A setting may stand in one of them several times."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from xml.parsers import expat

from msgspec import Struct

from portico.decoding import fields
from portico.project.adopt.app_server import Found

SUFFIXES = {".ini": "ini", ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".js": "json", ".xml": "xml"}
"""The format of a file by the end of its name, as uWSGI knows it, and the option that names the file."""
SAME = {
    "wsgi": "module",
    "workers": "processes",
    "uwsgi-socket": "socket",
    "virtualenv": "home",
    "venv": "home",
    "pyhome": "home",
    "pp": "pythonpath",
    "python-path": "pythonpath",
    "file": "wsgi-file",
    "yml": "yaml",
}
"""Other names of a setting."""
_PLACEHOLDER = re.compile(r"%\(([\w.-]+)\)|%(.)")
_PAIR = re.compile(r"""(?P<name>[\w-]+|"[\w-]+"|'[\w-]+')\s*:(?:\s+(?P<value>.*))?""")
_COMMENT = re.compile(r"\s#.*")
_JSON_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?')
_DEEPEST = 50
_LONGEST = 4096
"""Characters of a value: placeholders that name each other would double it in every line."""
_MOST = 1000
"""Settings of one file."""


class _Line(Struct, frozen=True):
    """One setting as its file has it; the value is Ellipsis where only uWSGI can tell it."""

    name: str
    value: object
    number: int


class _Element(Struct):
    """An open element of XML, with the line where it begins."""

    number: int
    is_inside: bool
    is_leaf: bool = True


def kind_of(path: str) -> str:
    """`ini`, `yaml`, `json` or `xml`."""
    return SUFFIXES.get(PurePosixPath(path).suffix, "ini")


def of_file(text: str, path: str, kind: str = "", section: str = "") -> dict[str, list[Found]]:
    """The settings of the section `uwsgi`, each with its values in order; empty for a file without this section.

    A value with a placeholder that only uWSGI fills is Ellipsis, and so is a longer one than 4096 characters. `section`
    is the name behind `:` on uWSGI's command line. Raises ValueError for JSON and XML that cannot be read, and for more
    than 1000 settings.
    """
    read = {"yaml": _of_yaml, "json": _of_json, "xml": _of_xml}.get(kind or kind_of(path), _of_ini)
    made = dict[str, list[Found]]()
    for count, line in enumerate(read(text, section)):
        if count == _MOST:
            raise ValueError(f"line {line.number}: it has more than {_MOST} settings")
        known = _filled(line.value, made, path) if isinstance(line.value, str) else line.value
        shown = f"{line.name} = {line.value}" if isinstance(line.value, str) else line.name
        made.setdefault(SAME.get(line.name, line.name), []).append(
            Found(known, f"{path}:{line.number}", shown[:100])
        )
    return made


def _of_ini(text: str, section: str) -> Iterator[_Line]:
    current = ""
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("["):
            current = stripped.strip("[]").partition(":")[0]
        elif current == (section or "uwsgi") and stripped and stripped[0] not in "#;":
            name, equals, value = (part.strip() for part in stripped.partition("="))
            yield _Line(name, value if equals else "true", number)


def _of_yaml(text: str, section: str) -> Iterator[_Line]:
    """The part of YAML that uWSGI reads: pairs below `uwsgi:`, and lists of words.

    It is no library's YAML: uWSGI takes a name that is repeated, and `no` as a word.
    """
    inside, name, depth, is_unclear = False, "", 0, False
    for number, line in enumerate(text.splitlines(), 1):
        bare = _COMMENT.sub("", f" {line}")[1:].rstrip()
        stripped = bare.lstrip()
        if not stripped or stripped in ("---", "..."):
            continue
        here = len(bare) - len(stripped)
        if here == 0 and not (inside and stripped.startswith("- ")):
            inside, name, depth = stripped.partition(":")[0].strip("\"'") == (section or "uwsgi"), "", 0
        elif inside and stripped.startswith("- ") and name:
            yield _Line(name, _scalar(stripped[2:]), number)
        elif inside and here == (depth or here) and (match := _PAIR.fullmatch(stripped)):
            depth, name, is_unclear = here, match["name"].strip("\"'"), False
            for value in _values(match["value"] or ""):
                is_unclear = is_unclear or value is ...
                yield _Line(name, value, number)
        elif inside and name and not is_unclear:
            is_unclear = True
            yield _Line(name, ..., number)  # a text of several lines, a mapping


def _values(text: str) -> Iterator[object]:
    """The values beside a name; none where a list follows below."""
    if text.startswith("[") and text.endswith("]"):
        yield from (_scalar(one) for one in text[1:-1].split(",") if one.strip())
    elif text:
        yield _scalar(text)


def _scalar(text: str) -> object:
    """A word; Ellipsis for what is none: an alias, a tag, a block of text, a quote without its end."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return ... if text[:1] in tuple("&*!|>{[\"'") else text


def _of_json(text: str, section: str) -> Iterator[_Line]:
    found: Any = fields(text).get(section or "uwsgi")
    numbers = _lines_of_names(text)
    for name, values in found.items() if isinstance(found, dict) else ():
        number = numbers.get(name, 1)
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, bool):
                yield _Line(name, "true" if value else "0", number)
            else:
                yield _Line(name, str(value) if isinstance(value, str | int) else ..., number)


def _lines_of_names(text: str) -> dict[str, int]:
    """The line of each name in JSON, where it stands first."""
    numbers, line, before = dict[str, int](), 1, 0
    for match in _JSON_TEXT.finditer(text):
        line += text.count("\n", before, match.start())
        before = match.start()
        if match[2]:
            numbers.setdefault(match[1], line)
    return numbers


def _of_xml(text: str, section: str) -> Iterator[_Line]:
    """An element without others in it is a setting, and `true` if it is empty.

    A document type is refused, and so is every entity. Nothing that the text names is opened.
    """
    parser = expat.ParserCreate("utf-8")
    above, words, made = list[_Element](), list[str](), list[_Line]()

    def start(name: str, given: dict[str, str]) -> None:
        if len(above) >= _DEEPEST:
            raise ValueError(f"line {parser.CurrentLineNumber}: elements are nested too deeply")
        is_section = name == "uwsgi" and section in ("", given.get("id"))
        above.append(_Element(parser.CurrentLineNumber, is_section or bool(above and above[-1].is_inside)))
        for parent in above[:-1]:
            parent.is_leaf = False
        words.clear()

    def end(name: str) -> None:
        one = above.pop()
        if one.is_inside and one.is_leaf and name != "uwsgi":
            made.append(_Line(name, "".join(words).strip() or "true", one.number))
        words.clear()

    def document_type(*_: object) -> None:
        raise ValueError(f"line {parser.CurrentLineNumber}: it has a document type, which may hold entities")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = words.append, document_type
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        raise ValueError(f"line {error.lineno}: {expat.ErrorString(error.code)}") from None
    return iter(made)


def _filled(value: str, made: dict[str, list[Found]], path: str) -> object:
    pure, is_known, room = PurePosixPath(path), len(value) <= _LONGEST, _LONGEST

    def one(match: re.Match[str]) -> str:
        nonlocal is_known, room
        if match[1]:
            found = made.get(match[1], [])
            if found and isinstance(found[0].value, str) and len(found[0].value) <= room:
                room -= len(found[0].value)
                return found[0].value
        elif match[2] in "dnspcDe%":
            parts = {
                "d": f"{pure.parent}/",
                "n": pure.stem,
                "s": pure.name,
                "p": path,
                "c": pure.parent.name,
                "e": pure.suffix[1:],
                "%": "%",
            }
            return parts.get(match[2], "")
        is_known = False
        return ""

    text = _PLACEHOLDER.sub(one, value) if is_known else ""
    return text if is_known and len(text) <= _LONGEST else ...
