"""The parts of Gunicorn that it does not document and that Portico uses: a version without one of them is told here."""

from __future__ import annotations

import ast
import importlib.metadata
import inspect
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from gunicorn import config
from gunicorn.app.wsgiapp import WSGIApplication
from gunicorn.arbiter import Arbiter as GunicornArbiter
from gunicorn.workers.base import Worker as GunicornWorker
from gunicorn.workers.gasgi import ASGIWorker
from msgspec.structs import replace
from packaging.requirements import Requirement

from portico.link.gunicorn import arbiter, asgi, asgi_http, development, event_loop, worker
from portico.plan.app_servers.gunicorn import gunicorn_conf
from portico.plan.app_servers.workers import capacity
from portico.site.model import Site
from portico.site.options import Options
from portico.site.options.workers import Workers
from tests.plan.test_golden import FACTS, PLACE

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
ARBITERS = (arbiter.Arbiter, development.Arbiter)
WORKERS = (worker.Worker, development.Worker)
ASGI_WORKERS = (event_loop.EventLoopWorker, asgi.Worker, asgi_http.Worker, development.AsgiWorker)
OURS = [
    *((one, GunicornArbiter) for one in ARBITERS),
    *((one, GunicornWorker) for one in WORKERS),
    *((one, ASGIWorker) for one in ASGI_WORKERS),
    (arbiter.Application, WSGIApplication),
]
REPLACED = {
    GunicornArbiter: [
        "start", "spawn_worker", "handle_winch", "murder_workers", "manage_workers", "reap_workers", "systemd",
    ],
    GunicornWorker: ["init_signals", "load_wsgi", "run"],
    ASGIWorker: [
        "init_signals", "load_wsgi", "run", "_serve", "handle_exit_signal", "handle_quit_signal", "handle_winch_signal",
    ],
    WSGIApplication: ["get_config_from_filename"],
}  # fmt: skip
"""What Portico has in the place of Gunicorn's own: Gunicorn must still have it, and call it."""


def test_the_installed_version_is_one_that_portico_asks_for() -> None:
    asked = map(Requirement, tomllib.loads(PYPROJECT.read_text())["project"]["dependencies"])
    (gunicorn,) = (one for one in asked if one.name == "gunicorn")
    assert {one.operator for one in gunicorn.specifier} == {">=", "<"}
    assert importlib.metadata.version("gunicorn") in gunicorn.specifier


@pytest.mark.parametrize(("ours", "its"), OURS, ids=lambda one: f"{one.__module__}.{one.__name__}")
def test_gunicorn_has_every_attribute_that_is_used(ours: type, its: type) -> None:
    own = {name for kind in _kinds(ours, its) for name in _set_by(kind)}
    used = set(_read_by(ours))
    missing = {name for name in used - own if not hasattr(its, name) and name not in _set_by_all(its)}
    assert not missing


@pytest.mark.parametrize("its", REPLACED, ids=lambda one: one.__name__)
def test_what_portico_replaces_is_there_and_called(its: type) -> None:
    called = {name for kind in (its, *its.__mro__[1:-1]) for name in _read_by(kind)}
    called |= set(_read_in(GunicornArbiter))
    for name in REPLACED[its]:
        assert name in _set_by_all(its), name
        assert name in called or _is_handler(name), name


@pytest.mark.parametrize(("ours", "its"), OURS, ids=lambda one: f"{one.__module__}.{one.__name__}")
def test_what_portico_replaces_takes_the_same_arguments(ours: type, its: type) -> None:
    for name in REPLACED[its]:
        if inspect.isfunction(getattr(its, name, None)):
            theirs, given = inspect.signature(getattr(its, name)), inspect.signature(getattr(ours, name))
            assert len(theirs.parameters) == len(given.parameters), name


def test_the_arbiter_asks_a_worker_about_its_configuration() -> None:
    assert "check_config" in _read_in(GunicornArbiter)


def test_gunicorn_knows_every_setting_that_portico_writes() -> None:
    options = Options(workers=replace(Workers(), max_requests=100))
    for kind in ("flask", "asgi"):
        made = Site(options, replace(FACTS, kind=kind), "/srv/shop", "shop", {})
        tree = ast.parse(gunicorn_conf(made, PLACE, capacity(made, PLACE)).content)
        written = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert {"workers", "worker_class", "max_requests"} <= written
        assert written <= config.make_settings().keys()


def _kinds(ours: type, its: type) -> list[type]:
    return [kind for kind in ours.__mro__ if kind not in its.__mro__]


def _is_handler(name: str) -> bool:
    """The arbiter and the workers find these by the name of the signal."""
    return name.startswith("handle_")


def _set_by_all(kind: type) -> set[str]:
    return {name for one in kind.__mro__[:-1] for name in _set_by(one)}


def _set_by(kind: type) -> Iterator[str]:
    yield from vars(kind)
    for node in ast.walk(_tree(kind)):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_of_self(node.value):
            yield node.attr


def _read_by(kind: type) -> Iterator[str]:
    for node in ast.walk(_tree(kind)):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and _is_of_self(node.value):
            yield node.attr


def _read_in(kind: type) -> Iterator[str]:
    """Of any object: the arbiter calls its workers."""
    return (node.attr for node in ast.walk(_tree(kind)) if isinstance(node, ast.Attribute))


def _is_of_self(of: ast.expr) -> bool:
    is_super = isinstance(of, ast.Call) and isinstance(of.func, ast.Name) and of.func.id == "super"
    return is_super or (isinstance(of, ast.Name) and of.id == "self")


def _tree(kind: type) -> ast.AST:
    return ast.parse(textwrap.dedent(inspect.getsource(kind)))
