"""A site whose file lies below the current directory: `portico run sub/dir/shop.py`."""

from __future__ import annotations

import venv

from tests.support import end, portico, private_directory, start, until_ready, write_files

APP = """
import sys


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [sys.prefix.encode()]
"""


def test_commands_find_it_from_where_it_was_started_and_its_own_environment_is_used() -> None:
    with private_directory() as home:
        environment = home / "sub/dir/venv"
        write_files(home, {"sub/dir/shop.py": APP})
        venv.create(environment, symlinks=True)
        run = start(home, "sub/dir/shop.py")
        try:
            until_ready(run)
            assert f"the app runs with {environment}/bin/python (beside the app)" in run.stderr()
            assert run.get("/").text == str(environment)
            told = portico("status", cwd=home)
            assert told.returncode == 0, told.stderr
            assert "shop:app" in told.stdout
            assert portico("stop", cwd=home).returncode == 0
            assert run.process.wait(60) == 0
        finally:
            end(run)
