"""A gateway and replicas of the app for Compose: compose.yaml, the gateway's portico.toml, and a rolling release.

Pure. Addresses are fixed: nginx looks names up once, and a replica answers the gateway's address alone.
https://github.com/compose-spec/compose-spec/blob/main/spec.md
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator

from portico.export.compose.commands import services, words_of
from portico.export.compose.container import container, once_for_all, published, refuse
from portico.export.compose.lines import lines
from portico.export.compose.release import release
from portico.export.compose.secrets import in_image, mounted, secrets
from portico.export.compose.stores import NETWORK, Store, store_services, stores_of
from portico.export.image.dockerfile import PORT, STATE, ports
from portico.export.plain_http import without_https
from portico.plan.files import File, Line
from portico.plan.model import Plan
from portico.site.model import Site

_CONFIG = "compose-gateway/portico.toml"
_NETWORK = "172.30.84"
_GATEWAY = f"{_NETWORK}.2"
_FIRST = 11
"""The last number of the first replica's address."""
_ASK = (
    f"""$compose exec -T "$1" python -c \"import urllib.request as r; """
    f"""r.urlopen('http://127.0.0.1:{PORT}/-/health', timeout=4)\" >/dev/null 2>&1"""
)
_COPIED = (
    "domains",
    "canonical",
    "email",
    "mount",
    "behind",
    "behind_only",
    "behind_headers",
    "behind_protocol",
)
"""Options that mean the same at the gateway."""


def compose(
    site: Site, plan: Plan, words: tuple[str, ...], replicas: int, packages: Collection[str] = ()
) -> tuple[File, ...]:
    """`words` are those after `portico run` in a replica, `packages` the app's, by their normalised names.

    Raises UsageError for a site that cannot be shared so.
    """
    refuse(site, replicas, _CONFIG)
    servers = [(f"app-{n}", f"{_NETWORK}.{_FIRST + n - 1}") for n in range(1, replicas + 1)]
    stores = stores_of(packages)
    return (
        File("compose.yaml", tuple(_compose(site, plan, words, servers, stores))),
        File(_CONFIG, tuple(_gateway(site, servers))),
        release(plan, [(name, f"{address}:{PORT}") for name, address in servers], _ASK),
    )


def _compose(
    site: Site, plan: Plan, words: tuple[str, ...], servers: list[tuple[str, str]], stores: tuple[Store, ...]
) -> Iterator[Line]:
    replica = ["portico", "run", *words, f"--listen=:{PORT}", f"--node={_GATEWAY}", *without_https(site)]
    replica += once_for_all(plan)
    yield from lines(f"""\
# The site {site.name}: a gateway, and {len(servers)} replicas of its app. `portico export docker` writes their image.
#   docker compose up -d --build      start
#   ./release                         new code, one replica after the other: no request is lost
#   docker compose exec gateway portico reload    after a change of compose-gateway/portico.toml
# Each replica counts for itself: limits, caches and what the app keeps in memory. Files and SQLite need a shared volume
# or a database; jobs by the clock would run in each.""")
    yield from container(site, plan)
    yield from lines(f"""\
x-app: &app
  <<: *container
  # A node answers its gateway alone, and believes it about the client, the scheme and the host.
  command: {words_of(replica)}""")
    yield from mounted(site, stores, "  ", lambda one: not one.is_of_gateway)
    yield from lines("""\

services:""")
    yield from _gateway_service(site)
    yield from _app_services(site, servers, stores)
    yield from services(site, plan, words, [store.name for store in stores])
    volumes = [name for name, _ in servers] + [store.name for store in stores]
    yield from lines(f"""
networks:
  site:
    ipam:
      config: [{{subnet: {_NETWORK}.0/24}}]{NETWORK if stores else ""}

volumes:
  gateway:""")
    yield from (Line(f"  {one}:") for one in volumes)
    yield from secrets(site, stores)


def _gateway_service(site: Site) -> Iterator[Line]:
    yield from lines("""\
  gateway:
    <<: *container
    build: .
    command: ["portico", "run"]
    working_dir: /srv/gateway""")
    yield from published(site)
    yield from lines(f"""\
    volumes: ["./compose-gateway:/srv/gateway:ro", "gateway:{STATE}"]
    networks:
      site: {{ipv4_address: {_GATEWAY}}}""")
    yield from mounted(site, (), "    ", lambda one: one.is_of_gateway)


def _app_services(site: Site, servers: list[tuple[str, str]], stores: tuple[Store, ...]) -> Iterator[Line]:
    of_data = "\n      data:" if stores else ""
    for one, address in servers:
        yield from lines(f"""\
  {one}:
    <<: *app
    volumes: ["{one}:{STATE}"]
    networks:
      site: {{ipv4_address: {address}}}{of_data}""")
    yield from store_services(site, stores, "the replicas")


def _gateway(site: Site, servers: list[tuple[str, str]]) -> Iterator[Line]:
    yield Line(
        f"# The gateway of {site.name}, a site without an app. What the site's own portico.toml says of limits,"
    )
    yield Line(
        "# access and caches holds in each replica; move it here where it is to hold for all of them together."
    )
    yield Line(f"name = {json.dumps(site.name)}")
    if not site.has_https:
        yield Line(f"listen = {json.dumps(f':{ports(site)[0]}')}")
    for key in _COPIED:
        if key in site.causes:
            yield Line(f"{key} = {_value(getattr(site.options, key))}")
    yield Line(
        f'request_timeout = "{site.longest_timeout}"   # the longest of any route: replicas have their own'
    )
    yield Line(f'max_upload = "{site.largest_upload}"   # the largest of any route')
    if site.has_https:
        yield from map(Line, _https(site))
    yield from lines(f"""
[upstream]
servers = {json.dumps([f"{address}:{PORT}" for _, address in servers])}
check_path = "/-/health"   # answers 200 when the replica's app is well""")


def _https(site: Site) -> Iterator[str]:
    """[https] of the gateway, which has the certificates."""
    yield from ("", "[https]", f"mode = {json.dumps(site.https_mode)}")
    files = site.https_files
    for key in (name.removeprefix("https.") for name in site.causes if name.startswith("https.")):
        if key in files:
            yield f"{key} = {json.dumps(in_image(site, files[key]))}"
        elif key != "mode":
            yield f"{key} = {_value(getattr(site.options.https, key))}"


def _value(value: object) -> str:
    """A value in TOML, which writes lists, texts and numbers as JSON does."""
    if isinstance(value, bool | int):
        return json.dumps(value)
    return json.dumps([*map(str, value)]) if isinstance(value, list | tuple) else json.dumps(str(value))
