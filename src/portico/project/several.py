"""Several sites on one gateway: the list of them, and the plan of each before its app has been asked."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from portico.errors import PorticoError, Problem, UsageError
from portico.place.gateway.finders import finder_named
from portico.place.model import Place
from portico.place.probe import probe, runtime_directory, state_directory
from portico.plan.build import plan
from portico.plan.gateway.kinds import gateway_of
from portico.plan.model import Plan
from portico.plan.paths import GATEWAY
from portico.project.command_line import command_line
from portico.project.declared import Declared, declared
from portico.project.here import here
from portico.project.named import config_file, named_by_file
from portico.project.rights import refuse_gateway_s_own
from portico.project.sites import sites_of
from portico.reading import doubt
from portico.run.host.hosted import DesiredSite
from portico.site.facts import AppFacts
from portico.site.model import Site
from portico.site.options import Options
from portico.site.options.upstream import Upstream
from portico.site.own.table import GatewayTable
from portico.site.own.tables import TABLES, table_of
from portico.site.resolve import own_directory, resolve, site_name

_OF_THE_GATEWAY = ("name", *(table.program for table in TABLES))
"""Flags of the gateway; every other is for each site."""


class Several(Struct, frozen=True):
    """The user's words: sites, or directories of them, and flags for all."""

    apps: tuple[str, ...]
    flags: Mapping[str, Any]

    @property
    def home(self) -> Path:
        """The gateway's identity: the one directory of its sites, else the current one."""
        return Path(self.apps[0]) if len(self.apps) == 1 else here()

    @property
    def name(self) -> str:
        return str(self.flags.get("name", "")) or GATEWAY

    def place(self) -> Place:
        """The gateway's own, with the gateway that suits all its sites. Raises UsageError."""
        place = probe(*self._program(), own_directory(self.home), self.name)
        if not place.others:
            return place
        sites = [site for site in (known(word, self.flags) for word in self.sites()) if site is not None]
        shared = replace(place, host_runtime=place.runtime)
        return replace(gateway_of(place).faults.chosen(shared, sites), host_runtime="")

    def _program(self) -> tuple[str, str]:
        """Which gateway, and the first binary that a site names; all share it. As root only one that a file of root's
        names."""
        table = self._table()
        if named := self.flags.get(table.program):
            return table.program, named
        for given in self._declared():
            if table.binary_key in given.causes:
                return table.program, table.binary(given.options)
        finder = finder_named(table.program)
        return table.program, finder.choice(table.binary(Options()), is_said=False)

    def _table(self) -> GatewayTable:
        """The flag says which kind of gateway, else the first site that does. As root only one whose file root alone
        can change: no user decides for the sites of others."""
        if wanted := self.flags.get("gateway"):
            return table_of(Options(gateway=wanted))
        said = (one.options for one in self._declared() if "gateway" in one.causes and one.reader.is_trusted)
        return table_of(next(said, Options()))

    def _declared(self) -> Iterator[Declared]:
        """The sites' own files; a wrong one is reported when it is looked at."""
        user = {name: value for name, value in self.flags.items() if name == "user"}
        for site in self.sites():
            with suppress(PorticoError):
                yield declared(config_of(site), _directory(site), user, serves=False)

    def sites(self) -> list[str]:
        """Each site's file or directory, once. Raises UsageError for a word that is neither."""
        found = (site for word in self.apps for site in sites_of(word))
        return list({own_directory(Path(site)): site for site in found}.values())

    def look(self, place: Place) -> list[DesiredSite]:
        """The desired sites now."""
        return [desired(site, self.flags, place) for site in self.sites()]


def config_of(site: str) -> Path | None:
    """The portico.toml of a site that is named by it, or by its directory."""
    return Path(site) if site.endswith(".toml") else config_file(Path(site), None)


def known(origin: str, flags: Mapping[str, Any]) -> Site | None:
    """The site from its file and the flags alone, None if they are wrong: `desired` says why."""
    flags = {name: value for name, value in flags.items() if name not in _OF_THE_GATEWAY}
    directory, file = _directory(origin), config_of(origin)
    try:
        given = declared(file, directory, flags)
        return _site(replace(given, name=given.name or site_name(directory), origin=origin))
    except PorticoError:
        return None


def desired(site: str, flags: Mapping[str, Any], gateway: Place) -> DesiredSite:
    """What is known of a site without asking its app."""
    flags = {name: value for name, value in flags.items() if name not in _OF_THE_GATEWAY}
    directory, file = _directory(site), config_of(site)
    name = named_by_file(site) if site.endswith(".toml") else ""
    planned: Plan | None = None
    problems: tuple[Problem, ...] = ()
    try:
        given = declared(file, directory, flags, gateway=gateway.runtime)
        if "gateway" not in given.causes and given.options.gateway != gateway.gateway.program:
            flags |= {"gateway": gateway.gateway.program}  # a site that names none takes that of the others
            given = declared(file, directory, flags, gateway=gateway.runtime)
        name = given.name or name or site_name(directory)
        refuse_gateway_s_own(given.runner, gateway.gateway_user, gateway.runtime)
        planned = _without_app(replace(given, name=name, origin=site), gateway)
    except PorticoError as error:
        problems = tuple(dataclasses.replace(one, where=_where(site, one.where)) for one in error.problems)
    name = name or site_name(directory)
    runtime = str(runtime_directory(own_directory(directory), name))
    why = doubt(file or directory) if os.geteuid() == 0 else ""
    return DesiredSite(name, site, _argv(site, name, flags, gateway), planned, runtime, problems, why)


def _directory(site: str) -> Path:
    return Path(site).parent if site.endswith(".toml") else Path(site)


def _without_app(given: Declared, gateway: Place) -> Plan:
    program, wanted = gateway.gateway.program, given.options.gateway
    if wanted != program:
        what = f'gateway = "{wanted}": this site is to share a gateway with others, which is {program}'
        hint = f"run it by itself, leave gateway out, or let all have this one: portico run --gateway {wanted} ..."
        raise UsageError(Problem(given.causes.get("gateway", ""), what, hint))
    # There is no upstream yet: neither an app nor servers elsewhere.
    given = replace(given, options=msgspec.structs.replace(given.options, upstream=Upstream()))
    here = own_directory(given.home)
    place = replace(
        gateway,
        runtime=str(runtime_directory(here, given.name)),
        state=str(state_directory(here, given.name)),
        host_runtime=gateway.runtime,
    )
    return plan(_site(given), place, is_waiting=True)


def _site(given: Declared) -> Site:
    facts = AppFacts(
        app=str(given.options.app or ""), directory=str(given.directory.absolute()), is_known=False
    )
    site = resolve(given.options, facts, given.directory, given.causes, given.reader)
    return replace(site, name=given.name, origin=given.origin)


def _argv(site: str, name: str, flags: Mapping[str, Any], gateway: Place) -> tuple[str, ...]:
    """The supervisor of one site; --name, because two files may lie in one directory."""
    config, app = (site, None) if site.endswith(".toml") else (None, site)
    own = {**flags, "name": name, gateway.gateway.program: gateway.gateway.path}
    return (
        sys.executable, "-P", "-m", "portico", "run",
        "--shared-gateway", gateway.runtime, *command_line(app, config, own),
    )  # fmt: skip


def _where(site: str, where: str) -> str:
    """The name of its portico.toml for messages: there are several."""
    if where and Path(where) == Path(site):
        return site
    _, found, rest = where.partition(":")
    return f"{site}:{rest}" if found and rest[:1].isdigit() else f"{site}: {where}" if where else site
