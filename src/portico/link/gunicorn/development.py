"""Gunicorn for `portico run --dev`: `python -m portico.link.gunicorn.development ...`.

SIGHUP renews the workers: those that serve take no more requests, and what comes waits for those with the new code.
The arbiter loads none of the app, but the libraries that its workers use and that are known to bear a fork: the import
of the app's own code is all that a change costs.
"""

from __future__ import annotations

import importlib
import logging
import mmap
import os
import signal
import sys
import time
from contextlib import suppress
from typing import Final

from portico.link import development
from portico.link.asgi.lifespan import StartupFailedError
from portico.link.asgi.trace import App
from portico.link.gunicorn import arbiter, asgi, worker

_SETTINGS: Final = "DJANGO_SETTINGS_MODULE"
_LIBRARIES: Final = sys.stdlib_module_names | {
    "annotated_types", "anyio", "asgiref", "blinker", "certifi", "charset_normalizer", "click", "dateutil", "django",
    "dotenv", "fastapi", "flask", "h11", "httpcore", "httpx", "hypercorn", "idna", "itsdangerous", "jinja2", "mako",
    "markupsafe", "marshmallow", "multipart", "pydantic", "pydantic_core", "pyramid", "python_multipart", "pytz",
    "quart", "requests", "sniffio", "sqlalchemy", "sqlparse", "starlette", "typing_extensions", "typing_inspection",
    "urllib3", "webob", "werkzeug", "wsproto", "wtforms", "yaml", "zope",
}  # fmt: skip
"""They start no thread and open no connection when they are imported."""
_used: Final = mmap.mmap(-1, 1 << 17)
"""The names of those that a worker has imported, written by the workers and read by the arbiter."""


def say_used() -> None:
    """Called by a worker that has loaded the app."""
    names = [name for name in sys.modules if name.partition(".")[0] in _LIBRARIES and name != "__main__"]
    text = "\n".join(names).encode()
    if len(text) < len(_used):
        _used[: len(text) + 1] = text + b"\0"


def import_used() -> None:
    """Called by the arbiter: the next worker finds them imported. Django must find no settings: they are the app's."""
    names = _used[:].partition(b"\0")[0].decode().split()
    settings = os.environ.pop(_SETTINGS, None)
    for name in names:
        if name not in sys.modules:
            with suppress(Exception):
                importlib.import_module(name)
    if settings is not None:
        os.environ[_SETTINGS] = settings


class Worker(worker.Worker):
    """For WSGI apps."""

    def load(self) -> None:
        """Also an app that cannot be imported: its traceback is the page."""
        self.wsgi = development.wsgi(self.app.wsgi)
        say_used()


class AsgiWorker(asgi.Worker):
    """For ASGI apps."""

    def load(self) -> None:
        """As above."""
        self.asgi = development.asgi(self.app.wsgi)
        say_used()

    def instead(self, error: StartupFailedError) -> App:
        """A page that says why."""
        made: App = development.asgi_page(error)
        self.asgi = made
        return made


class Arbiter(arbiter.Arbiter):
    """Renews its workers at SIGHUP."""

    def start(self) -> None:
        self._terminal = development.Terminal()
        self._has_imported = False
        self._ends: dict[int, float] = {}
        """When each worker with old code is killed, by its pid."""
        self._killed: set[int] = set()
        self.log.error_log.addFilter(self._is_news)
        super().start()

    def _is_news(self, record: logging.LogRecord) -> bool:
        """Gunicorn asks whether a killed worker had too much memory."""
        first = record.args[0] if isinstance(record.args, tuple) and record.args else None
        return not isinstance(first, int) or first not in self._killed

    def stop(self, graceful: bool = True) -> None:
        super().stop(graceful)
        self._terminal.restore()

    def reload(self) -> None:
        ends = time.monotonic() + self.cfg.graceful_timeout
        for pid, one in self.WORKERS.items():
            if not one.handover.was_let_go:
                one.handover.let_go(pid)
                self._ends[pid] = ends
        self.manage_workers()

    def murder_workers(self) -> None:
        """A request that is stopped in a debugger would keep the old code, and the terminal."""
        now = time.monotonic()
        for pid, ends in list(self._ends.items()):
            if pid not in self.WORKERS:
                del self._ends[pid]
                if now > ends - self.cfg.graceful_timeout / 2:  # it had a request, perhaps in a debugger
                    self._terminal.restore()
            elif now >= ends:
                self._killed.add(pid)
                self.kill_worker(pid, signal.SIGKILL)
        if not self._has_imported and any(one.handover.has_loaded for one in self.WORKERS.values()):
            self._has_imported = True
            import_used()
        super().murder_workers()


if __name__ == "__main__":
    from portico.link.gunicorn import development as of_workers  # __main__ is another copy of this module

    arbiter.main(of_workers.Arbiter)
