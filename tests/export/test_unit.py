"""The unit for systemd: the exact bytes, a reason for each line, and what its syntax makes of awkward words."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from msgspec.structs import replace

from portico.errors import PorticoError, UsageError
from portico.export import systemd
from portico.plan.build import plan
from portico.plan.files import File
from portico.site.facts import AppFacts
from portico.site.load import load
from portico.site.model import Site
from portico.site.secrets import credentials
from tests.plan.test_golden import FACTS, PLACE
from tests.support import RULE, golden

GOLDEN = Path(__file__).parents[1] / "golden" / "export" / "systemd"
CASES = sorted(GOLDEN.glob("*.txt"))


def unit(path: Path, directory: Path) -> File:
    """A case is a portico.toml; its tables [test.place] and [test.call] change the rest."""
    text = path.read_text().partition(RULE)[0]
    own = tomllib.loads(text).get("test", {})
    toml = directory / "portico.toml"
    toml.write_text(text.partition("[test")[0])
    options, causes = load(toml, {})
    call = {"words": ["--config", "portico.toml"], "directory": "/srv/shop", "user": "shop"} | own.get(
        "call", {}
    )
    where = call["directory"]
    found = Site(options, replace_facts(where), where, "shop", causes)
    site = replace(
        found,
        password_file=found.path(options.dashboard.password_file),
        metrics_password_file=found.path(options.metrics.password_file),
    )
    place = replace(PLACE, **own.get("place", {}))
    made = systemd.Call(tuple(call["words"]), where, call["user"], credentials=credentials(site))
    return systemd.systemd_unit(site, place, plan(site, place), made)


def replace_facts(directory: str) -> AppFacts:

    return replace(FACTS, directory=directory, static=[])


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_golden_unit(path: Path, tmp_path: Path) -> None:
    try:
        golden(path, unit(path, tmp_path).content)
    except PorticoError as error:
        golden(path, f"{error}\n")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_every_line_of_a_unit_has_its_reason_above_it(path: Path, tmp_path: Path) -> None:
    made = unit(path, tmp_path)
    assert made.path == "portico-shop.service"
    for before, line in zip(made.lines, made.lines[1:], strict=False):
        if "=" in line.text and not line.text.startswith("#"):
            assert before.text.startswith("# "), line.text
            assert line.why
            assert line.source.startswith("https://"), line.text


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_systemd_itself_calls_the_unit_safe(path: Path, tmp_path: Path) -> None:
    """2.0 of 10, where 10 is a service that may do everything. Older systemds read no unit that is not installed."""
    made = tmp_path / "portico-shop.service"
    made.write_text(unit(path, tmp_path).content)
    asked = ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", str(made)]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("shop:app", "shop:app"),
        ("shop:create_app('x')", '"shop:create_app(\'x\')"'),
        ("a b", '"a b"'),
        ("50%", "50%%"),
        ("$HOME", "$$HOME"),
        ("say \"hi\"", '"say \\"hi\\""'),
        ("a\\b", '"a\\\\b"'),
        ("a;b", '"a;b"'),
        ("", '""'),
        ("grün", "grün"),
    ],
)  # fmt: skip
def test_a_word_of_a_command_line(word: str, written: str) -> None:
    assert systemd.command_word(word) == written


def test_a_path_is_a_line_of_its_own_and_only_percent_means_something() -> None:
    assert systemd.plain('/srv/my "shop" 50%') == '/srv/my "shop" 50%%'
    with pytest.raises(UsageError, match="control character"):
        systemd.plain("/srv/a\nb")


def test_systemd_waits_longer_than_portico_does(tmp_path: Path) -> None:
    for path in CASES:
        lines = dict(line.text.split("=", 1) for line in unit(path, tmp_path).lines if "=" in line.text[:40])
        site = tomllib.loads(path.read_text().partition(RULE)[0])
        request = int(str(site.get("request_timeout", "30s")).removesuffix("s"))
        assert int(lines["TimeoutStopSec"].removesuffix("s")) > request + 5
