"""The ways to serve the user's app: each as the programs that are started, and why one cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from portico.app_servers.start import starts
from portico.measure.model import Contender
from portico.measure.programs import Program, Setup, Stand, portico_role, private
from portico.measure.tutorial import tutorial
from portico.place.owner import as_user
from portico.place.tools import with_programs, without_tools
from portico.project.command_line import command_line
from portico.project.gathered import Gathered
from portico.site.variables import without

_NOT_INHERITED = ("NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_USEC", "PORT")
_WAITS_SECONDS = 30


class Words(Struct, frozen=True):
    """The command line that names the site."""

    app: str | None
    config: str | None
    flags: Mapping[str, Any]


class Way(Struct, frozen=True):
    """One way to serve the app; `missing` says why it cannot be used."""

    key: str
    name: str
    detail: str
    setup: Callable[[Stand], Setup]
    missing: str = ""

    @property
    def contender(self) -> Contender:
        return Contender(self.key, self.name, self.detail, self.missing)


KEYS = ("own", "gunicorn", "tutorial", "portico")
"""What `--peers` takes, in the order of the table."""


def ways(found: Gathered, words: Words, keys: tuple[str, ...]) -> list[Way]:
    """Those of the keys, in the order of the table."""
    made = {"own": _own, "gunicorn": _gunicorn, "tutorial": _tutorial}
    return [made[key](found) if key in made else portico(found, words) for key in KEYS if key in keys]


def portico(
    found: Gathered, words: Words, code: Path | None = None, key: str = "portico", name: str = ""
) -> Way:
    """Portico as `portico run` starts it; with `code`, that of another directory."""

    def setup(stand: Stand) -> Setup:
        argv = [sys.executable, "-m", "portico", "run", f"--measured-at={stand.port}"]
        argv += [f"--measured-code={code}"] if code else []
        argv += command_line(words.app, words.config, words.flags)
        how = {"env": {**_inherited(), **private(stand.directory)}}
        return Setup([Program("control", argv, portico_role, Path.cwd(), how)])

    plan = found.plan
    threads = f" x {plan.threads} threads" if plan.threads > 1 else ""
    detail = f"{plan.gateway.name}, {plan.server.name}, {plan.workers} workers{threads}"
    missing = "" if plan.has_app else "the site has no app here"
    return Way(key, name or "Portico", detail, setup, missing)


def _own(found: Gathered) -> Way:
    facts, python = found.site.facts, _python(found)
    address = ("127.0.0.1", "the framework's own server")
    if facts.kind == "flask":
        argv = [python, "-m", "flask", "--app", facts.app, "run", "--no-reload", "--no-debugger"]
        return _one(
            "own",
            "Flask's own server",
            "flask run",
            found,
            lambda port: [*argv, "-h", address[0], "-p", port],
        )
    manage = Path(facts.directory, "manage.py")
    if facts.kind == "django" and manage.is_file():
        argv = [python, str(manage), "runserver", "--noreload"]
        return _one(
            "own", "Django's own server", "runserver", found, lambda port: [*argv, f"{address[0]}:{port}"]
        )
    if facts.kind == "asgi":
        argv = [
            python,
            "-m",
            "uvicorn",
            facts.app.removesuffix("()"),
            *(["--factory"] if facts.app.endswith("()") else []),
        ]
        why = "" if _has(found, "uvicorn") else "uvicorn is not in the app's environment"
        of_port = lambda port: [*argv, "--host", address[0], "--port", port]  # noqa: E731
        return _one("own", "uvicorn alone", "1 process", found, of_port, why)
    why = "neither Flask, Django with manage.py, nor ASGI"
    return _one("own", address[1], "", found, lambda _: [], why)


def _gunicorn(found: Gathered) -> Way:
    detail = f"{found.plan.workers} {_kind(found)} workers"
    return _one("gunicorn", "Gunicorn alone", detail, found, lambda port: _gunicorn_argv(found, port))


def _tutorial(found: Gathered) -> Way:
    binary = found.plan.binary if found.plan.gateway.name == "nginx" else ""

    def setup(stand: Stand) -> Setup:
        app = _program(found, _gunicorn_argv(found, str(stand.inner_port)))
        argv = [binary, "-p", str(stand.directory), "-c", "nginx.conf", "-e", "stderr"]
        files = {"nginx.conf": tutorial(stand.directory, stand.port, stand.inner_port)}
        return Setup([app, Program("gateway", argv)], files)

    missing = "" if binary else "the site's gateway is not nginx"
    detail = f"proxy_pass, {found.plan.workers} {_kind(found)} workers"
    return Way("tutorial", "nginx + Gunicorn, tutorial", detail, setup, missing)


def _kind(found: Gathered) -> str:
    return "asgi" if found.site.facts.kind == "asgi" else "sync"


def _gunicorn_argv(found: Gathered, port: str) -> list[str]:
    place = found.place
    own = [sys.executable, "-m", "gunicorn"]
    if place.app_python:
        own = [*starts(place.app_python, place.package_path, "portico.measure.plain_gunicorn")]
    # The control socket is one path per user: two Gunicorns would fight for it.
    options = [
        "-w",
        str(found.plan.workers),
        "-k",
        _kind(found),
        "-b",
        f"127.0.0.1:{port}",
        "--no-control-socket",
    ]
    return [*own, *options, "--chdir", found.site.facts.directory, found.site.facts.app]


def _one(
    key: str, name: str, detail: str, found: Gathered, argv: Callable[[str], list[str]], missing: str = ""
) -> Way:
    """One program and no gateway."""
    return Way(key, name, detail, lambda stand: Setup([_program(found, argv(str(stand.port)))]), missing)


def _program(found: Gathered, argv: list[str]) -> Program:
    """As the app's user, with its variables, in its directory."""
    facts = found.site.facts
    inherited = with_programs(without_tools(without(_inherited())), _python(found))
    values = {"PWD": facts.directory, **found.site.environment.values}
    how = as_user(found.place.app_user, inherited, values)
    return Program("app", argv, cwd=Path(facts.directory), how=how)


def _python(found: Gathered) -> str:
    return found.place.app_python or sys.executable


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}


def _has(found: Gathered, module: str) -> bool:
    """Asked as the app's user and away from the terminal: whoever the environment belongs to chose the interpreter."""
    code = "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)"
    try:
        done = subprocess.run(
            [_python(found), "-I", "-c", code, module], check=False, timeout=_WAITS_SECONDS, capture_output=True,
            stdin=subprocess.DEVNULL, start_new_session=True, **as_user(found.place.app_user, _inherited()),
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
