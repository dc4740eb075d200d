"""uWSGI's settings in Portico's words, and those of its command line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from portico.explain.adopted import Fate, Option, Remark
from portico.project.adopt.app_server import AppServer, Found, remark
from portico.project.adopt.uwsgi_file import SAME, kind_of

_SHORT = {
    "-s": "socket",
    "-p": "processes",
    "-w": "module",
    "-M": "master",
    "-H": "home",
    "-t": "harakiri",
    "-R": "max-requests",
    "-z": "socket-timeout",
    "-l": "listen",
    "-b": "buffer-size",
    "-d": "daemonize",
    "-L": "disable-logging",
    "-x": "xml",
    "-y": "yaml",
    "-j": "json",
}
_LOST = {
    "mule": "Portico has no mules",
    "mules": "Portico has no mules",
    "spooler": "Portico has no spooler",
    "cron": "Portico has no timers",
    "cron2": "Portico has no timers",
    "attach-daemon": "Portico starts background processes by name",
    "smart-attach-daemon": "Portico starts background processes by name",
    "cache2": "Portico has no such cache",
    "route": "nginx decides routes",
    "sharedarea": "there is no shared area",
    "gevent": "Portico's worker has threads",
    "asyncio": "Portico's worker has threads",
    "http-websockets": "WebSockets pass through nginx",
    "mount": "a site is one app at one prefix",
    "emperor": "each vassal is a site of its own",
    "gid": "the app has the groups of its user",
    "subscribe-to": "servers stand in [upstream]",
    "fastrouter": "servers stand in [upstream]",
}
_DO = {
    "cron": "use a systemd timer",
    "cron2": "use a systemd timer",
    "attach-daemon": "name it in [processes]",
    "smart-attach-daemon": "name it in [processes]",
    "spooler": "use Celery, named in [processes]",
    "mule": "use Celery, named in [processes]",
    "gevent": "set [workers] threads to as many as wait at once",
    "mount": 'set mount = "/prefix"',
}


def of_arguments(words: Sequence[str], cause: str) -> dict[str, list[Found]]:
    """The settings of a command line behind the word `uwsgi`, the files that it names by their format."""
    made, rest = dict[str, list[Found]](), list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            made.setdefault(kind_of(word.partition(":")[0]), []).append(Found(word, cause, word))
            continue
        name, equals, value = word.partition("=")
        key = _SHORT.get(name) or name.lstrip("-")
        if not equals:
            value = rest.pop(0) if rest and not rest[0].startswith("-") else "true"
        made.setdefault(SAME.get(key, key), []).append(Found(value, cause, f"{name} {value}"))
    return made


def server_of(settings: dict[str, list[Found]], directory: str, where: str) -> AppServer:
    """What the settings say in Portico's options."""
    chdir = _text(settings, "chdir")
    folder = chdir or directory
    options, remarks = list(_options(settings)), list(_remarks(settings))
    binds = tuple(_binds(settings, folder))
    return AppServer(
        "uwsgi",
        where,
        _app(settings, folder),
        folder,
        binds,
        tuple(options),
        tuple(remarks),
        timeout=_harakiri(settings),
        largest_body=_largest_body(settings),
    )


def _text(settings: dict[str, list[Found]], name: str) -> str:
    found = settings.get(name)
    return found[0].value if found and isinstance(found[0].value, str) else ""


def _app(settings: dict[str, list[Found]], folder: str) -> str:
    module, file, name = _text(settings, "module"), _text(settings, "wsgi-file"), _text(settings, "callable")
    if module:
        return module if ":" in module else f"{module}:{name or 'application'}"
    if not file:
        return ""
    path = PurePosixPath(folder, file)
    inside = path.is_relative_to(folder)
    return f"{path.relative_to(folder) if inside else path}:{name or 'application'}"


def _binds(settings: dict[str, list[Found]], folder: str) -> Iterator[str]:
    for key, scheme in (
        ("socket", "uwsgi://"),
        ("http-socket", ""),
        ("http", ""),
        ("fastcgi-socket", "fastcgi://"),
    ):
        for found in settings.get(key, []):
            text = found.value
            if not isinstance(text, str) or "$" in text:
                continue
            if ":" in text:
                host, _, port = text.rpartition(":")
                yield f"{scheme}{host if host not in ('', '0.0.0.0', 'localhost', '*') else '127.0.0.1'}:{port}"  # noqa: S104  reading
            else:
                yield f"{scheme}unix:{PurePosixPath(folder, text)}"


def _options(settings: dict[str, list[Found]]) -> Iterator[Option]:
    for key, target in (
        ("processes", ("workers", "count")),
        ("threads", ("workers", "threads")),
        ("max-requests", ("workers", "max_requests")),
    ):
        for found in settings.get(key, [])[:1]:
            if (
                isinstance(found.value, str)
                and found.value.isascii()
                and found.value.isdigit()
                and int(found.value)
            ):
                yield Option(target, int(found.value), found.cause, found.text)
    yield from _python(settings)
    for found in settings.get("uid", [])[:1]:
        if isinstance(found.value, str) and not found.value.isdigit():
            yield Option(("user",), found.value, found.cause, found.text)
    for found in settings.get("reload-on-rss", [])[:1]:
        if (
            isinstance(found.value, str)
            and found.value.isascii()
            and found.value.isdigit()
            and int(found.value)
        ):
            yield Option(("workers", "max_memory"), f"{int(found.value)}MiB", found.cause, found.text)
    for found in settings.get("static-map", []):
        url, _, folder = str(found.value).partition("=")
        if url.startswith("/") and folder.startswith("/"):
            yield Option(("static", f"{url.rstrip('/')}/"), folder.rstrip("/"), found.cause, found.text)


def _python(settings: dict[str, list[Found]]) -> Iterator[Option]:
    """The virtual environment."""
    for found in settings.get("home", [])[:1]:
        if (
            isinstance(found.value, str)
            and found.value.startswith("/")
            and not re.search(r"[%$]", found.value)
        ):
            yield Option(("python",), found.value, found.cause, found.text)


def _harakiri(settings: dict[str, list[Found]]) -> Option | None:
    for found in settings.get("harakiri", []):
        if (
            isinstance(found.value, str)
            and found.value.isascii()
            and found.value.isdigit()
            and 1 <= int(found.value) <= 3600
        ):
            return Option(("request_timeout",), f"{found.value}s", found.cause, found.text)
    return None


def _largest_body(settings: dict[str, list[Found]]) -> Found | None:
    limits = (
        found for found in settings.get("limit-post", []) if re.fullmatch(r"[0-9]{1,15}", str(found.value))
    )
    return next((found for found in limits if int(str(found.value))), None)


def _remarks(settings: dict[str, list[Found]]) -> Iterator[Remark]:
    for key, all_found in settings.items():
        for found in all_found:
            if key == "env":
                name = "" if found.value is ... else str(found.value).partition("=")[0]
                hidden = Found(found.value, found.cause, f"env = {name}" if name else "env")
                yield remark(
                    Fate.LOST,
                    hidden,
                    "values may be secret: none is copied",
                    "set it in [env] or env_file (docs/environment.md)",
                )
            elif found.value is ...:
                yield remark(
                    Fate.LOST,
                    found,
                    "only uWSGI can tell its value: it has a placeholder, or is no single word",
                    "set the option yourself",
                )
            elif key in _LOST:
                yield remark(
                    Fate.LOST,
                    found,
                    _LOST[key],
                    _DO.get(key, 'server = "uwsgi" keeps uWSGI: docs/from-uwsgi.md'),
                )
    if settings:
        first = next(iter(settings.values()))[0]
        why = "Gunicorn with Portico's worker takes uWSGI's place"
        yield remark(
            Fate.IMPROVED,
            Found("", first.cause, "uwsgi"),
            why,
            'an app that imports uwsgi: [workers] server = "uwsgi"',
        )
