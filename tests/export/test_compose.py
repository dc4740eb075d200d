"""The files for Compose: their exact bytes, and what cannot be shared among replicas."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path

import pytest
import yaml
from msgspec.structs import replace

from portico.errors import UsageError
from portico.export.compose.replicas import compose
from portico.plan.build import plan
from portico.plan.files import File
from portico.site.load import load
from portico.site.model import Site
from tests.plan.test_golden import FACTS, PLACE
from tests.support import RULE, golden, portico, private_directory, write_files

GOLDEN = Path(__file__).parents[1] / "golden" / "export" / "compose"
CASES = sorted(GOLDEN.glob("*.txt"))


def made(text: str, directory: Path, replicas: int = 2) -> tuple[File, ...]:
    """A first line `# packages: ...` names those of the app."""
    (directory / "portico.toml").write_text(text)
    options, causes = load(directory / "portico.toml", {})
    found = Site(options, replace(FACTS, static=[]), "/srv/shop", "shop", causes)
    site = replace(found, metrics_password_file=found.path(options.metrics.password_file))
    packages = text.partition("# packages:")[2].partition("\n")[0].split()
    return compose(site, plan(site, PLACE), (), replicas, packages)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_golden_compose(path: Path, tmp_path: Path) -> None:
    files = made(path.read_text().partition(RULE)[0], tmp_path)
    golden(path, "".join(f"== {one.path} {one.mode:04o}\n{one.content}" for one in files))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_both_ends_name_the_same_addresses_and_the_gateway_s_file_is_one_of_portico(
    path: Path, tmp_path: Path
) -> None:
    files = {one.path: one.content for one in made(path.read_text().partition(RULE)[0], tmp_path, 3)}
    written = yaml.safe_load(files["compose.yaml"])
    services = {
        name: one for name, one in written["services"].items() if "build" in one or name[:4] == "app-"
    }
    addresses = {name: one["networks"]["site"]["ipv4_address"] for name, one in services.items()}
    (tmp_path / "gateway.toml").write_text(files["compose-gateway/portico.toml"])
    load(tmp_path / "gateway.toml", {})
    servers = tomllib.loads(files["compose-gateway/portico.toml"])["upstream"]["servers"]
    assert servers == [f"{addresses[f'app-{n}']}:8080" for n in (1, 2, 3)]
    assert f"--node={addresses['gateway']}" in services["app-1"]["command"]
    assert all(f"{name}={addresses[name]}:8080" in files["release"] for name in ("app-1", "app-2", "app-3"))
    mounted = [*services["app-1"].get("secrets", ()), *services["gateway"].get("secrets", ())]
    named = {one if isinstance(one, str) else one["source"] for one in mounted}
    assert named == set(written.get("secrets", ()))
    assert all(one["read_only"] and one["cap_drop"] == ["ALL"] for one in services.values())


def test_a_dollar_in_the_command_begins_no_variable_of_compose(tmp_path: Path) -> None:
    (tmp_path / "portico.toml").write_text('app = "shop:app"')
    options, causes = load(tmp_path / "portico.toml", {})
    site = Site(options, replace(FACTS, static=[]), "/srv/shop", "shop", causes)
    written = compose(site, plan(site, PLACE), ("--limits-key=$HOME",), 2, [])[0].content
    assert '"--limits-key=$$HOME"' in written


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_site_in_a_replica_accepts_its_command(path: Path, tmp_path: Path) -> None:
    """Its own portico.toml with the flags of the replica: no option contradicts another."""
    files = {one.path: one.content for one in made(path.read_text().partition(RULE)[0], tmp_path)}
    program, verb, *words = yaml.safe_load(files["compose.yaml"])["services"]["app-1"]["command"]
    assert (program, verb) == ("portico", "run")
    flags = dict(word.removeprefix("--").split("=", 1) for word in words)
    options, causes = load(tmp_path / "portico.toml", flags | {"node": [flags["node"]]})
    assert not Site(options, FACTS, "/srv/shop", "shop", causes).has_https


@pytest.mark.parametrize(
    ("text", "replicas", "said"),
    [
        ('app = "shop:app"', 1, "a rolling release needs 2"),
        ('app = "shop:app"', 200, "the network has room for 100"),
        (
            'domains = ["a.example"]\n[https]\nmode = "local"\nlisten = ":8443"',
            2,
            "the gateway listens for HTTPS",
        ),
        ('upstream = ["app", "uwsgi://10.0.0.2:3031"]', 2, "servers of its own"),
    ],
)
def test_what_cannot_be_replicated_is_refused(text: str, replicas: int, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        made(text, tmp_path, replicas)


def test_the_databases_are_in_a_network_that_the_gateway_does_not_join(tmp_path: Path) -> None:
    written = yaml.safe_load(made('# packages: redis psycopg\napp = "shop:app"\n', tmp_path)[0].content)
    joined = {name: set(one["networks"]) for name, one in written["services"].items()}
    assert joined["redis"] == joined["postgres"] == {"data"}
    assert joined["gateway"] == {"site"}
    assert joined["app-1"] == {"site", "data"}
    assert written["networks"]["data"] == {"internal": True}


def test_the_password_of_the_database_is_for_its_owner_alone_and_of_our_making() -> None:
    with private_directory() as home:
        write_files(home, {
            "app.py": "from flask import Flask\napp = Flask(__name__)\n", "requirements.txt": "flask\npsycopg\n",
            "portico.toml": 'app = "app:app"\n',
        })  # fmt: skip
        done = portico("export", "compose", cwd=home)
        assert done.returncode == 0, done.stderr
        file = home / "postgres.password"
        found = file.stat()
        assert stat.S_IMODE(found.st_mode) == 0o600
        assert found.st_uid == (10001 if os.geteuid() == 0 else os.geteuid())
        password = file.read_text()
        assert len(set(password)) > 8
        assert len(password) == 64
        assert password not in done.stdout + done.stderr
        for name in ("compose.yaml", "release", "compose-gateway/portico.toml"):
            (home / name).unlink()
        file.chmod(0o644)
        again = portico("export", "compose", cwd=home)
        assert "other users may read" in again.stderr
        assert file.read_text() == password
