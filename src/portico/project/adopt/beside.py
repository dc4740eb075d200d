"""The app servers that stand beside a configuration: units, uWSGI's settings, a Procfile, gunicorn.conf.py."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from portico.project.adopt import uwsgi, uwsgi_file
from portico.project.adopt.app_server import AppServer
from portico.project.adopt.command import Read, server_of
from portico.project.adopt.unit import of_unit
from portico.reading import Reader

SYSTEM = (Path("/etc/systemd/system"), Path("/etc/uwsgi/apps-enabled"), Path("/etc/uwsgi/vassals"))
"""Where an installation keeps the units and files of app servers."""
_LONGEST = 1 << 20
_MOST_FILES = 500
_GUNICORNS = ("gunicorn.conf.py", "gunicorn_conf.py", "gunicorn_config.py")


def beside(directories: Iterable[Path], reader: Reader) -> list[AppServer]:
    """Every app server that a file of these directories starts; a file that cannot be read is passed over."""
    read = _read_with(reader)
    found = [server for directory in dict.fromkeys(directories) for server in _in(directory, reader, read)]
    return list({(one.where, one.binds): one for one in found}.values())


def _read_with(reader: Reader) -> Read:
    def read(path: str) -> bytes:
        content = reader.bytes(path)
        if len(content) > _LONGEST or b"\0" in content:
            raise OSError(0, "it is no settings file", path)
        return content

    return read


def _in(directory: Path, reader: Reader, read: Read) -> Iterator[AppServer]:
    try:
        names = reader.names(directory)[:_MOST_FILES]
    except (OSError, ValueError):
        return
    for name in names:
        path = directory / name
        try:
            if not path.is_file() or path.stat().st_size > _LONGEST:
                continue  # a pipe has no end, and large data is no settings
            if server := _of_file(path, names, read):
                yield server
        except (OSError, ValueError):
            continue


def _of_file(path: Path, names: list[str], read: Read) -> AppServer | None:
    if path.suffix == ".service":
        socket = f"{path.stem}.socket"
        listens = read(str(path.parent / socket)).decode("utf-8") if socket in names else ""
        return of_unit(read(str(path)).decode("utf-8"), str(path), read, listens)
    if path.suffix in uwsgi_file.SUFFIXES:
        settings = uwsgi_file.of_file(read(str(path)).decode("utf-8"), str(path))
        return uwsgi.server_of(settings, str(path.parent), str(path)) if settings else None
    if path.name == "Procfile":
        for number, line in enumerate(read(str(path)).decode("utf-8").splitlines(), 1):
            kind, _, command = line.partition(":")
            if kind.strip() == "web":
                return server_of(command, str(path.parent), f"{path}:{number}", read)
        return None
    if path.name in _GUNICORNS and not any(name == "Procfile" or name.endswith(".service") for name in names):
        return server_of(f"gunicorn -c {path.name}", str(path.parent), str(path), read)
    return None
