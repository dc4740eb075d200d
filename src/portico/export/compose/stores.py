"""The databases beside an app that names them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from msgspec import Struct

from portico.export.compose.lines import lines
from portico.plan.files import Line
from portico.site.model import Site

PASSWORD = "postgres.password"  # noqa: S105  the name of a file
"""Beside compose.yaml. A .dockerignore of ours leaves such names out."""
NETWORK = """
  # The databases, which the gateway does not reach, and which reach nothing outside.
  data:
    internal: true"""


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


def stores_of(packages: Collection[str]) -> tuple[Store, ...]:
    """The databases that the app's packages name."""
    return tuple(one for one in STORES if one.packages & set(packages))


def has_password(stores: tuple[Store, ...]) -> bool:
    return any(store.name == "postgres" for store in stores)


def store_services(site: Site, stores: tuple[Store, ...], users: str) -> Iterator[Line]:
    """`users` is what the app's containers are called."""
    for store in stores:
        yield from lines(f"""\
  # The app's packages name it. At {store.name} for {users} alone; change it, or remove it if you have another.
  {store.name}:
    image: {store.image}
{store.lines.format(site=site.name)}
    networks: [data]
    restart: unless-stopped""")
