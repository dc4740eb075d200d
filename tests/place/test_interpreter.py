"""Which Python runs the app, and what it must be."""

from __future__ import annotations

import os
import pty
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from portico.errors import UsageError
from portico.place.interpreter import Interpreter, interpreter, versions

WHERE = "portico.toml:1"


def environment(directory: Path, *, is_whole: bool = True) -> Path:
    """What `python -m venv` makes, as far as it is looked at."""
    (directory / "bin").mkdir(parents=True)
    (directory / "pyvenv.cfg").touch()
    (directory / "bin/python").symlink_to(sys.executable if is_whole else directory / "nowhere")
    return directory


@pytest.mark.parametrize("name", [".venv", "venv"])
def test_an_environment_beside_the_app_is_used(name: str, tmp_path: Path) -> None:
    assert interpreter("", tmp_path, WHERE) == Interpreter()
    made = environment(tmp_path / name)
    found = interpreter("", tmp_path, WHERE)
    assert (found.path, found.why) == (f"{made}/bin/python", "beside the app")
    assert (Path(found.package_path[0]) / "portico/link/start.py").is_file()
    assert interpreter("", tmp_path, WHERE, prefix=str(made)) == Interpreter()
    assert interpreter("portico", tmp_path, WHERE) == Interpreter()


def test_one_of_two_beside_the_app_is_portico_s_own(tmp_path: Path) -> None:
    environment(tmp_path / ".venv")
    assert interpreter("", tmp_path, WHERE, prefix=str(environment(tmp_path / "venv"))) == Interpreter()


@pytest.mark.parametrize("wanted", ["envs/one", "envs/one/bin/python"])
def test_an_environment_is_named_by_its_directory_or_its_python(wanted: str, tmp_path: Path) -> None:
    made = environment(tmp_path / "envs/one")
    environment(tmp_path / ".venv")
    found = interpreter(wanted, tmp_path, WHERE)
    assert (found.path, found.why) == (f"{made}/bin/python", WHERE)


def test_a_release_keeps_the_environment_that_a_link_led_to(tmp_path: Path) -> None:
    made = environment(tmp_path / "envs/one")
    (tmp_path / ".venv").symlink_to(made)
    assert interpreter("", tmp_path, WHERE).path == f"{made}/bin/python"


def test_an_environment_whose_python_is_gone_is_not_used_and_is_named(tmp_path: Path) -> None:
    made = environment(tmp_path / ".venv", is_whole=False)
    assert interpreter("", tmp_path, WHERE) == Interpreter(unusable=str(made))
    with pytest.raises(UsageError, match=f'^{WHERE}: python: ".venv": there is no {made}/bin/python'):
        interpreter(".venv", tmp_path, WHERE)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter every directory")
def test_an_environment_that_this_user_may_not_enter_is_named(tmp_path: Path) -> None:
    made = environment(tmp_path / ".venv")
    made.chmod(0)
    try:
        assert interpreter("", tmp_path, WHERE) == Interpreter(unusable=str(made))
    finally:
        made.chmod(0o700)


@pytest.mark.parametrize("wanted", ["x" * 300, "file/python"])
def test_a_name_that_cannot_be_looked_at_is_an_error_with_its_place(wanted: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=f'^{WHERE}: python: "{wanted}": '):
        interpreter(wanted, tmp_path, WHERE)


def test_this_python_says_what_it_is_and_what_it_has() -> None:
    found = versions(sys.executable, ["websockets", "no-such-package"], WHERE, {})
    assert found.version == sys.version_info[:3]
    assert list(found.packages) == ["websockets"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            'echo \'{"version": [3, 10, 4], "packages": {}, "path": []}\'',
            "is Python 3.10.4, and Portico's workers need 3.11",
        ),
        ("echo 'No module named encodings' >&2; exit 1", "did not answer (exit code 1): is it a Python?"),
        (
            'echo \'{"version": [1e999], "packages": {}, "path": []}\'',
            "did not answer (exit code 0): is it a Python?",
        ),
        (f"echo '{{{'[' * 50_000}'", "did not answer (exit code 0): is it a Python?"),
        ("exec yes", "did not answer (it did not end): is it a Python?"),
        ("sleep 1000 & exit 3", "did not answer (exit code 3): is it a Python?"),
    ],
)
def test_a_python_that_cannot_run_the_app_is_an_error(script: str, said: str, tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    with pytest.raises(UsageError) as caught:
        versions(str(program), [], WHERE, {})
    assert str(caught.value).startswith(f"{WHERE}: {program} {said}")
    assert "name another one with python" in str(caught.value)


def test_a_file_that_is_no_program_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "python").touch()
    with pytest.raises(UsageError, match="cannot be run: Permission denied"):
        versions(str(tmp_path / "python"), [], WHERE, {})


def test_the_app_s_python_has_no_terminal(tmp_path: Path) -> None:
    """Under root it is the app's user's program: on root's terminal it could type commands."""
    (tmp_path / "python").write_text("#!/bin/sh\n(: < /dev/tty) 2>&1 && echo has one\n")
    (tmp_path / "python").chmod(0o755)
    asks = "from portico.place.interpreter import versions; versions('python', [], 'x', {})"
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execv(
            sys.executable, [sys.executable, "-c", asks.replace("'python'", repr(str(tmp_path / "python")))]
        )
    said = b""
    with suppress(OSError):  # the end of a terminal
        while piece := os.read(terminal, 4096):
            said += piece
    os.waitpid(pid, 0)
    assert b"did not answer" in said
    assert b"has one" not in said
