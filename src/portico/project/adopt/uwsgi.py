"""uWSGI's settings, from uwsgi.ini or its command line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from portico.explain.adopted import Fate, Option, Remark
from portico.project.adopt.app_server import AppServer, Found, remark

_PLACEHOLDER = re.compile(r"%\(([\w.-]+)\)|%(.)")
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
}
_SAME = {
    "wsgi": "module",
    "workers": "processes",
    "uwsgi-socket": "socket",
    "virtualenv": "home",
    "venv": "home",
    "pyhome": "home",
    "pp": "pythonpath",
    "python-path": "pythonpath",
    "file": "wsgi-file",
}
_LOST = {
    "mule": "Portico has no mules",
    "mules": "Portico has no mules",
    "spooler": "Portico has no spooler",
    "cron": "Portico has no timers",
    "cron2": "Portico has no timers",
    "attach-daemon": "Portico starts no other programs",
    "smart-attach-daemon": "Portico starts no other programs",
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
    "attach-daemon": "use a unit of its own",
    "spooler": "use Celery, or a unit of its own",
    "mule": "use Celery, or a unit of its own",
    "gevent": "set [workers] threads to as many as wait at once",
    "mount": 'set mount = "/prefix"',
}


def of_ini(text: str, where: str, path: str) -> dict[str, list[Found]]:
    """The settings of the section [uwsgi], each with its values in order; a value with an unknown placeholder is
    Ellipsis.
    """
    made, section = dict[str, list[Found]](), ""
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("["):
            section = stripped.strip("[]").partition(":")[0]
            continue
        if section != "uwsgi" or not stripped or stripped[0] in "#;":
            continue
        name, equals, value = (part.strip() for part in stripped.partition("="))
        key = _SAME.get(name, name)
        known = _filled(value if equals else "true", made, path)
        made.setdefault(key, []).append(Found(known, f"{where}:{number}", stripped[:100]))
    return made


def _filled(value: str, made: dict[str, list[Found]], path: str) -> object:
    pure, is_known = PurePosixPath(path), True

    def one(match: re.Match[str]) -> str:
        nonlocal is_known
        if match[1]:
            found = made.get(match[1], [])
            if found and isinstance(found[0].value, str):
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

    text = _PLACEHOLDER.sub(one, value)
    return text if is_known else ...


def of_arguments(words: Sequence[str], cause: str) -> dict[str, list[Found]]:
    """The settings of a command line behind the word `uwsgi`."""
    made, rest = dict[str, list[Found]](), list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            made.setdefault("ini", []).append(Found(word, cause, word))
            continue
        name, equals, value = word.partition("=")
        key = _SHORT.get(name) or name.lstrip("-")
        if not equals:
            value = rest.pop(0) if rest and not rest[0].startswith("-") else "true"
        made.setdefault(_SAME.get(key, key), []).append(Found(value, cause, f"{name} {value}"))
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
        ("uwsgi-socket", "uwsgi://"),
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
            if found.value is ...:
                yield remark(
                    Fate.LOST,
                    found,
                    "it has a placeholder whose value uWSGI computes",
                    "set the option yourself",
                )
            elif key == "env":
                name = str(found.value).partition("=")[0]
                hidden = Found(found.value, found.cause, f"env = {name}")
                yield remark(
                    Fate.LOST,
                    hidden,
                    "values may be secret: none is copied",
                    "set it in [env] or env_file (docs/environment.md)",
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
