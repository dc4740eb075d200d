"""Gateway and app apart, for Compose: the exact bytes, and that neither has what is the other's."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest
import yaml
from msgspec.structs import replace

from portico.errors import UsageError
from portico.export.compose.apart import FACTS, GATEWAY, compose_apart
from portico.plan.build import plan
from portico.plan.files import File
from portico.site.facts import AppFacts, Route, StaticFolder
from portico.site.load import load
from portico.site.model import Site
from portico.values import Duration
from tests.plan.test_golden import FACTS as OF_THE_APP
from tests.plan.test_golden import PLACE
from tests.support import RULE, golden, write_files

GOLDEN = Path(__file__).parents[1] / "golden" / "export" / "compose-apart"
CASES = sorted(GOLDEN.glob("*.txt"))
HOMES = {"/srv/shop": "/srv/shop-there", "/venv-here": "/venv"}


def made(text: str, directory: Path, facts: AppFacts = OF_THE_APP) -> tuple[File, ...]:
    (directory / "portico.toml").write_text(text)
    options, causes = load(directory / "portico.toml", {})
    site = Site(options, facts, "/srv/shop", "shop", causes)
    packages = text.partition("# packages:")[2].partition("\n")[0].split()
    return compose_apart(site, plan(site, PLACE), PLACE, (), 2, packages, HOMES)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_golden_compose_apart(path: Path, tmp_path: Path) -> None:
    files = made(path.read_text().partition(RULE)[0], tmp_path)
    golden(path, "".join(f"== {one.path} {one.mode:04o}\n{one.content}" for one in files))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_gateway_s_file_is_one_of_portico_and_both_ends_name_the_same_sockets(
    path: Path, tmp_path: Path
) -> None:
    files = {one.path: one.content for one in made(path.read_text().partition(RULE)[0], tmp_path)}
    (tmp_path / GATEWAY).write_text(files[GATEWAY])
    options, _ = load(tmp_path / GATEWAY, {})
    services = yaml.safe_load(files["compose.yaml"])["services"]
    for name, server in zip(("app-1", "app-2"), options.upstream.servers, strict=True):
        assert f"--node-socket={server.removeprefix('uwsgi://unix:')}" in services[name]["command"]
        assert f"{name}={server}" in files["release"]
    assert set(services["gateway"]["networks"]) & set(services["app-1"]["networks"]) == set()
    assert all(
        one["read_only"] and one["cap_drop"] == ["ALL"] for one in services.values() if "read_only" in one
    )
    assert "sockets:/run/sockets:ro" in services["gateway"]["volumes"]
    assert options.app is None
    assert options.upstream.facts == FACTS


def test_no_part_has_the_other_s_secrets(tmp_path: Path) -> None:
    files = {
        one.path: one.content for one in made((GOLDEN / "whole.txt").read_text().partition(RULE)[0], tmp_path)
    }
    services = yaml.safe_load(files["compose.yaml"])["services"]
    mounted = {name: {str(one) for one in service.get("secrets", ())} for name, service in services.items()}
    assert "/etc/shop.env" in "".join(mounted["app-1"])
    assert "dns" in "".join(mounted["gateway"])
    assert not mounted["gateway"] & mounted["app-1"]
    said = tomllib.loads(files[GATEWAY])
    assert not {"app", "env", "env_file", "release", "workers", "processes"} & said.keys()


def test_the_gateway_knows_the_settings_of_views_and_the_folders_that_the_image_has(tmp_path: Path) -> None:
    folders = [
        StaticFolder("/static/", "/srv/shop/static", "app", headers=(("X-Frame-Options", "DENY"),)),
        StaticFolder("/admin/static/", "/venv-here/django/static", "admin"),
        StaticFolder("/elsewhere/", "/mnt/files", "app"),
    ]
    routes = [
        Route("/slow", ["GET"], "slow", pattern="/slow", edge={"allow": ["10.0.0.0/8"]}, where="shop.py:8")
    ]
    files = {
        one.path: one
        for one in made('app = "shop:app"', tmp_path, replace(OF_THE_APP, static=folders, routes=routes))
    }
    facts = msgspec.json.decode(files[FACTS].content, type=AppFacts)
    assert [one.folder for one in facts.static] == ["/srv/shop-there/static", "/venv/django/static"]
    assert facts.static[0].headers == (("X-Frame-Options", "DENY"),)
    assert facts.routes == routes
    assert facts.kind == "remote"


def test_what_needs_both_on_one_machine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="worker hands files"):
        made('app = "shop:app"\n[downloads]\nroots = ["/srv/shop/files"]', tmp_path)


def test_an_app_behind_a_socket_needs_no_file_of_its_gateway(tmp_path: Path) -> None:
    """Its own portico.toml names certificates, users and pages that are not there."""
    write_files(tmp_path, {"portico.toml": """\
app = "shop:app"
env = { A = "1" }
[https]
cert = "not-there.pem"
key = "not-there.key"
[access."/admin"]
users = "not-there.users"
[routes."/slow"]
timeout = "2m"
users = "not-there.users"
"""})  # fmt: skip
    options, causes = load(tmp_path / "portico.toml", {"node-socket": "/run/sockets/app.sock"})
    assert not options.https.cert
    assert not options.access
    assert options.routes["/slow"].timeout == Duration(120)
    assert not options.routes["/slow"].users
    assert options.env == {"A": "1"}
    site = Site(options, OF_THE_APP, "/srv/shop", "shop", causes)
    planned = plan(site, PLACE)
    assert not planned.has_gateway
    assert not planned.listens
    assert not planned.urls
    assert [file.path for file in planned.files] == ["gunicorn.conf.py"]
    assert planned.release_socket(3) == "/run/sockets/app-3.sock"


@pytest.mark.parametrize(
    ("path", "said"),
    [("run/app.sock", "not the path"), ("/app.sock", "directory of its own"), ("/run/../etc/app.sock", "not the path"),
     ("/run/sockets/app", "not the path")],
)  # fmt: skip
def test_a_socket_that_cannot_be_shared_is_refused(path: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        load(None, {"node-socket": path})
