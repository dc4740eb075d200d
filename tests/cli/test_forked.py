"""A command that the tests run in a fork (`tests.support.commands`) is what a user starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import environment, portico, write_files

APP = "app = lambda environ, start_response: [b'']\n"


def started(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "portico", *words]
    return subprocess.run(
        argv,
        cwd=cwd,
        env=environment(cwd),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("words", [["plan"], ["status"], ["plan", "--no-such-flag"]], ids=" ".join)
def test_it_prints_and_ends_as_a_started_one(tmp_path: Path, words: list[str]) -> None:
    write_files(tmp_path, {"app.py": APP})
    forked, real = portico(*words, cwd=tmp_path), started(*words, cwd=tmp_path)
    assert (forked.returncode, forked.stdout, forked.stderr) == (real.returncode, real.stdout, real.stderr)
    assert forked.args == real.args


def test_a_module_of_the_directory_comes_first_in_both(tmp_path: Path) -> None:
    write_files(tmp_path, {"app.py": APP, "msgspec.py": "raise SystemExit(77)\n"})
    assert portico("plan", cwd=tmp_path).returncode == started("plan", cwd=tmp_path).returncode == 77


def test_it_may_take_only_so_long(tmp_path: Path) -> None:
    write_files(tmp_path, {"app.py": "import time\ntime.sleep(100)\n"})
    with pytest.raises(subprocess.TimeoutExpired):
        portico("plan", cwd=tmp_path, seconds=2)
