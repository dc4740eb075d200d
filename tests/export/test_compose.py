"""The files for Compose: their exact bytes, and what cannot be shared among replicas."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml
from msgspec.structs import replace

from portico.errors import UsageError
from portico.export.compose import compose
from portico.plan.build import plan
from portico.plan.files import File
from portico.site.load import load
from portico.site.model import Site
from tests.plan.test_golden import FACTS, PLACE
from tests.support import RULE, golden

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
