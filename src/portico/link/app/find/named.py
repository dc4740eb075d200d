"""The app that a Procfile or Dockerfile names in the command line of another server."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*(\(.*\))?", re.ASCII)
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_SERVERS = frozenset(
    {"gunicorn", "uvicorn", "hypercorn", "daphne", "granian", "waitress-serve", "waitress", "sanic"}
)
_FOLDER_OPTIONS = ("--chdir", "--app-dir", "--pythonpath")
_FACTORY_OPTIONS = ("--call", "--factory")
_STEPS = frozenset({"&&", "||", ";", "|", "&"})
_ENV = re.compile(r"^\s*ENV\s+FLASK_APP[\s=]+['\"]?([^\s'\"]+)", re.MULTILINE | re.IGNORECASE)
_DOCKER = re.compile(r"^\s*(?:CMD|ENTRYPOINT)\s+(.*)$", re.MULTILINE | re.IGNORECASE)
_WORKDIR = re.compile(r"^\s*WORKDIR\s+(\S+)", re.MULTILINE | re.IGNORECASE)


class Named(NamedTuple):
    """`where` is the file, `reference` is in the form that `portico run` accepts, `folder` is relative to the
    file's.
    """

    where: str
    reference: str
    folder: str = "."
    is_script: bool = False
    """A command without a known server: it may be anything."""


def named(directory: Path) -> Iterator[Named]:
    """The apps that the files of this directory name, the surest first; the caller checks whether they exist."""
    for name, line, workdir in _lines(directory):
        for words in _commands(line):
            if found := _app_of(words, workdir):
                yield found._replace(where=name)
    docker = directory / "Dockerfile"
    if docker.is_file() and (match := _ENV.search(text_of(docker))):
        yield Named("Dockerfile", match[1])


def _lines(directory: Path) -> Iterator[tuple[str, str, str]]:
    """Command lines, with their file and their working directory."""
    procfile, docker = directory / "Procfile", directory / "Dockerfile"
    if procfile.is_file():
        for line in text_of(procfile).splitlines():
            kind, _, command = line.partition(":")
            if kind.strip() == "web":
                yield "Procfile", command, ""
    if docker.is_file():
        text = text_of(docker).replace("\\\n", " ")
        workdir = (_WORKDIR.findall(text) or [""])[-1]
        for command in reversed(_DOCKER.findall(text)):
            yield "Dockerfile", _joined(command), workdir


def _joined(command: str) -> str:
    """The JSON form of a Dockerfile as a shell line."""
    try:
        words = json.loads(command)
    except ValueError:
        return command
    return shlex.join(map(str, words)) if isinstance(words, list) else command


def _commands(line: str) -> Iterator[list[str]]:
    """The words of each command of a line, also inside `sh -c`."""
    try:
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&;|")
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:
        return
    command: list[str] = []
    for word in [*words, ";"]:
        if word not in _STEPS:
            command.append(word)
            continue
        if command[:2] and PurePosixPath(command[0]).name in ("sh", "bash") and "-c" in command[:3]:
            yield from _commands(command[-1])
        elif command:
            yield command
        command = []


def _app_of(words: list[str], workdir: str) -> Named | None:
    names = [PurePosixPath(word).name for word in words]
    at = next((number for number, name in enumerate(names) if name in _SERVERS), None)
    if at is not None:
        arguments = words[at + 1 :]
        reference = _reference(arguments)
        return Named("", reference, _folder(arguments, workdir)) if reference else None
    for program, arguments in ((name, words[number + 1 :]) for number, name in enumerate(names)):
        if program == "flask" and (found := _value(arguments, "--app", "-A")):
            return Named("", found)
        if program == "fastapi" and (file := next((word for word in arguments if word.endswith(".py")), "")):
            return Named("", file)
        if re.fullmatch(r"python[\d.]*", program) and arguments and arguments[0].endswith(".py"):
            return Named("", arguments[0], is_script=True)
    return None


def _reference(arguments: list[str]) -> str:
    found = [word for word in arguments if _REFERENCE.fullmatch(word)]
    if not found and arguments and _MODULE.fullmatch(arguments[-1]) and not _takes_it(arguments):
        found = [arguments[-1]]
    if not found:
        return ""
    is_factory = any(option in arguments for option in _FACTORY_OPTIONS) and not found[-1].endswith(")")
    return f"{found[-1]}()" if is_factory else found[-1]


def _takes_it(arguments: list[str]) -> bool:
    """Whether the last word is the value of an option before it."""
    return len(arguments) > 1 and arguments[-2].startswith("-") and "=" not in arguments[-2]


def _folder(arguments: list[str], workdir: str) -> str:
    path = _value(arguments, *_FOLDER_OPTIONS) or "."
    if path.startswith("/"):
        inside = workdir and (path == workdir or path.startswith(f"{workdir.rstrip('/')}/"))
        return path[len(workdir) :].strip("/") or "." if inside else "."
    return path


def _value(arguments: list[str], *options: str) -> str:
    for number, word in enumerate(arguments):
        option, equals, value = word.partition("=")
        if option in options:
            return value if equals else next(iter(arguments[number + 1 :]), "")
    return ""


def text_of(file: Path) -> str:
    """The text; empty for a file that the app's user may not read."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
