"""How many threads a worker has, and up to how many while requests wait."""

from __future__ import annotations

from typing import Literal

import pytest
from msgspec.structs import replace

from portico.plan.app_servers.workers import capacity
from portico.plan.build import plan
from portico.site.model import Site
from portico.site.options import Options
from portico.site.options.workers import Workers
from portico.values import Size
from tests.plan.test_golden import FACTS, PLACE

_PLACE = replace(PLACE, app_servers={"gunicorn": "27.0.1", "uwsgi": "2.0.31"}, memory=8 << 30, cpus=2)


def site(kind: str, threads: int | Literal["auto"] = "auto", database: str = "", **more: object) -> Site:
    options = Options(workers=replace(Workers(), threads=threads, **more))
    causes = {"workers.threads": "portico.toml:3"}
    return Site(options, replace(FACTS, kind=kind, database=database), "/srv/shop", "shop", causes)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (site("flask"), (8, 64)),
        (site("flask", 1), (1, 1)),
        (site("flask", 16), (16, 16)),
        (site("django"), (8, 24)),
        (site("django", count=8), (8, 8)),
        (site("flask", database="psycopg"), (8, 24)),
        (site("flask", max_memory=Size(200 << 20)), (8, 64)),
        (site("flask", max_memory=Size(180 << 20)), (8, 32)),
        (site("flask", max_memory=Size(64 << 20)), (8, 8)),
        (site("flask", server="uwsgi"), (8, 8)),
        (site("asgi"), (8, 8)),
    ],
)
def test_the_number_and_what_bounds_it(made: Site, expected: tuple[int, int]) -> None:
    size = capacity(made, _PLACE)
    assert (size.threads, size.most_threads) == expected
    told = plan(made, _PLACE).server.env.get("PORTICO_THREADS")
    assert told == (str(expected[1]) if expected[1] > expected[0] else None)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (site("flask"), ""),
        (site("flask", 8, server="uwsgi"), ""),
        (site("flask", server="uwsgi"), "uWSGI has a fixed number of threads, 8 in each worker"),
        (site("asgi", 8), ""),
    ],
)
def test_an_app_server_that_does_something_else_is_a_note(made: Site, words: str) -> None:
    notes = [note for note in plan(made, _PLACE).notes if "workers.threads" in note]
    assert [words in note and bool(words) for note in notes] == ([True] if words else [])
