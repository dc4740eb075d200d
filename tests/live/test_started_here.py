"""A site whose file lies below the current directory: `portico run sub/dir/shop.py`."""

from __future__ import annotations

from tests.support import end, portico, private_directory, start, until_ready, write_files

APP = """
from flask import Flask

app = Flask(__name__)


@app.get("/")
def home():
    return "home"
"""


def test_commands_find_it_from_where_it_was_started_and_its_own_venv_is_said() -> None:
    with private_directory() as home:
        venv = home / "sub/dir/venv"
        write_files(
            home, {"sub/dir/shop.py": APP, "sub/dir/venv/pyvenv.cfg": "", "sub/dir/venv/bin/python": ""}
        )
        run = start(home, "sub/dir/shop.py")
        try:
            until_ready(run)
            assert f"{venv} is not used" in run.stderr()
            assert f"{venv}/bin/python -m portico run" in run.stderr()
            told = portico("status", cwd=home)
            assert told.returncode == 0, told.stderr
            assert "shop:app" in told.stdout
            assert portico("stop", cwd=home).returncode == 0
            assert run.process.wait(60) == 0
        finally:
            end(run)
