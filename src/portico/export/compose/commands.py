"""The services of Compose for the commands of [release] and for [processes], and when `./release` runs them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from portico.export.before import Before, after, before, processes
from portico.plan.files import Line
from portico.plan.model import Plan
from portico.site.model import Site

_ONCE = ("profiles: [release]", 'restart: "no"')


def words_of(command: Sequence[str] | Mapping[str, str]) -> str:
    """A command, or variables, in compose.yaml, where $ would begin a variable."""
    return json.dumps(command).replace("$", "$$")


def services(site: Site, plan: Plan, words: Sequence[str], stores: Sequence[str]) -> Iterator[Line]:
    """`words` are those of a replica after `portico run`, `stores` the names of the databases."""
    outside = ("default", "data") if stores else ("default",)
    if command := before(site, plan, words):
        yield Line("  # [release] before. `./release` runs it with the new image.")
        yield Line("  #   docker compose --profile release run --rm before    before the first start")
        yield from _service("before", command, _ONCE, ("data" if stores else "site",), stores)
    if command := after(site, plan, words):
        yield Line("  # [release] after. `./release` runs it when all replicas have the new code.")
        yield from _service("after", command, _ONCE, outside, stores)
    for name, command in processes(site, plan, words).items():
        yield Line(
            f"  # [processes] {name}: one for all replicas. `./release` replaces it when they have the new code."
        )
        yield from _service(_name(name), command, ("healthcheck: {disable: true}",), outside, stores)


def run_before(plan: Plan) -> str:
    """The line of `./release`."""
    if not plan.before:
        return ""
    return '$compose --profile release run --rm before || fail "the command before the release has failed"\n'


def replace_processes(plan: Plan) -> str:
    """The line of `./release`."""
    if not plan.background:
        return ""
    names = " ".join(map(_name, plan.background))
    return f'$compose up -d --no-deps --force-recreate {names} || fail "a process cannot be replaced"\n'


def run_after(plan: Plan) -> str:
    """The line of `./release`."""
    if not plan.after:
        return ""
    said = "the release serves, but the command after it failed"
    return f'$compose --profile release run --rm after || echo "{said}" >&2\n'


def _name(process: str) -> str:
    """No name of a process is that of a replica or a database."""
    return f"process-{process}"


def _service(
    name: str, command: Before, more: Sequence[str], networks: Sequence[str], stores: Sequence[str]
) -> Iterator[Line]:
    yield Line(f"  {name}:")
    yield Line("    <<: *app")
    yield Line(f"    command: {words_of(command.words)}")
    if command.environment:
        yield Line(f"    environment: {words_of(dict(command.environment))}")
    yield from (Line(f"    {one}") for one in more)
    yield Line(f"    networks: [{', '.join(networks)}]")
    if stores:
        yield Line("    depends_on:")
        yield from (Line(f"      {store}: {{condition: service_healthy}}") for store in stores)
