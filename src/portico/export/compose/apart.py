"""A gateway and its app in containers apart, for Compose: they share a volume of unix sockets and nothing else. Pure.

The gateway runs nginx and imports no code of the app; the app's containers run no web server and have no address. What
the site's portico.toml says is split between them.
https://github.com/compose-spec/compose-spec/blob/main/spec.md
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from msgspec.structs import replace

from portico.export.compose.commands import services, words_of
from portico.export.compose.container import container, once_for_all, published, refuse
from portico.export.compose.lines import lines
from portico.export.compose.release import release
from portico.export.compose.secrets import mounted, secrets
from portico.export.compose.split import json_of, of_gateway, told, toml
from portico.export.compose.stores import NETWORK, Store, store_services, stores_of
from portico.export.image.dockerfile import SOCKETS, STATE, ports
from portico.place.model import Place
from portico.plan.app_servers.chosen import app_server
from portico.plan.build import plan as plan_of
from portico.plan.files import File, Line
from portico.plan.model import Plan
from portico.site.model import Site
from portico.site.options.node import Node
from portico.site.variants.platform import without_gateway
from portico.values import Address

GATEWAY, FACTS = "compose-gateway.toml", "compose-gateway.json"
_RUNNING = """$compose exec -T "$1" portico status --json 2>/dev/null | grep -q '"phase": "serving"'"""


def compose_apart(
    site: Site,
    plan: Plan,
    place: Place,
    words: tuple[str, ...],
    replicas: int,
    packages: Collection[str],
    homes: Mapping[str, str],
) -> tuple[File, ...]:
    """`words` are those after `portico run` in a container of the app, `packages` the app's, by their normalised names.
    `homes` are directories here with static files, and where the image has them.

    Raises UsageError for a site that cannot be shared so, or whose parts need each other's files.
    """
    refuse(site, replicas, GATEWAY)
    names = [f"app-{number}" for number in range(1, replicas + 1)]
    servers = {name: _server(site, name) for name in names}
    listen = None if site.has_https else Address("*", ports(site)[0])
    facts = told(site, homes)
    front = of_gateway(site, list(servers.values()), FACTS, listen)
    behind = without_gateway(replace(site.options, node=Node(socket=_socket(names[0]))))
    plan_of(replace(site, options=front, facts=replace(facts, static=site.facts.static), before={}), place)
    plan_of(replace(site, options=behind, access=(), rules=(), declared=(), spa=""), place)
    stores = stores_of(packages)
    return (
        File("compose.yaml", tuple(_compose(site, plan, words, names, stores))),
        File(GATEWAY, tuple(_toml(site, toml(front)))),
        File(FACTS, tuple(lines(json_of(facts)))),
        release(plan, list(servers.items()), _RUNNING),
    )


def _toml(site: Site, said: Iterator[str]) -> Iterator[Line]:
    yield from lines(f"""\
# The gateway of {site.name}: what the site's portico.toml says, without what is the app's alone. What the app says
# about itself is in {FACTS}. `portico export compose --apart` wrote both: export again when one has changed.""")
    yield from map(Line, said)


def _socket(name: str) -> str:
    return f"{SOCKETS}/{name}/app.sock"


def _server(site: Site, name: str) -> str:
    scheme = "uwsgi://" if app_server(site).protocol == "uwsgi" else ""
    return f"{scheme}unix:{_socket(name)}"


def _compose(
    site: Site, plan: Plan, words: tuple[str, ...], names: list[str], stores: tuple[Store, ...]
) -> Iterator[Line]:
    yield from lines(f"""\
# The site {site.name}: a gateway, and its app in {len(names)} containers. `portico export docker` writes their image.
#   docker compose up -d --build      start
#   ./release                         new code, one container after the other: no request is lost
#   docker compose exec gateway portico reload    after a change of {GATEWAY} or {FACTS}
# They share a volume of unix sockets: the gateway has no variable and no secret of the app, the app no address, key or
# password of the gateway. What the app keeps in memory is each container's own; files and SQLite need a shared volume.\
""")
    yield from container(site, plan)
    yield from lines("""\
x-app: &app
  <<: *container
  healthcheck: {test: [CMD, portico, status], interval: 10s, timeout: 10s}""")
    yield from mounted(site, stores, "  ", lambda one: one.is_of_app)
    yield from lines("""\

services:""")
    yield from _gateway_service(site)
    yield from _app_services(site, plan, words, names, stores)
    yield from services(site, plan, words, [store.name for store in stores])
    yield from lines(f"""
networks:
  gateway:
  site:{NETWORK if stores else ""}

volumes:
  # Only sockets: nothing else in it is read.
  sockets:
  gateway:""")
    yield from (Line(f"  {one}:") for one in (*names, *(store.name for store in stores)))
    yield from secrets(site, stores)


def _gateway_service(site: Site) -> Iterator[Line]:
    home = f"/srv/{site.name}"
    yield from lines(f"""\
  gateway:
    <<: *container
    build: .
    command: ["portico", "run", "--config", "{GATEWAY}"]""")
    yield from published(site)
    yield from lines(f"""\
    volumes:
      - "./{GATEWAY}:{home}/{GATEWAY}:ro"
      - "./{FACTS}:{home}/{FACTS}:ro"
      - "sockets:{SOCKETS}:ro"
      - "gateway:{STATE}"
    networks: [gateway]""")
    yield from mounted(site, (), "    ", lambda one: not one.is_of_app)


def _app_services(
    site: Site, plan: Plan, words: tuple[str, ...], names: list[str], stores: tuple[Store, ...]
) -> Iterator[Line]:
    networks = ["site", *(["data"] if stores else [])]
    for name in names:
        command = ["portico", "run", *words, f"--node-socket={_socket(name)}", *once_for_all(plan)]
        yield from lines(f"""\
  {name}:
    <<: *app
    command: {words_of(command)}
    volumes: ["sockets:{SOCKETS}", "{name}:{STATE}"]
    networks: [{", ".join(networks)}]""")
    yield from store_services(site, stores, "the app")
