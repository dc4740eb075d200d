"""What `portico bench` and `portico tune` need before they measure: the routes, the host."""

from __future__ import annotations

from pathlib import Path

from portico.errors import Problem, UsageError
from portico.log.reader import last_lines, request_reader
from portico.log.request import Request
from portico.measure import routes
from portico.measure.contenders import Words
from portico.measure.model import Route
from portico.project.gathered import Gathered
from portico.project.running import runtime_of, state_beside_of

SOME_PORT = 8080
"""Of the plan that is only looked at; each contender gets a free one."""
_LOG_BYTES = 8 << 20
"""Of the end of the access log: some 20 000 requests."""
_START_EXTRA = 3


def refuse_without_app(found: Gathered) -> None:
    """Raises UsageError for a site whose servers are all elsewhere."""
    if not found.plan.has_app:
        what = "the site has no app here: every server is elsewhere"
        raise UsageError(Problem("", what, "measure its address: portico bench http://127.0.0.1:8080/"))


def routes_of(
    found: Gathered, words: Words, paths: tuple[str, ...], *, slow: bool = False, is_mixed: bool = False
) -> list[Route]:
    """The named ones, else those of the log, if `is_mixed` with its mix first, else the app's; with `slow` also the one
    that runs out of time most.
    """
    if paths:
        return routes.named(paths)
    logged = _logged(words)
    late = routes.timed_out(logged) if slow else []
    of_log = [*(routes.mix_of_log(logged) if is_mixed else ()), *routes.of_log(logged)]
    return [*(of_log or routes.of_app(found.site.facts, found.site.options.mount)), *late]


def host_of(found: Gathered) -> str:
    """The Host of the requests; empty for any."""
    options = found.site.options
    return (options.canonical or next(iter(options.domains), "")).lstrip("*.")


def start_seconds_of(found: Gathered) -> float:
    """How long a copy may take to start."""
    return 2 * float(found.site.options.start_timeout) + _START_EXTRA * found.import_seconds


def _logged(words: Words) -> list[Request]:
    state = state_beside_of(runtime_of(words.app, words.config, words.flags.get("name", "")))
    return list(request_reader().read(last_lines(Path(state) / "access.log", _LOG_BYTES)))
