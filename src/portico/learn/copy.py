"""A private copy of a site: asked with traced requests, and taken down."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from msgspec import Struct

from portico.errors import PorticoError, Problem
from portico.explain.language import Language
from portico.explain.languages import language_in
from portico.explain.node import Node
from portico.explain.verdict import Asked, NoServerError, Verdict
from portico.learn.pages import title
from portico.measure.ask import PeerError, wait_until_ready
from portico.measure.contenders import Words, portico
from portico.measure.programs import Programs, stand
from portico.project.gathered import Gathered
from portico.protocol.commands import STATUS
from portico.protocol.trace import Trace
from portico.run.control import client
from portico.watch.trace.client import Wish
from portico.watch.trace.evidence import TracedSite, follow
from portico.watch.trace.shown import shown

_START_EXTRA = 3
_KILL_SECONDS = 0.05
_LOOPBACK = "127.0.0.1"


class Seen(Struct, frozen=True):
    """An answer with its trace; `title` is the page's, or what its body begins with."""

    trace: Trace
    took_ms: float
    title: str

    @property
    def is_from_cache(self) -> bool:
        return bool(self.trace.line and self.trace.line.get("cache") == "HIT")


class Copy:
    """The copy while it runs."""

    def __init__(self, found: Gathered, programs: Programs, site: TracedSite, origin: str) -> None:
        self.found, self._programs, self._site, self._origin = found, programs, site, origin

    def ask(self, path: str, method: str = "GET", headers: tuple[tuple[str, str], ...] = ()) -> Seen:
        """One request. Raises PorticoError."""
        begun = time.monotonic()
        wish = Wish(f"{self._origin}{path}", method, headers, connect=f"{_LOOPBACK}:{self._programs.port}")
        evidence = follow(self._site, wish)
        sent = evidence.sent
        ends = sent.at("end") / 1e9 or time.monotonic()
        return Seen(shown(evidence), (ends - begun) * 1e3, title(sent.body.decode(errors="replace")))

    def verdict(self, path: str) -> Verdict | None:
        """Which location Portico's own reading of the configuration names."""
        host = self._origin.partition("//")[2].partition(":")[0]
        asked = Asked("GET", "http", host, self._programs.port, path, _LOOPBACK, str(self._site.runtime))
        try:
            return self._language.verdict(self.configuration(), asked)
        except (NoServerError, ValueError):
            return None

    def configuration(self) -> Node:
        return self._language.read(self._site.conf / self._language.main)

    def kill_app(self) -> None:
        """The app server and all its workers, by SIGKILL; the parents first, which would start others."""
        for process, role in self._programs.tree():
            if role == "app":
                with suppress(psutil.NoSuchProcess):
                    process.kill()

    @contextmanager
    def without_app(self) -> Iterator[None]:
        """The app is killed again whenever it was started, before it serves: one that serves for a second between two
        crashes would be started again at once.
        """
        is_over = threading.Event()

        def keep_down() -> None:
            while not is_over.wait(_KILL_SECONDS):
                with suppress(psutil.Error):
                    self.kill_app()

        killer = threading.Thread(target=keep_down, daemon=True)
        killer.start()
        try:
            yield
        finally:
            is_over.set()
            killer.join()

    @property
    def _language(self) -> Language:
        return language_in(self._site.conf)


@contextmanager
def copy_of(found: Gathered, words: Words) -> Iterator[Copy]:
    """Starts the copy in a private directory, on a free port of this machine, and ends it. Raises PorticoError."""
    way = portico(found, words)
    with stand("learn-") as own:
        setup, programs = way.setup(own), Programs(own)
        try:
            for program in setup.programs:
                programs.launch(program)
            _wait(found, programs)
            runtime = _runtime(own.directory)
            (status,) = client.ask(str(runtime), STATUS)
            host = status.urls[0].partition("//")[2].partition("/")[0]
            yield Copy(found, programs, TracedSite.of(str(runtime), status), f"http://{host}")
        finally:
            programs.end()


def _wait(found: Gathered, programs: Programs) -> None:
    site = found.site
    seconds = 2 * float(site.options.start_timeout) + _START_EXTRA * found.import_seconds
    host = (site.options.canonical or next(iter(site.options.domains), "")).lstrip("*.")
    try:
        wait_until_ready(programs, site.prefix + site.options.health, host, seconds)
    except (PeerError, OSError) as error:
        raise PorticoError(Problem("the copy", str(error), "try the site alone: portico run")) from None


def _runtime(directory: Path) -> Path:
    return next(path.parent for path in sorted((directory / "run").glob("*/conf")))
