"""What people met beside a running site: names instead of pids, differences that were not said."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import Served, environment, free_port, portico, served, start, write_files

APP = "from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef index():\n    return '{}'\n"


TOML = 'name = "shop"\nrequest_timeout = "20s"\n'


@pytest.fixture(scope="module")
def shop() -> Iterator[Served]:
    with served({"app.py": APP.format("one"), "portico.toml": TOML}, "--workers", "1") as run:
        yield run


def test_a_port_that_another_site_has_is_said_with_its_name(shop: Served, tmp_path: Path) -> None:
    write_files(tmp_path, {"app.py": APP.format("other")})
    done = portico("run", "--listen", f"127.0.0.1:{shop.port}", cwd=tmp_path, env=environment(shop.directory))
    assert done.returncode == 1
    assert f'port {shop.port} is taken by your site "shop"' in done.stderr
    assert "portico stop --site shop" in done.stderr


def test_a_second_start_is_told_how_to_stop_and_reload(shop: Served) -> None:
    other = start(shop.directory, port=free_port())
    assert other.process.wait(60) == 1
    assert "shop: already running: app:app at" in other.stderr()
    assert "portico reload --site shop" in other.stderr()


def test_plan_and_explain_say_that_the_site_runs_with_other_flags(shop: Served) -> None:
    note = "note: the running site differs from this plan"
    plain = portico("explain", "listen", cwd=shop.directory)
    assert note in plain.stderr, plain.stderr
    assert note in portico("plan", cwd=shop.directory).stderr


def test_a_rollback_to_a_directory_that_was_cleaned_away_is_refused(shop: Served) -> None:
    """Last, because it moves the site."""
    for name in ("two", "three"):
        write_files(shop.directory / name, {"app.py": APP.format(name), "portico.toml": TOML})
        done = portico("reload", "--path", str(shop.directory / name), cwd=shop.directory)
        assert done.returncode == 0, done.stdout + done.stderr
    shutil.rmtree(shop.directory / "two")
    done = portico("rollback", "--site", "shop", cwd=shop.directory)
    assert done.returncode == 1
    assert "cannot serve again: its directory is gone" in done.stderr
    assert shop.get("/").text == "three"
