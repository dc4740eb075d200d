"""`portico exec`: a command in the app's directory, with its variables and its user."""

from __future__ import annotations

import pwd
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import portico, private_directory, write_files
from tests.users import ONLY_ROOT, USER, paths, python

FILES = {
    "app.py": "def app(environ, start_response): raise NotImplementedError('never asked')",
    "portico.toml": 'app = "app:app"\nenv_file = ["more.env"]\n[env]\nOF_TOML = "one"\n',
    "more.env": "OF_FILE=two\n",
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_files(tmp_path, FILES)
    return tmp_path


def test_it_has_the_app_s_variables_and_directory(home: Path) -> None:
    (home / "elsewhere").mkdir()
    shown = "echo $OF_TOML $OF_FILE $FLASK_APP $INHERITED; pwd"
    words = ("exec", "--config", str(home / "portico.toml"), "sh", "-c", shown)
    done = portico(*words, cwd=home / "elsewhere", env={"INHERITED": "three"})
    assert done.stdout.splitlines() == ["one two app:app three", str(home)]
    assert done.returncode == 0


def test_flags_and_the_exit_code_are_the_command_s(home: Path) -> None:
    done = portico("exec", "python", "-c", "import sys; print(sys.argv[1:]); sys.exit(7)", "--help", cwd=home)
    assert done.stdout == "['--help']\n"
    assert done.returncode == 7


def test_a_command_that_is_not_there(home: Path) -> None:
    done = portico("exec", "no-such-program", "-x", cwd=home)
    assert done.returncode == 2
    assert done.stderr.startswith("exec: no-such-program -x cannot be started: no such file or directory\n")


def test_a_broken_file_of_variables_is_an_error(home: Path) -> None:
    (home / "more.env").unlink()
    done = portico("exec", "true", cwd=home)
    assert done.returncode == 2
    assert "more.env" in done.stderr


@ONLY_ROOT
def test_root_runs_it_as_the_app_s_user_and_never_in_its_own_terminal() -> None:
    with private_directory() as home:
        home.chmod(0o755)
        write_files(home, {f"site/{name}": text for name, text in FILES.items()})
        for path in (home / "site", *(home / "site").iterdir()):
            shutil.chown(path, USER)
        command = [python(), "-m", "portico", "exec", "sh", "-c", "id -u; id -G; echo $HOME $OF_TOML"]
        how = {"cwd": home / "site", "env": paths(home) | {"PATH": "/usr/bin:/bin"}, "text": True}
        done = subprocess.run(command, capture_output=True, check=False, start_new_session=True, **how)  # type: ignore[call-overload]
        entry = pwd.getpwnam(USER)
        uid, groups, rest = done.stdout.splitlines()
        assert (int(uid), rest) == (entry.pw_uid, f"{entry.pw_dir} one")
        assert "0" not in groups.split()

        in_terminal = ["script", "-qec", " ".join(command[:4]) + " true", "/dev/null"]
        done = subprocess.run(in_terminal, capture_output=True, check=False, **how)  # type: ignore[call-overload]
        assert done.returncode == 2
        assert f"the command would run as '{USER}' in root's terminal" in done.stdout
