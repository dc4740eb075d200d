"""From the words a user typed to a Plan: load, discover, probe, resolve, plan."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portico.cli.folders import fenced, is_served, real_folders
from portico.cli.here import here
from portico.cli.own_files import refuse_unreadable
from portico.cli.rights import exposed, refuse_nginx_s_own, rights
from portico.errors import ImportFailedError, PorticoError, Problem, UsageError
from portico.place.model import Place
from portico.place.owner import Owner, as_user, environment, groups
from portico.plan.model import Plan
from portico.reading import Reader
from portico.site.discover import Discovery, NoApp, Reached, start_discovery
from portico.site.load import FILE, load
from portico.site.model import AppFacts, Options, Site
from portico.site.resolve import own_directory, resolve, site_name, word
from portico.site.server import Server
from portico.values import AppRef

if TYPE_CHECKING:
    from portico.run.supervisor.ahead import Begin


@dataclass(frozen=True)
class Gathered:
    """The three nouns of one site."""

    site: Site
    place: Place
    plan: Plan
    import_seconds: float = 0.0
    """How long the app took to answer, which is mostly its import."""


def gather(
    app: str | None,
    config: str | None,
    flags: Mapping[str, Any],
    meanwhile: Callable[[], None] = lambda: None,
    release: str = "",
    before: Mapping[str, str] | None = None,
    gateway: str = "",
    nginx: str = "",
    *,
    serves: bool = True,
    looks: bool = False,
    begun: Begin = lambda _: _nothing_begun,
    known: Site | None = None,
    waits: Callable[[float], None] = lambda _: None,
) -> Gathered:
    """Everything about the site that APP, --config and the flags mean. Raises PorticoError.

    `meanwhile` is called while the app is being imported, which takes longest. `release` is another directory that
    holds the code now: the same site, with everything that was in its own directory found in that one. `before` are
    the static folders of the plan that this one will replace. `gateway` is the runtime directory of the gateway whose
    nginx serves the site beside others. `nginx` is the binary that runs the site now, which is kept where Portico may
    choose: a reload of the app does not change it. Without `serves` it is no fault of the site that its user may not
    read it here; with `looks` nor that somebody asks who may not start it. `begun` is called with the plan as far as it
    is known before the app has answered, `waits` again and again with the seconds that this takes. `known` is the site
    that serves.
    """
    app, config = as_config(app, config)
    home, ref = where_is(app, config)
    name_of_file = named_by_file(config)
    if release and not is_directory(release):
        raise UsageError(
            Problem("--path", f"{release} is no directory", "name the directory of the new release")
        )
    # releases/42, not current: a worker that is started again must find the code that was switched to.
    directory = Path(release or home).resolve()
    if directory != home:
        ref, config = _moved(home, directory, ref, config)
    file = config_file(directory, config)
    options, causes = load(file, flags)
    if ref is not None:
        options, causes = _with_app(options, ref), causes | {"app": "the command line"}
    runner, reader = rights(options, causes, file, directory, serves=serves, looks=looks, gateway=gateway)
    discovery = _discovery(options, directory, runner)
    try:
        # The app is imported in a child while the machine is looked at and the rest of Portico is imported.
        from portico.place.builds import wanted
        from portico.place.probe import probe
        from portico.plan.build import plan
        from portico.plan.choice import chosen

        meanwhile()
        name = options.name or name_of_file or site_name(home)
        binary = wanted(options.nginx.binary, is_said="nginx.binary" in causes)
        place = probe(nginx if nginx and binary == "auto" else binary, own_directory(home), name)
        place = replace(
            place,
            app_user=runner.name,
            app_user_why=runner.why,
            app_groups=groups(runner.name),
            app_env=environment(runner.name),
            exposed=exposed() if runner.name else "",
        )
        if serves:
            refuse_nginx_s_own(runner, place.nginx_user, gateway)

        def planned(facts: AppFacts) -> Gathered:
            site = replace(
                resolve(options, facts, directory, causes, reader),
                name=name,
                before=before or {},
                origin=config or str(home),
            )
            fences = fenced(replace(place, gateway=gateway), site)
            refuse_unreadable(site, fences)
            files = tuple(file for file in site.root_files if is_served(file, fences))
            site = replace(site, root_files=files)
            suits = chosen(fences, [site])
            return Gathered(site, suits, plan(site, suits))

        is_asked = isinstance(discovery, Discovery)
        likely = _likely(options, directory, place.state, reader, known) if is_asked else None
        draft = _draft(planned, likely, AppFacts(str(options.app or directory), str(directory)))
        alone = begun(draft) if draft else _nothing_begun
        with _says_of_venv(place):
            facts, took = _answers(discovery, waits, alone, lambda: _discovery(options, directory, runner))
        facts = real_folders(facts, reader)
    finally:
        discovery.close()
    return replace(planned(facts), import_seconds=took)


def _draft(
    planned: Callable[[AppFacts], Gathered], likely: AppFacts | None, unknown: AppFacts
) -> Plan | None:
    """What is known before the app has answered. What is wrong with it is said when it still is with the facts."""
    with suppress(PorticoError):
        plan = planned(likely or unknown).plan
        return plan if likely else replace(plan, server=replace(plan.server, name="", argv=()))
    return None


def _likely(
    options: Options, directory: Path, state: str, reader: Reader, known: Site | None
) -> AppFacts | None:
    """What the app that serves has answered, else what it answered the last time, else a guess."""
    from portico.cli.expected import expected, moved

    if known is not None:
        return moved(known.facts, known.directory, str(directory))
    return expected(options.app, directory, state, reader)


def _answers(
    discovery: Discovery | NoApp,
    waits: Callable[[float], None],
    alone: Callable[[], bool],
    again: Callable[[], Discovery | NoApp],
) -> tuple[AppFacts, float]:
    """What the app answers, and after how many seconds. Where its import fails while workers import it, too, it is
    asked again alone: some apps make their tables then, and two that make the same one fail. Raises PorticoError."""
    try:
        return discovery.facts(waits), discovery.seconds
    except ImportFailedError:
        if discovery.is_late or not alone():
            raise
    second = again()
    try:
        return second.facts(waits), second.seconds
    finally:
        second.close()


def _nothing_begun() -> bool:
    return False


@contextmanager
def _says_of_venv(place: Place) -> Iterator[None]:
    """An import that fails for want of a module says so when a virtual environment of the app's is not used."""
    try:
        yield
    except ImportFailedError as error:
        if not place.unused_venv or not any("ModuleNotFoundError" in one.quote for one in error.problems):
            raise
        first, *rest = error.problems
        hint = f"{place.unused_venv} is not used: {place.how_to_use_venv}"
        hints = "\n".join(filter(None, (first.hint, hint)))
        raise ImportFailedError(replace(first, hint=hints), *rest) from None


def as_config(app: str | None, config: str | None) -> tuple[str | None, str | None]:
    """APP and --config where APP may be a portico.toml under any name. Raises UsageError when both name one."""
    if not app or not app.endswith(".toml") or is_directory(app):
        return app, config
    if config:
        raise UsageError(Problem("", f"{app} and --config {config} name two files", "name one of them"))
    return None, app


def named_by_file(config: str | None) -> str:
    """What a site is called whose file is not simply portico.toml: several may lie in one directory."""
    path = Path(config or FILE)
    return "" if path.name == FILE else word(path.stem)


def _discovery(options: Options, directory: Path, runner: Owner) -> Discovery | NoApp:
    """The app being asked, unless every server is elsewhere. Raises UsageError for an app nobody would reach."""
    servers = options.upstream.servers
    if not servers or any(Server.parse(text).is_app for text in servers):
        return start_discovery(
            options.app,
            directory,
            who=as_user(runner.name, os.environ),
            reached=reached(options),
            timeout=float(options.start_timeout),
        )
    if options.app is not None:
        what = f'the app "{options.app}" is not among the servers of [upstream]'
        raise UsageError(Problem("", what, 'add "app" to them, or leave the app out'))
    return NoApp(directory)


def reached(options: Options) -> Reached:
    """How clients come to the site: over HTTPS where it is spoken here or may be spoken by a proxy in front."""
    first = [options.canonical] if options.canonical else []
    hosts = dict.fromkeys(first + [name for name in options.domains if not name.startswith("*.")])
    has_https = Site(options, AppFacts(app="", directory=""), "", "").has_https
    is_https = has_https or bool(options.behind or options.node.gateways)
    return Reached(tuple(hosts), "https" if is_https else "http", options.mount.rstrip("/"))


def _moved(
    home: Path, release: Path, ref: AppRef | None, config: str | None
) -> tuple[AppRef | None, str | None]:
    """App and --config of the site in `home` when its code is in `release`; a file that is not there stays."""
    if ref is not None and ref.is_file:
        ref = replace(ref, module=_inside(home, release, ref.module))
    if config and Path(moved := _inside(home, release, config)).exists():
        config = moved
    return ref, config


def _inside(home: Path, release: Path, path: str) -> str:
    """The same file in the other directory; a file from elsewhere stays where it is."""
    try:
        return str(release / (here() / path).relative_to(home))
    except ValueError:
        return path


def where_is(app: str | None, config: str | None) -> tuple[Path, AppRef | None]:
    """The site's directory, and the app where the command line names one.

    A directory is a site of its own; a file belongs to the current directory when that is a site (has a
    portico.toml), else to its own.
    """
    home = (here() / config).parent if config else here()
    if not app:
        return home, None
    if is_directory(app):
        return here() / app, None
    try:
        ref = AppRef.parse(app)
    except ValueError as error:
        raise UsageError(Problem("", f'"{app}" does not name an app', str(error))) from None
    _refuse_unreachable(ref)
    if not ref.is_file:
        return home, ref
    path = here() / ref.module
    is_site = config or config_file(home, None)
    return (home if is_site else path.parent), replace(ref, module=str(path))


def config_file(directory: Path, config: str | None) -> Path | None:
    """The portico.toml of the site, None when it has none. Raises UsageError when nobody may look."""
    file = Path(config) if config else directory / FILE
    try:
        file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return file if config else None
    except OSError as error:
        hint = "name another, or start Portico as a user who may read it"
        raise UsageError(Problem(str(file), f"cannot be read: {error.strerror}", hint)) from None
    return file


def _refuse_unreachable(ref: AppRef) -> None:
    """Raises UsageError for a name the system will not even look at: too long, or in a locked directory."""
    try:
        Path(ref.module.removesuffix(".py") + ".py").stat()
    except (FileNotFoundError, NotADirectoryError):
        return  # a module from elsewhere, or a file that is missed by who looks for the app
    except OSError as error:
        hint = "expected module:attribute, like shop:app, or the path of a file that may be read"
        raise UsageError(Problem(ref.module, f"cannot be looked at: {error.strerror}", hint)) from None


def is_directory(app: str) -> bool:
    """Whether a word is the path of a directory that may be looked at."""
    try:
        return Path(app).is_dir()
    except OSError:
        return False  # not to be looked at; what reads it says why


def _with_app(options: Options, ref: AppRef) -> Options:
    import msgspec

    return msgspec.structs.replace(options, app=ref)
