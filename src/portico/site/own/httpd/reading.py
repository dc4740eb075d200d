"""The user's own directives: entries that are files are read; each directive or section is one value.

httpd resolves relative paths from its ServerRoot, which is one of Portico's directories, so a directive must name a
file by its absolute path; relative ones are a problem where Portico knows the directive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from portico.errors import Problem
from portico.reading import Reader, doubt
from portico.site.own.model import Own

_FILES = re.compile(
    r"(include|includeoptional|loadmodule|loadfile|customlog|errorlog|transferlog|ssl\w+file|authuserfile"
    r"|authgroupfile|rewritemap|alias|documentroot|wsgiscriptalias)",
    re.IGNORECASE,
)
"""Directives whose last or second word is a path."""
_OPENS, _CLOSES = re.compile(r"\s*<(?!/)(\w+)"), re.compile(r"\s*</(\w+)")
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')


def directives(
    entries: Sequence[str],
    key: str,
    directory: Path,
    causes: Mapping[str, str],
    reader: Reader,
    problems: list[Problem],
) -> Iterator[Own]:
    """The directives of one option of a site in that directory. Problems are added to the list."""
    for number, entry in enumerate(entries):
        said = (causes.get(f"{key}[{number}]") or causes.get(key, key)).split("\n")
        text, places = entry, said + said[-1:] * (entry.count("\n") + 1 - len(said))
        if entry.strip().endswith(".conf") and "\n" not in entry and " " not in entry.strip():
            text, places = _file(directory / entry.strip(), said[0], key, reader, problems)
        found = list(_split(text, [f"{place}: {key}" for place in places]))
        problems += [problem for one in found if (problem := _relative(one, key))]
        yield from found


def _file(path: Path, where: str, key: str, reader: Reader, problems: list[Problem]) -> tuple[str, list[str]]:
    """The text and the place of each line. httpd executes it, so root ignores another user's file."""
    try:
        if why := doubt(path) if reader.user else "":
            what = f'{key}: "{path}" counts only if root alone can change it; {why}'
            problems.append(
                Problem(where, what, "move it to where root alone can write, such as /etc/portico")
            )
            return "", []
        text = reader.text(path).rstrip("\n")
    except UnicodeDecodeError:
        problems.append(Problem(where, f'"{path}" is not UTF-8 text', "save it as UTF-8"))
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        problems.append(Problem(where, f'"{path}" cannot be read: {said}', "name a file that exists"))
    else:
        return text, [f"{path.name}:{line} ({where})" for line in range(1, text.count("\n") + 2)]
    return "", []


def _split(text: str, places: Sequence[str]) -> Iterator[Own]:
    """One value for each directive at the top level; a section is one value with everything inside it."""
    depth, lines, causes = 0, list[str](), list[str]()
    for number, line in enumerate(text.split("\n")):
        lines.append(line)
        causes.append(places[min(number, len(places) - 1)] if places else "")
        depth += bool(_OPENS.match(line)) - bool(_CLOSES.match(line))
        is_open = line.endswith("\\") or not line.strip() or line.lstrip().startswith("#")
        if depth <= 0 and not is_open:
            yield _own(lines, causes)
            depth, lines, causes = 0, [], []
    if any(line.strip() for line in lines):
        yield _own(lines, causes)


def _own(lines: Sequence[str], causes: Sequence[str]) -> Own:
    bare = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    text, above = "\n".join(lines), tuple(causes)
    if not bare:
        return Own(text, causes=above)
    if found := _OPENS.match(bare[0]):
        return Own(text, found[1], is_block=True, causes=above, answers=True)
    words = [quoted or plain for quoted, plain in _WORD.findall(" ".join(bare))]
    return Own(text, words[0], tuple(words[1:]), causes=above)


def _relative(one: Own, key: str) -> Problem | None:
    if not one.is_simple or not one.args or not _FILES.fullmatch(one.name):
        return None
    path = one.args[1] if one.name.lower() in ("loadmodule", "rewritemap", "alias") else one.args[0]
    if len(one.args) < 2 and one.name.lower() in ("loadmodule", "rewritemap", "alias"):
        return None
    if path.startswith(("/", "|", "syslog", "prg:/", "txt:/", "dbm:/", "int:", "$", "%")):
        return None
    what = f'{one.name}: "{path}" is relative, and httpd would look for it in a directory of Portico\'s'
    return Problem(one.causes[0].rpartition(": ")[0] or key, what, "write the whole path")
