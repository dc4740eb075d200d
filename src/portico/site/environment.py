"""The environment variables that the user gives the app: those of files, and those of [env]."""

from __future__ import annotations

import os
import re
from collections import ChainMap
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from msgspec import Struct, field

from portico.errors import Problem
from portico.reading import Reader
from portico.site.checks.env import NAME, broken_variable
from portico.site.options import Options
from portico.values import Secrets

USUAL_FILES = (".flaskenv", ".env")
"""Read from the app's directory where no file is named, as the flask command reads them; a later one wins."""
_UNREAD = "FLASK_SKIP_DOTENV"
"""The flask command's variable: the usual files are not read."""
_LONGEST, _LONGEST_EXPANDED = 64 << 10, 1000
"""Letters of a file, and of all its values; of a value with ${...}."""
_HINT = "see docs/environment.md"
_OF_DEVELOPMENT = re.compile(r"FLASK_DEBUG|FLASK_ENV|FLASK_RUN_.*")


class Environment(Struct, frozen=True):
    """What the app gets beside Portico's own environment.

    `left_out` has a sentence about each thing in the usual files that the app does not get.
    """

    values: Secrets = field(default_factory=Secrets)
    left_out: tuple[str, ...] = ()


def environment(
    options: Options, directory: Path, causes: Mapping[str, str], reader: Reader, problems: list[Problem]
) -> Environment:
    """[env] wins over the environment of Portico itself, which wins over the files."""
    made = dict[str, str]()
    left_out = list[str]()
    for name in options.env_file:
        where = causes.get("env_file", "env_file")
        made |= _named(directory / name, where, reader, problems)
    if not options.env_file and os.environ.get(_UNREAD, "").lower() in ("", "0", "false", "no"):
        for name in USUAL_FILES:
            made |= _usual(directory / name, reader, left_out)
    inherited = {name: value for name, value in made.items() if name not in os.environ}
    return Environment(Secrets(inherited | options.env), tuple(left_out))


def _named(path: Path, where: str, reader: Reader, problems: list[Problem]) -> dict[str, str]:
    """The variables of a file that the user named."""
    what = f'env_file: "{path}"'
    try:
        found, broken = _parsed(reader.text(path))
    except FileNotFoundError:
        hint = "make it, or name another: one NAME=value a line"
        problems.append(Problem(where, f"{what} does not exist", hint))
        return {}
    except (OSError, ValueError) as error:
        problems.append(Problem(where, f"{what} cannot be read{reader.as_whom(path)}: {_why(error)}", _HINT))
        return {}
    problems += [
        Problem(where, f"{what}, line {line}, is no variable", "expected NAME=value") for line in broken
    ]
    for name, value in found.items():
        if broken_one := broken_variable(name, value):
            problems.append(Problem(where, f"{what}: {broken_one[0]}", broken_one[1]))
    return found


def _usual(path: Path, reader: Reader, left_out: list[str]) -> dict[str, str]:
    """The variables of a file that lies in the app's directory, read with the rights of the app's user. It may be meant
    for other programs: what is wrong with it is a note.
    """
    try:
        found, broken = _parsed(Reader(reader.user, is_trusted=False).text(path))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        whom = f" as user '{reader.user}'" if reader.user else ""
        left_out.append(f"{path.name} cannot be read{whom} ({_why(error)}): the app gets no variable from it")
        return {}
    if broken:
        left_out.append(f"{path.name}: not understood: line {', '.join(map(str, broken))}")
    kept = dict[str, str]()
    for name, value in found.items():
        if _OF_DEVELOPMENT.fullmatch(name):
            left_out.append(f"{path.name}: the app does not get {name}, which is for development")
        elif broken_one := broken_variable(name, value):
            left_out.append(f"{path.name}: {broken_one[0]}")
        else:
            kept[name] = value
    return kept


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return getattr(error, "strerror", None) or str(error)


def _parsed(text: str) -> tuple[dict[str, str], list[int]]:
    """The variables, and the numbers of the lines that cannot be read. Raises ValueError for a text that would take too
    much time or memory: its author may be a stranger who broke into the app, and this may be root.
    """
    from dotenv.parser import parse_stream  # only where such a file is
    from dotenv.variables import parse_variables

    if len(text) > _LONGEST:
        raise ValueError(f"it is longer than {_LONGEST >> 10} KiB")
    found, broken, total = dict[str, str](), list[int](), 0
    known = ChainMap(found, os.environ)
    for one in parse_stream(StringIO(text)):
        if one.error or (one.key is not None and not NAME.fullmatch(one.key)):
            broken.append(_line(one.original.string, one.original.line))
        elif one.key is not None and one.value is not None:
            if "$" in one.value and len(one.value) > _LONGEST_EXPANDED:
                raise ValueError(f"a value with $ is longer than {_LONGEST_EXPANDED} letters")
            found[one.key] = "".join(part.resolve(known) for part in parse_variables(one.value))
            total += len(found[one.key])
            if total > _LONGEST:
                raise ValueError(f"its values are longer than {_LONGEST >> 10} KiB")
    return found, broken


def _line(text: str, first: int) -> int:
    """Where it begins, after empty lines."""
    return first + text[: len(text) - len(text.lstrip())].count("\n")
