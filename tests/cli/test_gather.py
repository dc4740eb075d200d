"""Which site the words of a command line mean, and what is said when they mean none."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from portico.cli.errors import exit_code_of
from portico.cli.running import runtime_of
from portico.errors import UsageError
from portico.project.fleet import gathered
from portico.project.named import where_is
from portico.project.several import desired
from tests.plan.test_golden import PLACE
from tests.support import environment, portico, private_directory, served, write_files

HELLO = "from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef index():\n    return 'hello'\n"
WITHOUT_ROOTS_RIGHTS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] * (os.geteuid() == 0)


@pytest.fixture
def home() -> Iterator[Path]:
    with private_directory() as directory:
        write_files(directory, {"app.py": HELLO})
        yield directory


def test_a_directory_with_a_dot_is_a_site(home: Path) -> None:
    (home / "my.site").mkdir()
    assert where_is(str(home / "my.site"), None) == (home / "my.site", None)


def test_a_site_is_one_however_it_is_reached(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORTICO_RUNTIME_DIR", raising=False)
    (home / "srv/shop/inside").mkdir(parents=True)
    (home / "link").symlink_to("srv")
    monkeypatch.chdir(home / "srv/shop/inside")
    ways = ("..", "../../shop/", "../.", str(home / "srv/shop"), str(home / "link/shop"))
    found = {runtime_of(way, None) for way in ways}
    assert len(found) == 1
    assert Path(found.pop()).name.startswith("shop-")


def test_a_link_to_the_current_release_stays_the_same_site(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PORTICO_RUNTIME_DIR", raising=False)
    current = home / "current"
    known = set()
    for number in ("7", "8"):
        (home / number).mkdir()
        current.unlink(missing_ok=True)
        current.symlink_to(number)
        assert where_is(str(current), None) == (current, None)
        known.add(runtime_of(str(current), None))
    assert len(known) == 1


def test_a_name_from_the_command_line_finds_the_site_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PORTICO_RUNTIME_DIR", raising=False)
    monkeypatch.chdir(home)
    assert Path(runtime_of(None, None, "foo")).name.startswith("foo-")
    assert runtime_of(None, None, "foo") != runtime_of(None, None)


def test_a_name_from_the_environment_finds_the_site_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PORTICO_RUNTIME_DIR", raising=False)
    monkeypatch.chdir(home)
    monkeypatch.setenv("PORTICO_NAME", " foo ")  # as in an env file of Docker's; `load` strips it, too
    assert runtime_of(None, None) == runtime_of(None, None, "foo")


def test_status_of_a_site_that_was_given_a_name(home: Path) -> None:
    with served({}, "--name", "pt-named", directory=home):
        for words in ((), ("--name", "pt-named")):  # it alone was started here
            done = portico("status", *words, cwd=home)
            assert done.returncode == 0, done.stderr
            assert "pt-named" in done.stdout
        assert portico("status", "--name", "other", cwd=home).returncode == 1


@pytest.mark.parametrize("word", ["a" * 300, "a" * 300 + ".py", "b" * 300 + "/app.py"])
def test_a_word_longer_than_a_file_name(home: Path, word: str) -> None:
    for command in ("plan", "status"):
        done = portico(command, word, cwd=home)
        assert done.returncode == 2, done.stderr
        assert "cannot be looked at: File name too long" in done.stderr


def test_a_word_that_is_not_utf8(home: Path) -> None:
    strange = os.fsdecode(b"\xff")
    (home / strange).mkdir()
    write_files(home / strange, {"app.py": HELLO})
    for words in ((strange,), (f"{strange}/app.py",), ("--static", f"/m/={strange}"), ("--name", strange)):
        done = portico("plan", *words, cwd=home)
        assert "internal error" not in done.stderr, words
        assert "not UTF-8" in done.stderr, words
        assert done.returncode == 2


def test_a_working_directory_that_is_gone(home: Path) -> None:
    (home / "gone").mkdir()
    line = f"rmdir ../gone && exec {sys.executable} -P -m portico plan"
    done = subprocess.run(
        ["sh", "-c", line], cwd=home / "gone", env=environment(home), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "the current directory cannot be used: No such file or directory" in done.stderr


@pytest.mark.parametrize("words", [("locked/app.py",), ("locked",), ("--static", "/m/=locked/x")])
def test_what_may_not_be_read(home: Path, words: tuple[str, ...]) -> None:
    (home / "locked").mkdir(mode=0o000)
    done = subprocess.run(
        [*WITHOUT_ROOTS_RIGHTS, sys.executable, "-m", "portico", "plan", *words],
        cwd=home, env=environment(home), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert "internal error" not in done.stderr
    assert "permission denied" in done.stderr.lower()
    assert done.returncode == 2


def test_what_the_system_refuses_is_no_fault_of_portico_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(lambda: Path("/proc/nothing").read_text()) == 1
    assert capsys.readouterr().err == "/proc/nothing: No such file or directory\n"


def test_a_directory_of_its_own_that_is_refused_has_its_variable_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PORTICO_STATE_DIR", str(tmp_path))
    assert exit_code_of(lambda: (tmp_path / "shop/none").read_text()) == 1
    assert "set PORTICO_STATE_DIR to a directory of your own" in capsys.readouterr().err


def test_a_full_disk_without_a_name_has_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert exit_code_of(fails) == 1
    assert "No space left on device\n  make room there, or set PORTICO_RUNTIME_DIR" in capsys.readouterr().err


def test_flags_are_called_as_they_are_typed(home: Path) -> None:
    assert portico("plan", "--domain", "http://x", cwd=home).stderr.startswith("--domain: ")
    assert 'static: "/media" is not valid' in portico("plan", "--static", "/media", cwd=home).stderr


def test_empty_directives_of_your_own_are_nothing(home: Path) -> None:
    plain = portico("plan", cwd=home).stdout
    write_files(home, {"portico.toml": '[nginx]\nhttp = ["", " "]\nserver = ["no.conf"]\n', "no.conf": "\n"})
    assert portico("plan", cwd=home).stdout == plain


def test_what_own_directives_may_bring_is_not_taken_for_settled(home: Path) -> None:
    """TLS that Portico knows nothing of: nginx tells the app what it is."""
    plain = portico("plan", cwd=home).stdout
    assert "REQUEST_SCHEME http;" in plain
    own = '[nginx]\nserver = ["listen 8443 ssl;", "own.conf"]\n'
    write_files(home, {"portico.toml": own, "own.conf": "limit_req zone=mine;\n"})
    changed = portico("plan", cwd=home).stdout
    assert "REQUEST_SCHEME $scheme;" in changed


def test_an_error_page_that_would_never_be_shown(home: Path) -> None:
    write_files(home, {"portico.toml": 'errors = "pages"\n', "pages/502.html": "own", "pages/logo.svg": "x"})
    assert portico("plan", cwd=home).returncode == 0
    write_files(home, {"pages/500.html": "the app's"})
    noted = portico("plan", cwd=home)
    assert noted.returncode == 0
    assert "note: 500.html is never shown by nginx" in noted.stdout + noted.stderr
    write_files(home, {"pages/502.htm": "misspelt"})
    done = portico("plan", cwd=home)
    assert done.returncode == 2
    assert "has 502.htm, which would never be shown\n  the gateway shows 400, 40" in done.stderr


def test_explain_of_a_line_without_a_reason(home: Path) -> None:
    plan = portico("plan", "--write", "out", cwd=home)
    assert plan.returncode == 0
    lines = (home / "out/nginx.conf").read_text().splitlines()
    end = next(number for number, line in enumerate(lines, 1) if line.strip() == "}")
    for words, text in (
        (str(end), f"line {end} of nginx.conf only closes a block\n"),
        (f"nginx.conf:{end}", f"line {end} of nginx.conf only closes a block\n"),
        ("9999", f"nginx.conf has no line 9999\n  expected 1 to {len(lines)}\n"),
    ):
        done = portico("explain", words, cwd=home)
        assert (done.returncode, done.stderr) == (2, text)


def test_plan_leaves_the_mode_of_the_directory_it_writes_to(home: Path) -> None:
    (home / "out").mkdir(mode=0o700)
    assert portico("plan", "--write", "out", cwd=home).returncode == 0
    assert (home / "out").stat().st_mode & 0o777 == 0o700


def test_a_site_beside_others_may_name_what_only_its_app_knows(home: Path) -> None:
    """An endpoint as `auth`, and a converter of the app's own: the gateway plans a page before the app is asked."""
    toml = """
        [access."/private"]
        auth = "check_session"
        sign_in = "/login?next="
        [static]
        "/private/files/" = "files"
        [routes."/<mine:name>"]
        timeout = "5s"
    """
    site = home / "shop"
    (site / "files").mkdir(parents=True)
    (site / "portico.toml").write_text(toml)
    found = desired(str(site), {}, PLACE)
    assert found.problems == ()
    assert found.plan is not None
    text = "\n".join(file.content for file in found.plan.files)
    assert '"~*^/+private(?![^/;\\\\n])" nobody;' in text
    (site / "portico.toml").write_text('[routes."/<mine"]\ntimeout = "5s"\n')
    assert "is not a rule" in desired(str(site), {}, PLACE).problems[0].what


def test_a_fleet_of_a_directory_that_others_can_write_to_is_refused(home: Path) -> None:
    file = home / "portico.toml"
    file.write_text('fleet = "/srv/shop"\nupstream = ["10.0.0.2:80"]\n')
    assert [host.ssh for host in gathered(str(file))[0].hosts] == ["10.0.0.2"]
    home.chmod(0o757)
    with pytest.raises(UsageError, match=f"may write to {home}\n.*let nobody else"):
        gathered(str(file))
