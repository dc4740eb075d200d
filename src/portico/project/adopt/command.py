"""Command lines that start an app server: of a unit, or of a Procfile."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from portico.explain.adopted import Fate, Remark
from portico.project.adopt import gunicorn, uwsgi, uwsgi_file
from portico.project.adopt.app_server import AppServer, Found, http_address

Read = Callable[[str], bytes]
"""The content of a file, by its path. Raises OSError."""
_SERVERS = ("gunicorn", "uwsgi", "uvicorn", "hypercorn", "daphne", "waitress-serve", "flask")
_SEPARATORS = frozenset({"&&", "||", ";", "|", "&"})
_GUNICORNS = ("gunicorn.conf.py",)
"""The file that Gunicorn reads without being told."""


def server_of(line: str, directory: str, where: str, read: Read) -> AppServer | None:
    """The app server that a command line starts in that directory; None if it starts none that is known."""
    words = _words(line)
    names = [PurePosixPath(word).name for word in words]
    at = next((number for number, name in enumerate(names) if name in _SERVERS), None)
    if at is None:
        return None
    program, rest = names[at], words[at + 1 :]
    rest = rest[: next((n for n, word in enumerate(rest) if word in _SEPARATORS), len(rest))]
    if program == "gunicorn":
        return _gunicorn(rest, directory, where, read)
    if program == "uwsgi":
        return _uwsgi(rest, directory, where, read)
    return _other(program, rest, directory, where)


def _words(line: str) -> list[str]:
    try:
        words = shlex.split(line)
    except ValueError:
        return []
    if len(words) > 2 and PurePosixPath(words[0]).name in ("sh", "bash", "dash") and "c" in words[1]:
        return _words(words[2])
    return words


def _gunicorn(words: Sequence[str], directory: str, where: str, read: Read) -> AppServer:
    given = gunicorn.of_arguments(words, where)
    folder = str(given["chdir"].value) if "chdir" in given else directory
    made, remarks = dict[str, Found](), list[Remark]()
    named = [str(given["config"].value).removeprefix("file:")] if "config" in given else [*_GUNICORNS]
    for name in named:
        path = str(PurePosixPath(folder, name))
        try:
            made = gunicorn.of_file(read(path), path)
        except (OSError, ValueError) as error:
            if "config" in given:
                what = getattr(error, "strerror", "") or str(error)
                found = given["config"]
                remarks.append(Remark(Fate.LOST, found.cause, found.text, f"{path} cannot be read: {what}"))
    server = gunicorn.server_of({**made, **given}, folder, where)
    return _with(server, remarks)


def _uwsgi(words: Sequence[str], directory: str, where: str, read: Read) -> AppServer:
    given = uwsgi.of_arguments(words, where)
    remarks = list[Remark]()
    files = [(kind, found) for kind in ("ini", "yaml", "json", "xml") for found in given.pop(kind, [])]
    for kind, found in files:
        name, _, section = str(found.value).partition(":")
        path = str(PurePosixPath(directory, name))
        try:
            settings = uwsgi_file.of_file(read(path).decode("utf-8"), path, kind, section)
        except (OSError, ValueError) as error:
            what = getattr(error, "strerror", "") or str(error)
            remarks.append(Remark(Fate.LOST, found.cause, found.text, f"{path} cannot be read: {what}"))
            continue
        given = {**settings, **given}
    return _with(uwsgi.server_of(given, directory, where), remarks)


def _with(server: AppServer, remarks: Sequence[Remark]) -> AppServer:
    from msgspec.structs import replace

    return replace(server, remarks=(*server.remarks, *remarks))


def _other(program: str, words: Sequence[str], directory: str, where: str) -> AppServer:
    """Servers with few options: where they listen, and the app."""
    given, rest, app = dict[str, str](), list(words), ""
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if word.startswith("-"):
            given[name.lstrip("-")] = (
                value if equals else (rest.pop(0) if rest and not rest[0].startswith("-") else "")
            )
        elif word != "run":
            app = word
    app = given.get("app", given.get("A", "")) if program == "flask" else app
    if "factory" in given and app and not app.endswith(")"):
        app = f"{app}()"
    port = given.get("port", given.get("p", "5000" if program == "flask" else "8000"))
    host = given.get("host", given.get("h", "127.0.0.1"))
    socket = given.get("uds") or given.get("unix-socket") or given.get("u", "")
    bind = http_address(
        f"unix:{socket}" if socket else given.get("bind", given.get("b", "")) or f"{host}:{port}"
    )
    has_asgi = program in ("uvicorn", "daphne", "hypercorn")
    folder = given.get("app-dir") or given.get("chdir") or ""
    return AppServer(
        program, where, app, str(PurePosixPath(directory, folder)), (bind,) if bind else (), has_asgi=has_asgi
    )
