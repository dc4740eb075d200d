"""Which app server runs an app, and what follows for everybody who may answer its requests."""

from __future__ import annotations

import tomllib
import typing
from pathlib import Path
from typing import Literal

import pytest
from msgspec.structs import replace

from portico.app_servers.gunicorn import GUNICORN, GUNICORN_ASGI, GUNICORN_ASGI_HTTP
from portico.app_servers.kind import NONE, AppServer
from portico.app_servers.kinds import KINDS as ALL
from portico.app_servers.kinds import NAMES
from portico.app_servers.uwsgi import UWSGI
from portico.errors import UsageError
from portico.plan.app_servers.chosen import app_server, common_features, protocol
from portico.plan.app_servers.kinds import WRITERS
from portico.plan.build import plan
from portico.site.model import Site
from portico.site.options import Options
from portico.site.options.upstream import Upstream
from portico.site.options.workers import Workers
from tests.plan.test_golden import FACTS, PLACE

Server = Literal["gunicorn", "uwsgi"]


def site(kind: str, server: Server = "gunicorn", *servers: str) -> Site:
    options = Options(workers=Workers(server=server), upstream=Upstream(servers=list(servers)))
    return Site(options, replace(FACTS, kind=kind), "/srv/shop", "shop", {})


KINDS = [("flask", "gunicorn", GUNICORN), ("asgi", "gunicorn", GUNICORN_ASGI), ("wsgi", "uwsgi", UWSGI)]


@pytest.mark.parametrize(("kind", "server", "expected"), KINDS)
def test_the_plan_knows_the_kind_of_its_process_and_nginx_speaks_its_protocol(
    kind: str, server: Server, expected: AppServer
) -> None:
    made = plan(site(kind, server), replace(PLACE, app_servers={"gunicorn": "27.0.1", "uwsgi": "2.0.31"}))
    assert app_server(site(kind, server)) is made.app_server is expected
    assert [made.health.is_http, protocol(site(kind, server))] == [False, expected.protocol]


def test_an_asgi_app_speaks_http_where_others_do() -> None:
    behind_httpd = replace(site("asgi"), options=replace(site("asgi").options, gateway="apache"))
    shared = site("asgi", "gunicorn", "app", "http://10.0.0.2:80")
    assert app_server(behind_httpd) is app_server(shared) is GUNICORN_ASGI_HTTP
    assert app_server(site("asgi", "gunicorn", "app", "uwsgi://10.0.0.2:3031")) is GUNICORN_ASGI
    assert plan(shared, PLACE).app_server is GUNICORN_ASGI_HTTP


def test_of_servers_elsewhere_nothing_is_known() -> None:
    shared = site("flask", "gunicorn", "app", "uwsgi://10.0.0.2:3031")
    assert common_features(site("flask")) == GUNICORN.features
    assert (app_server(shared), common_features(shared)) == (GUNICORN, frozenset())
    assert app_server(site("remote", "gunicorn", "http://10.0.0.2:80")) is NONE


def test_whoever_can_be_named_has_its_row_and_its_kind() -> None:
    names = typing.get_args(typing.get_type_hints(Workers)["server"])
    assert names == NAMES == tuple(dict.fromkeys(one.name for one in ALL)) == tuple(WRITERS)


def test_an_app_that_the_server_cannot_run_is_refused() -> None:
    with pytest.raises(UsageError, match="uWSGI cannot run an ASGI app"):
        plan(site("asgi", "uwsgi"), PLACE)


def test_the_extra_of_an_app_server_installs_its_package() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    for kind in ALL:
        wanted = project["optional-dependencies"][kind.extra] if kind.extra else project["dependencies"]
        assert any(one.startswith(kind.package) for one in wanted), kind.name
