"""The app gets the variables of [env] and of files; nothing else shows their values."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.support import Served, contents, portico, private_directory, served, write_files
from tests.support.until import until
from tests.users import ONLY_ROOT, USER, paths, python

APP = """
import os
NEEDED = os.environ["OF_TOML"]

def app(environ, start_response):
    import json
    start_response("200 OK", [("Content-Type", "application/json")])
    names = ("OF_TOML", "OF_FILE", "BOTH", "INHERITED", "OF_LINE", "HOME", "PORTICO_CONTROL", "OF_DOTENV",
             "OF_VARIABLE", "PORTICO_ENV", "PORTICO_MAX_UPLOAD")
    return [json.dumps({name: os.environ.get(name) for name in names}).encode()]
"""
TOML = """
env_file = ["secret.env"]
[workers]
count = 1
[env]
OF_TOML = "treasure-1"
BOTH = "treasure-2"
HOME = "/somewhere"
"""
FILE = "OF_FILE=\"treasure-3 and more\"\nBOTH=of the file\nINHERITED=of the file\nexport QUOTED='#' # a comment\n"


@pytest.fixture(scope="module", params=["gunicorn", "uwsgi"])
def site(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[Served]:
    files = {"app.py": APP, "portico.toml": TOML, "secret.env": FILE}
    words = ("--env", "OF_LINE=treasure-4", "--workers-server", request.param)
    options = {
        "PORTICO_ENV": "OF_VARIABLE=treasure-5,BOTH=hidden,OF_LINE=hidden",
        "PORTICO_MAX_UPLOAD": "5MiB",
    }
    options["PORTICO_WORKERS"] = "7"
    with served(files, *words, env={"INHERITED": "of the caller", **options}) as run:
        yield run


def test_the_app_has_them_in_their_order(site: Served) -> None:
    had = site.get().json()
    assert had.pop("OF_FILE").startswith("treasure-3 and ")
    assert had.pop("PORTICO_CONTROL").startswith(str(site.directory))
    assert had == {
        "OF_TOML": "treasure-1",
        "BOTH": "hidden",
        "OF_VARIABLE": "treasure-5",
        "PORTICO_ENV": None,
        "PORTICO_MAX_UPLOAD": None,
        "INHERITED": "of the caller",
        "OF_LINE": "treasure-4",
        "HOME": "/somewhere",
        "OF_DOTENV": None,
    }


def test_the_options_of_the_environment_are_named(site: Served) -> None:
    assert "uploads  up to 5MiB" in site.stderr()
    assert "options of the environment: PORTICO_MAX_UPLOAD" in site.stderr()
    what = "of the environment, no option and not used: PORTICO_WORKERS (did you mean PORTICO_WORKERS_COUNT?)"
    assert what in site.stderr()


@pytest.mark.parametrize(
    "words",
    [
        "status",
        "status --json",
        "plan",
        "plan --json",
        "plan --diff",
        "explain",
        "check --json",
        "trace / --json",
    ],
)
def test_nothing_shows_a_value(site: Served, words: str) -> None:
    said = portico(*words.split(), cwd=site.directory)
    assert said.stdout
    assert "treasure" not in said.stdout + said.stderr
    if words == "plan":
        assert "OF_TOML=(not shown)" in said.stdout


def test_no_file_of_the_site_has_a_value(site: Served) -> None:
    site.get()
    ours = contents(site.runtime, site.state)
    assert ours
    assert not [path for path, text in ours.items() if b"treasure" in text]


def test_a_reload_reads_the_file_again(site: Served) -> None:
    (site.directory / "secret.env").write_text(FILE.replace("and more", "and less"))
    try:
        assert portico("reload", cwd=site.directory).returncode == 0
        until(lambda: site.get().json()["OF_FILE"] == "treasure-3 and less", site.stderr)
    finally:
        (site.directory / "secret.env").write_text(FILE)


def test_the_flask_command_s_files_are_read_where_none_is_named() -> None:
    files = {
        "app.py": APP,
        ".flaskenv": "OF_DOTENV=first\n",
        ".env": "OF_TOML=x\nOF_DOTENV=second\nFLASK_DEBUG=1\n",
    }
    with served(files, "--workers", "1") as run:
        assert run.get().json()["OF_DOTENV"] == "second"
        assert ".env: the app does not get FLASK_DEBUG" in run.stderr()


def test_a_variable_that_the_app_asks_for_is_named() -> None:
    with private_directory() as home:
        write_files(home, {"app.py": APP})
        said = portico("plan", cwd=home)
    assert said.returncode == 4
    assert "the app asks for the environment variable OF_TOML, which is not set" in said.stderr
    assert "docs/environment.md" in said.stderr


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('[env]\n"A-B" = "1"\n', 'env: "A-B" is no name of a variable'),
        ('[env]\nPORTICO_DEADLINE = "1"\n', "env: PORTICO_DEADLINE is decided by Portico"),
        ('env_file = ["pem.env"]\n', "pem.env\", line 2, is no variable"),
        ('env_file = ["bomb.env"]\n', "its values are longer than 64 KiB"),
        ('env = "A=secret"\n', "env: the value is not valid"),
        ('[env]\nGUNICORN_CMD_ARGS = "--reload"\n', "env: GUNICORN_CMD_ARGS is decided by Portico"),
        ('[env]\nUWSGI_HTTP = ":80"\n', "env: UWSGI_HTTP is decided by Portico"),
        ('[env]\nDEBUG = 1\n', "write the value of DEBUG in quotes"),
        ('env_file = ["none.env"]\n', "none.env\" does not exist"),
        ('env_file = ["broken.env"]\n', "broken.env\", line 3, is no variable"),
        ('env_file = ["own.env"]\n', "own.env\": PORTICO_TRACE is decided by Portico"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_clear_error(toml: str, said: str) -> None:
    files = {
        "app.py": APP,
        "portico.toml": toml,
        "broken.env": "A=1\n\nnot one\n",
        "own.env": "PORTICO_TRACE=x\n",
        "pem.env": "A=1\nabcd+SECRET/xyz==\n",
        "bomb.env": "A0=xxxxxxxxxx\n" + "".join(f"A{n + 1}=${{A{n}}}${{A{n}}}\n" for n in range(40)),
    }
    with private_directory() as home:
        write_files(home, files)
        found = portico("plan", cwd=home)
    assert found.returncode == 2
    assert said in " ".join(found.stderr.split())
    assert "Traceback" not in found.stderr
    assert "SECRET" not in found.stderr


@ONLY_ROOT
def test_a_portico_toml_of_the_app_s_user_reads_no_file_of_root() -> None:
    """Else the app would get the lines of any file that root may read."""
    with private_directory() as home:
        files = {
            "site/app.py": "app = print",
            "site/portico.toml": 'env_file = ["../secret"]\n',
            "secret": "K=treasure\n",
        }
        write_files(home, files)
        (home / "secret").chmod(0o600)
        for path in (home / "site", *(home / "site").iterdir()):
            shutil.chown(path, USER)
        asked = [python(), "-m", "portico", "plan", str(home / "site")]
        found = subprocess.run(
            asked, env=os.environ | paths(home), capture_output=True, text=True, check=False
        )
    assert f"cannot be read as user '{USER}'" in found.stderr
    assert "treasure" not in found.stdout + found.stderr
