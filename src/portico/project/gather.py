"""From the user's words to a Plan: load, discover, probe, resolve, plan."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from portico.app_servers.kinds import KINDS
from portico.errors import Problem, UsageError
from portico.place.model import Place
from portico.place.owner import environment, groups
from portico.project import asked
from portico.project.alone import alone as measured
from portico.project.declared import Declared, declared
from portico.project.folders import fenced, is_served, real_folders
from portico.project.gathered import Gathered
from portico.project.named import as_config, config_file, is_directory, moved, named_by_file, where_is
from portico.project.own_files import refuse_unreadable
from portico.project.rights import exposed, refuse_gateway_s_own
from portico.site.facts import AppFacts
from portico.site.model import Site
from portico.site.own.tables import table_of
from portico.site.resolve import own_directory, resolve, site_name
from portico.site.variables import unknown
from portico.site.variants.development import facts_for, without_deadlines

if TYPE_CHECKING:
    from portico.run.supervisor.ahead import Begin


def gather(
    app: str | None,
    config: str | None,
    flags: Mapping[str, Any],
    meanwhile: Callable[[], None] = lambda: None,
    release: str = "",
    before: Mapping[str, str] | None = None,
    gateway: str = "",
    binary: str = "",
    *,
    serves: bool = True,
    looks: bool = False,
    alone: int = 0,
    begun: Begin = lambda _: asked.nothing_begun,
    known: Site | None = None,
    waits: Callable[[float], None] = lambda _: None,
) -> Gathered:
    """Everything about the site that APP, --config and the flags mean. Raises PorticoError.

    `meanwhile` is called while the app is being imported, which takes longest. `release` is another directory that
    contains the code now: the same site, with the files of its own directory found in that one. `before` are the
    static folders of the plan that this one will replace. `gateway` is the runtime directory of a shared gateway
    that serves the site. `nginx` is the binary that runs the site now, which stays if Portico may choose: a reload
    of the app does not change it. Without `serves` it is no error that the site's user may not read it here; with
    `looks` nor that the caller may not start it. `alone` is the port of a second copy, which is measured: see
    `project.alone`. `begun` is called with the plan as far as it is known before the
    app has answered, `waits` repeatedly with the seconds elapsed. `known` is the running site.
    """
    given = declared_by(app, config, flags, release, gateway, serves=serves, looks=looks)
    if alone:
        given = replace(given, options=measured(given.options, alone))
    given = asked.with_versions(given)
    discovery = asked.start(given)
    try:
        # The app is imported in a child while the machine is probed and the rest of Portico is imported.
        meanwhile()
        place = _place(given, gateway, binary)
        if serves:
            refuse_gateway_s_own(given.runner, place.gateway_user, gateway)
        planned = partial(_planned, given, place, before or {})
        facts, who = asked.answers(discovery, given, place, planned, begun, known, waits)
    finally:
        discovery.close()
    gathered = planned(real_folders(facts, given.reader))
    return replace(gathered, import_seconds=who.seconds, import_memory=who.memory)


def declared_by(
    app: str | None,
    config: str | None,
    flags: Mapping[str, Any],
    release: str,
    gateway: str,
    *,
    serves: bool,
    looks: bool,
) -> Declared:
    """The options from the words, the file and the flags. Raises UsageError."""
    app, config = as_config(app, config)
    home, ref = where_is(app, config)
    name = named_by_file(config)
    if release and not is_directory(release):
        raise UsageError(
            Problem("--path", f"{release} is not a directory", "name the directory of the new release")
        )
    # releases/42, not current: a restarted worker must find the code that was switched to.
    directory = Path(release or home).resolve()
    if directory != home:
        ref, config = moved(home, directory, ref, config)
    found = declared(
        config_file(directory, config), directory, flags, ref, serves=serves, looks=looks, gateway=gateway
    )
    return replace(found, home=home, name=found.name or name or site_name(home), origin=config or str(home))


def _place(given: Declared, gateway: str, binary: str) -> Place:
    """This machine, as the site finds it; `nginx` is the binary that runs it now."""
    from portico.place.gateway.finders import finder_named
    from portico.place.probe import probe

    table = table_of(given.options)
    choice = finder_named(table.program).choice(
        table.binary(given.options), is_said=table.binary_key in given.causes
    )
    runner = given.runner
    found = probe(
        table.program,
        binary if binary and choice == "auto" else choice,
        own_directory(given.home),
        given.name,
    )
    return replace(
        _with_python(found, given),
        host_runtime=gateway,
        unknown_options=unknown(os.environ),
        app_user=runner.name,
        app_user_why=runner.why,
        app_groups=groups(runner.name),
        app_env=environment(runner.name),
        exposed=exposed() if runner.name else "",
    )


def _with_python(place: Place, given: Declared) -> Place:
    """With the interpreter of the app. Its environment has Portico's Gunicorn, and app servers of its own."""
    python, packages = given.python, given.versions.packages
    if not python.path:
        return replace(place, unusable_venv=python.unusable)
    own = {kind.name: packages[kind.package] for kind in KINDS if kind.package in packages}
    lent = {kind.name for kind in KINDS if not kind.extra}
    return replace(
        place,
        app_python=python.path,
        app_python_why=python.why,
        app_packages=packages,
        python_version=".".join(map(str, given.versions.version)),
        app_path=given.versions.path,
        package_path=python.package_path,
        app_servers={name: version for name, version in place.app_servers.items() if name in lent} | own,
    )


def _planned(given: Declared, place: Place, before: Mapping[str, str], facts: AppFacts) -> Gathered:
    """The site with these answers of the app."""
    from portico.plan.build import plan
    from portico.plan.gateway.kinds import gateway_of
    from portico.plan.web.ability import Ability

    facts = facts_for(facts) if given.development else facts
    site = replace(
        resolve(given.options, facts, given.directory, given.causes, given.reader),
        name=given.name,
        before=before,
        origin=given.origin,
        development=given.development,
    )
    if given.development:
        site = replace(site, routed=without_deadlines(site.routed))
    has_fences = Ability.FENCES in gateway_of(place).abilities(place)
    fences = fenced(place, site, has_fences=has_fences)
    refuse_unreadable(site, fences)
    site = replace(site, root_files=tuple(file for file in site.root_files if is_served(file, fences)))
    suits = gateway_of(fences).faults.chosen(fences, [site])
    return Gathered(site, suits, plan(site, suits))
