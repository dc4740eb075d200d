"""Asks the app, in a child process: expected answers, real answers, and when it is asked again."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from portico.app_servers.kinds import KINDS
from portico.app_servers.start import WEBSOCKETS
from portico.decoding import UnreadableError, decoded
from portico.errors import ImportFailedError, PorticoError, Problem, UsageError
from portico.place.interpreter import OWN, versions
from portico.place.model import Place
from portico.place.owner import as_user
from portico.plan.model import Plan
from portico.site.discover import Discovery, NoApp, Reached, start_discovery
from portico.site.environment import environment
from portico.site.facts import AppFacts
from portico.site.model import Site
from portico.site.options import Options
from portico.site.routing import answers_everything
from portico.site.upstream_server import Server
from portico.site.variables import without

if TYPE_CHECKING:
    from portico.project.declared import Declared
    from portico.project.gathered import Gathered
    from portico.run.supervisor.ahead import Begin


def start(given: Declared) -> Discovery | NoApp:
    """The app being asked, unless every server is elsewhere or rules answer everything. Raises UsageError for an app
    that no request would reach, and for variables that cannot be read.
    """
    options, directory = given.options, given.directory
    if any(map(answers_everything, options.route)):
        return NoApp(directory)
    if _is_asked(options):
        return start_discovery(
            options.app,
            directory,
            program=given.python.asks,
            who=as_user(given.runner.name, without(os.environ), variables(given)),
            reached=reached(options),
            timeout=float(options.start_timeout),
        )
    if options.app is not None:
        what = f'the app "{options.app}" is not among the servers of [upstream]'
        raise UsageError(Problem("", what, 'add "app" to them, or leave the app out'))
    return NoApp(directory, _facts_of_servers(given) if options.upstream.facts else None)


def _facts_of_servers(given: Declared) -> AppFacts:
    """What the file says about the app behind them. Raises UsageError."""
    path, where = given.directory / given.options.upstream.facts, given.causes["upstream.facts"]
    try:
        return decoded(given.reader.bytes(path), AppFacts)
    except OSError as error:
        what = f'cannot read "{path}"{given.reader.as_whom(path)}: {error.strerror}'
    except UnreadableError as error:
        what = f'"{path}" does not hold the facts of an app: {error}'
    hint = "`portico export compose --apart` writes such a file"
    raise UsageError(Problem(where, what, hint))


def _is_asked(options: Options) -> bool:
    servers = options.upstream.servers
    return not any(map(answers_everything, options.route)) and (
        not servers or any(Server.parse(text).is_app for text in servers)
    )


def with_versions(given: Declared) -> Declared:
    """With what the app's interpreter says of itself, if it is not Portico's own. Raises UsageError if it cannot be
    used.
    """
    if not given.python.path or not _is_asked(given.options):
        return given
    names = [WEBSOCKETS, *(kind.package for kind in KINDS if kind.extra)]
    where = given.causes.get("python", "")
    who = as_user(given.runner.name, without(os.environ), variables(given))
    return replace(given, versions=versions(given.python.path, names, where, who))


def variables(given: Declared) -> Mapping[str, str]:
    """The user's variables of the app. Raises UsageError."""
    problems: list[Problem] = []
    found = environment(given.options, given.directory, given.causes, given.reader, problems)
    if problems:
        raise UsageError(*problems)
    return found.values


def answers(
    discovery: Discovery | NoApp,
    given: Declared,
    place: Place,
    planned: Callable[[AppFacts], Gathered],
    begun: Begin,
    known: Site | None,
    waits: Callable[[float], None],
) -> tuple[AppFacts, Discovery | NoApp]:
    """The app's answers, and the process that asked it. Raises PorticoError; the rest is as in `project.gather`."""
    is_asked = isinstance(discovery, Discovery)
    likely = _likely(given, place.state, known) if is_asked else None
    draft = _draft(
        planned,
        likely,
        AppFacts(str(given.options.app or given.directory), str(given.directory)),
    )
    alone = begun(draft) if draft else nothing_begun
    with _says_of_environment(given):
        try:
            return _answers(discovery, waits, alone, lambda: start(given))
        except ImportFailedError:
            if given.development is None or likely is None:
                raise
            return likely, discovery  # its worker shows the traceback, until the next save


def _draft(
    planned: Callable[[AppFacts], Gathered], likely: AppFacts | None, unknown: AppFacts
) -> Plan | None:
    """What is known before the app has answered. Its problems are reported if they remain with the facts."""
    with suppress(PorticoError):
        plan = planned(likely or unknown).plan
        return plan if likely else replace(plan, server=replace(plan.server, name="", argv=()))
    return None


def _likely(given: Declared, state: str, known: Site | None) -> AppFacts | None:
    """The answers of the running release, else those of the last time, else a guess."""
    from portico.project.expected import expected, moved

    if known is not None:
        return moved(known.facts, known.directory, str(given.directory))
    return expected(given.options.app, given.directory, state, given.reader)


def _answers(
    discovery: Discovery | NoApp,
    waits: Callable[[float], None],
    alone: Callable[[], bool],
    again: Callable[[], Discovery | NoApp],
) -> tuple[AppFacts, Discovery | NoApp]:
    """The app's answers, and the process that asked it. If its import fails while workers import it, too, it is
    asked again alone: some apps create their tables then, and two at the same time fail. Raises PorticoError.
    """
    try:
        return discovery.facts(waits), discovery
    except ImportFailedError:
        if discovery.is_late or not alone():
            raise
    second = again()
    try:
        return second.facts(waits), second
    finally:
        second.close()


def nothing_begun() -> bool:
    return False


@contextmanager
def _says_of_environment(given: Declared) -> Iterator[None]:
    """Adds to a failed import which environment was used, if a module is missing and there is another one."""
    try:
        yield
    except ImportFailedError as error:
        hint = _other_environment(given)
        if not hint or not any("ModuleNotFoundError" in one.quote for one in error.problems):
            raise
        first, *rest = error.problems
        hints = "\n".join(filter(None, (first.hint, hint)))
        raise ImportFailedError(dataclasses.replace(first, hint=hints), *rest) from None


def _other_environment(given: Declared) -> str:
    """Empty if there is none."""
    python = given.python
    if python.path:
        return f'the app has the packages of {python.path} ({python.why}); those of Portico\'s own: python = "{OWN}"'
    if python.unusable:
        return (
            f"{python.unusable} is not used, its Python cannot be reached: make it again with python3 -m venv"
        )
    active = os.environ.get("VIRTUAL_ENV", "")
    if active and Path(active).resolve() != Path(sys.prefix).resolve():
        return f'the active environment is not used; if its packages are meant: python = "{active}"'
    return ""


def reached(options: Options) -> Reached:
    """How clients reach the site: over HTTPS if it is on here, or may be on at a proxy in front."""
    first = [options.canonical] if options.canonical else []
    hosts = dict.fromkeys(first + [name for name in options.domains if not name.startswith("*.")])
    has_https = Site(options, AppFacts(app="", directory=""), "", "").has_https
    is_https = has_https or bool(options.behind or options.node.gateways or options.node.socket)
    return Reached(tuple(hosts), "https" if is_https else "http", options.mount.rstrip("/"))
