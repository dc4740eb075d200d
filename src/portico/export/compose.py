"""A gateway and replicas of the app for Compose: compose.yaml, the gateway's portico.toml, and a rolling release.

Pure. Addresses are fixed: nginx looks names up once, and a replica answers the gateway's address alone.
https://github.com/compose-spec/compose-spec/blob/main/spec.md
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence

from msgspec import Struct

from portico.errors import Problem, UsageError
from portico.export.compose_commands import replace_processes, run_after, run_before, services, words_of
from portico.export.image.dockerfile import PORT, RESERVED_PORTS, STATE, USER, grace_seconds, ports
from portico.export.plain_http import without_https
from portico.plan.files import File, Line
from portico.plan.model import Plan
from portico.site.model import Site
from portico.site.secrets import secret_files, user_files

FEWEST, MOST = 2, 100
PASSWORD = "postgres.password"  # noqa: S105  the name of a file
"""Beside compose.yaml. A .dockerignore of ours leaves such names out."""
_NETWORK = "172.30.84"
_GATEWAY = f"{_NETWORK}.2"
_FIRST = 11
"""The last number of the first replica's address."""
_DATA = """
  # The databases, which the gateway does not reach, and which reach nothing outside.
  data:
    internal: true"""
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


class Store(Struct, frozen=True):
    """A server that the app keeps its data in, and the packages of PyPI that speak to it."""

    name: str
    image: str
    packages: frozenset[str]
    lines: str
    """Its lines in compose.yaml, with {site} for the name of the site."""


STORES = (
    Store(
        "postgres", "postgres:17", frozenset({"psycopg", "psycopg2", "psycopg2-binary", "asyncpg", "pg8000"}), """\
    environment: {{POSTGRES_USER: "{site}", POSTGRES_DB: "{site}", POSTGRES_PASSWORD_FILE: /run/secrets/postgres}}
    secrets: [postgres]
    healthcheck: {{test: [CMD, pg_isready, -U, "{site}"], interval: 2s, retries: 60}}
    volumes: ["postgres:/var/lib/postgresql/data"]
    stop_grace_period: 60s""",
    ),
    Store(
        "redis", "redis:8", frozenset({"redis", "django-redis", "flask-redis", "rq", "aioredis"}), """\
    command: ["redis-server", "--appendonly", "yes"]
    healthcheck: {{test: [CMD, redis-cli, ping], interval: 2s, retries: 60}}
    volumes: ["redis:/data"]""",
    ),
)  # fmt: skip


def compose(
    site: Site, plan: Plan, words: tuple[str, ...], replicas: int, packages: Collection[str] = ()
) -> tuple[File, ...]:
    """`words` are those after `portico run` in a replica, `packages` the app's, by their normalised names.

    Raises UsageError for a site that cannot be shared so.
    """
    refuse(site, replicas)
    servers = [(f"app-{n}", f"{_NETWORK}.{_FIRST + n - 1}") for n in range(1, replicas + 1)]
    stores = stores_of(packages)
    return (
        File("compose.yaml", tuple(_compose(site, plan, words, servers, stores))),
        File("compose-gateway/portico.toml", tuple(_gateway(site, servers))),
        release(plan, [(name, f"{address}:{PORT}") for name, address in servers], _ASK),
    )


def refuse(site: Site, replicas: int) -> None:
    """Raises UsageError for a site that cannot be shared so."""
    if not FEWEST <= replicas <= MOST:
        what = f"{replicas} replicas: a rolling release needs {FEWEST}, and the network has room for {MOST}"
        raise UsageError(Problem("--replicas", what, f"expected {FEWEST} to {MOST}"))
    if not site.has_app or site.servers:
        what = "the site has servers of its own ([upstream]), so there is no app to replicate"
        raise UsageError(Problem("export", what, "write a service for each of its servers by hand"))
    if site.https_mode == "files":
        what = "the certificate is in files, and a container has no such files"
        raise UsageError(
            Problem(
                "https.cert",
                what,
                "export without it, then mount the files and name them in compose-gateway/portico.toml",
            )
        )
    if site.has_https and site.options.https.listen:
        what = "the gateway listens for HTTPS, not the replicas"
        raise UsageError(Problem("https.listen", what, "leave it out, or name another file with --config"))


def stores_of(packages: Collection[str]) -> tuple[Store, ...]:
    """The databases that the app's packages name."""
    return tuple(one for one in STORES if one.packages & set(packages))


def _compose(
    site: Site, plan: Plan, words: tuple[str, ...], servers: list[tuple[str, str]], stores: tuple[Store, ...]
) -> Iterator[Line]:
    name, grace = site.name, grace_seconds(plan)
    replica = ["portico", "run", *words, f"--listen=:{PORT}", f"--node={_GATEWAY}", *without_https(site)]
    replica += once_for_all(plan)
    yield from lines(f"""\
# The site {name}: a gateway, and {len(servers)} replicas of its app. `portico export docker` writes their image.
#   docker compose up -d --build      start
#   ./release                         new code, one replica after the other: no request is lost
#   docker compose exec gateway portico reload    after a change of compose-gateway/portico.toml
# Each replica counts for itself: limits, caches and what the app keeps in memory. Files and SQLite need a shared volume
# or a database; jobs by the clock would run in each.
name: {name}

x-container: &container
  image: {name}
  read_only: true
  tmpfs: [/tmp]
  cap_drop: [ALL]
  security_opt: ["no-new-privileges:true"]
  pids_limit: 512
  # The last step of the ladder of request_timeout: requests in progress are finished before that.
  stop_grace_period: {grace}s
  restart: unless-stopped

x-app: &app
  <<: *container
  # A node answers its gateway alone, and believes it about the client, the scheme and the host.
  command: {words_of(replica)}{_mounted(site, stores)}

services:""")
    yield from _gateway_service(site)
    yield from _app_services(site, servers, stores)
    yield from services(site, plan, words, [store.name for store in stores])
    volumes = [name for name, _ in servers] + [store.name for store in stores]
    yield from lines(f"""
networks:
  site:
    ipam:
      config: [{{subnet: {_NETWORK}.0/24}}]{_DATA if stores else ""}

volumes:
  gateway:""")
    yield from (Line(f"  {one}:") for one in volumes)
    yield from secrets(site, stores)


def once_for_all(plan: Plan) -> Iterator[str]:
    """The flags of a replica, which leaves to others what is done once for all of them."""
    flags = {"--release=": plan.before, "--release-after=": plan.after, "--processes=": plan.background}
    return (flag for flag, is_said in flags.items() if is_said)


def _gateway_service(site: Site) -> Iterator[Line]:
    opened = ports(site)
    published = [f"{one}:{one}" if site.has_https else f"80:{one}" for one in opened]
    yield from lines(f"""\
  gateway:
    <<: *container
    build: .
    command: ["portico", "run"]
    working_dir: /srv/gateway
    ports: {json.dumps(published)}""")
    if min(opened) < RESERVED_PORTS:
        yield from lines("""\
    # A user without rights opens them: Docker allows it by itself, Podman so.
    sysctls:
      net.ipv4.ip_unprivileged_port_start: "0\"""")
    yield from lines(f"""\
    volumes: ["./compose-gateway:/srv/gateway:ro", "gateway:{STATE}"]
    networks:
      site: {{ipv4_address: {_GATEWAY}}}{_of_gateway(site)}""")


def _app_services(site: Site, servers: list[tuple[str, str]], stores: tuple[Store, ...]) -> Iterator[Line]:
    of_data = "\n      data:" if stores else ""
    for one, address in servers:
        yield from lines(f"""\
  {one}:
    <<: *app
    volumes: ["{one}:{STATE}"]
    networks:
      site: {{ipv4_address: {address}}}{of_data}""")
    for store in stores:
        yield from lines(f"""\
  # The app's packages name it. At {store.name} for the replicas alone; change it, or remove it if you have another.
  {store.name}:
    image: {store.image}
{store.lines.format(site=site.name)}
    networks: [data]
    restart: unless-stopped""")


def _mounted(site: Site, stores: tuple[Store, ...]) -> str:
    """The secrets of a replica, where the site in its image looks for them."""
    files = [one.mount for one in secret_mounts(site) if not one.is_of_gateway]
    found = [*files, *(["postgres"] if has_password(stores) else [])]
    return f"\n  secrets: [{', '.join(found)}]" if found else ""


def _of_gateway(site: Site) -> str:
    """The secrets of the gateway: those of certificates."""
    found = [one.mount for one in secret_mounts(site) if one.is_of_gateway]
    return f"\n    secrets: [{', '.join(found)}]" if found else ""


def secrets(site: Site, stores: tuple[Store, ...]) -> Iterator[Line]:
    found = [(one.name, one.here) for one in secret_mounts(site)]
    found += [("postgres", f"./{PASSWORD}")] if has_password(stores) else []
    if not found:
        return
    yield from lines(f"""
# Files that the image does not contain. User {USER} of the containers must be able to read them.
secrets:""")
    for name, here in found:
        yield Line(f"  {name}: {{file: {json.dumps(here)}}}")


def has_password(stores: tuple[Store, ...]) -> bool:
    return any(store.name == "postgres" for store in stores)


class SecretFile(Struct, frozen=True):
    """A file that the options name: its name in compose.yaml, its path here, and in the containers."""

    name: str
    here: str
    there: str
    is_of_gateway: bool
    is_of_app: bool
    """The app's variables: nobody else needs them."""

    @property
    def mount(self) -> str:
        return f"{{source: {self.name}, target: {json.dumps(self.there)}}}"


def secret_mounts(site: Site) -> Iterator[SecretFile]:
    """Each secret file that the options name."""
    of_gateway = frozenset(site.https_files.values())
    of_app = frozenset(map(site.path, site.options.env_file))
    for number, path in enumerate({**secret_files(site), **user_files(site)}, 1):
        is_below = path.startswith(f"{site.directory}/")
        here = f".{path.removeprefix(site.directory)}" if is_below else path
        yield SecretFile(f"secret-{number}", here, in_image(site, path), path in of_gateway, path in of_app)


def in_image(site: Site, path: str) -> str:
    """Where a file of the site is in the containers; others are where they are here."""
    below = path.removeprefix(f"{site.directory}/")
    return path if below == path else f"/srv/{site.name}/{below}"


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


def release(plan: Plan, servers: Sequence[tuple[str, str]], is_well: str) -> File:
    """The script; `servers` are a service and its name among the gateway's servers, `is_well` asks a replica, $1."""
    waits = round(plan.health.start_seconds * 2)
    pairs = " ".join(f"{name}={server}" for name, server in servers)
    text = f"""\
#!/bin/sh
# A rolling release: builds the image, then drains, replaces and tries one replica after the other. It stops at the
# first that does not become well; the others go on with the code that they have. COMPOSE names another program.
set -eu
cd "$(dirname "$0")"
compose=${{COMPOSE:-docker compose}}

# Once a second until it succeeds, at most {waits} times.
try() {{
    tries={waits}
    until "$@"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 1
    done
}}
is_well() {{ {is_well}; }}
# Refused while it is the last one in use: the one before may not be back yet.
drain() {{ $compose exec -T gateway portico drain "$1" 2>/dev/null; }}
fail() {{
    echo "$1" >&2
    echo "the other replicas serve; mend it and run $0 again" >&2
    exit 1
}}

$compose build gateway
{run_before(plan)}for one in {pairs}; do
    name=${{one%%=*}}
    server=${{one#*=}}
    echo "$name: waiting until its requests are finished"
    try drain "$server" || fail "$name: no other replica is well: $compose exec gateway portico status"
    echo "$name: replacing it"
    $compose up -d --no-deps --force-recreate "$name"
    try is_well "$name" || fail "$name does not become well: $compose logs $name"
    $compose exec -T gateway portico drain "$server" --undo --when-well ||
        fail "$name stays drained: $compose logs $name"
done
{replace_processes(plan)}{run_after(plan)}echo "released"
"""
    return File("release", tuple(lines(text.removesuffix("\n"))), mode=0o755)


def lines(text: str) -> Iterator[Line]:
    yield from map(Line, text.split("\n"))
