"""`portico check --fix` changes what is safe, as its difference says, and nothing else."""

from __future__ import annotations

import grp
import os
import pwd
import stat
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from msgspec.structs import replace as with_values

from portico.check.fix.changes import TextChange, changes
from portico.check.fix.files import replace, second_name, without_rights
from portico.check.fix.toml_lines import with_key, with_value
from portico.check.model import Mode, Setting, warning
from portico.check.system.modes import mode_findings
from portico.cli.tune.apply import Config, apply
from portico.errors import PorticoError
from portico.site.facts import AppFacts
from portico.site.model import Site
from portico.site.options import Options
from tests.plan.test_golden import PLACE
from tests.support import free_port, portico, private_directory, write_files

APP = "from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef index():\n    return 'hello'\n"
OWN = frozenset({os.geteuid()})


@pytest.fixture
def home() -> Iterator[Path]:
    with private_directory() as directory:
        yield directory.resolve()


@pytest.mark.parametrize(
    ("text", "key", "value", "wanted"),
    [
        ("", ("a",), "1", "a = 1\n"),
        ("", ("workers", "count"), "4", "[workers]\ncount = 4\n"),
        ("b = 2", ("a",), "1", "b = 2\na = 1\n"),
        ("# top\nb = 2  # two\n\n# of it\n[t]\nc = 3\n", ("a",), "1",
         "# top\nb = 2  # two\na = 1\n\n# of it\n[t]\nc = 3\n"),
        ("[t]\nc = 3\n", ("a",), "1", "a = 1\n\n[t]\nc = 3\n"),
        ("[ t ] # here\n# of c\nc = 3\n", ("t", "d"), '"x"', '[ t ] # here\nd = "x"\n# of c\nc = 3\n'),
        ("b = 2\r\n", ("t", "d"), "1", "b = 2\r\n\r\n[t]\r\nd = 1\r\n"),
        ("x = [\n  1,\n]\n", ("a",), "1", "x = [\n  1,\n]\na = 1\n"),
        ('[routes."/a"]\nlimit = "1/second"\n', ("routes", "/b", "limit"), '"2/second"',
         '[routes."/a"]\nlimit = "1/second"\n\n[routes."/b"]\nlimit = "2/second"\n'),
    ],
)  # fmt: skip
def test_a_key_is_added_and_nothing_else_changes(
    text: str, key: tuple[str, ...], value: str, wanted: str
) -> None:
    assert with_key(text, key, value) == wanted


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("a = 1\n", ("a",)),
        ("workers = 4\n", ("workers", "count")),
        ("workers = { threads = 4 }\n", ("workers", "count")),
        ('x = """\n[t]\n"""\nt.c = 1\n', ("t", "d")),
        ("no toml", ("a",)),
    ],
)
def test_what_has_no_simple_place_is_left_to_a_person(text: str, key: tuple[str, ...]) -> None:
    with pytest.raises(ValueError):
        with_key(text, key, "1")


@pytest.mark.parametrize(
    ("text", "key", "value", "wanted"),
    [
        ("[t]\nc = 3  # three\nd = 4\n", ("t", "c"), '"auto"', '[t]\nc = "auto"  # three\nd = 4\n'),
        ("t.c = 3\r\n", ("t", "c"), "4", "t.c = 4\r\n"),
        ("c = 3\n[t]\nc = 3", ("t", "c"), "4", "c = 3\n[t]\nc = 4"),
        ("c = '#3' # three\n", ("c",), "4", "c = 4 # three\n"),
        ('["t"]\n"/a/" = "b"\n', ("t", "/a/"), '"c"', '["t"]\n"/a/" = "c"\n'),
        ("[t]\nc = 3\n", ("t", "d"), "4", "[t]\nd = 4\nc = 3\n"),
        ("x = \"\"\"\nc = 3\n\"\"\"\nc = 3\n", ("c",), "4", "x = \"\"\"\nc = 3\n\"\"\"\nc = 4\n"),
    ],
)  # fmt: skip
def test_a_value_is_replaced_in_its_line_and_nothing_else_changes(
    text: str, key: tuple[str, ...], value: str, wanted: str
) -> None:
    assert with_value(text, key, value) == wanted


@pytest.mark.parametrize("text", ["t = { c = 3 }\n", "[t]\nc = [\n  3,\n]\n", '[t]\nc = """\n3"""\n'])
def test_a_value_that_is_not_alone_in_its_line_is_left_to_a_person(text: str) -> None:
    with pytest.raises(ValueError, match="is not alone in one line"):
        with_value(text, ("t", "c"), "4")


def test_the_old_file_keeps_another_name(home: Path) -> None:
    path = home / "portico.toml"
    path.write_text("a = 1\n")
    path.chmod(0o640)
    second_name(path, "before")
    replace(path, b"a = 1\n", b"a = 2\n", OWN)
    assert (path.read_text(), (home / "before").read_text()) == ("a = 2\n", "a = 1\n")
    assert stat.S_IMODE((home / "before").stat().st_mode) == 0o640
    with pytest.raises(FileExistsError):
        second_name(path, "before")
    (home / "link").symlink_to("portico.toml")
    with pytest.raises(OSError, match="symbolic"):
        second_name(home / "link", "other")


_LINES = some.sampled_from(
    ["", "# a", "b = 1", "[t]", "[t.u]", 'c = "[t]"', "[[v]]", '"d" = [\n[1],\n]', "e = '''", "'''"]
)


@given(some.lists(_LINES, max_size=8), some.sampled_from([("n",), ("t", "n"), ("t", "u", "n"), ("w", "n")]))
def test_every_line_stays_whatever_the_file_is(lines: list[str], key: tuple[str, ...]) -> None:
    text = "\n".join(lines)
    try:
        made = with_key(text, key, "7")
    except ValueError:
        return
    found: Any = tomllib.loads(made)
    for step in key:
        found = found[step]
    assert found == 7
    assert not Counter(text.splitlines()) - Counter(made.splitlines())


def test_rights_are_taken_and_none_is_given(home: Path) -> None:
    write_files(home, {"a/.env": "X=1"})
    (home / "a/.env").chmod(0o604)
    without_rights(home / "a/.env", stat.S_IROTH, OWN)
    assert stat.S_IMODE((home / "a/.env").stat().st_mode) == 0o600
    (home / "a").chmod(0o777)
    without_rights(home / "a", stat.S_IWOTH, OWN)
    assert stat.S_IMODE((home / "a").stat().st_mode) == 0o775


def test_what_may_be_elsewhere_or_is_for_everybody_keeps_its_rights(home: Path) -> None:
    write_files(home, {"a/secret": "X=1"})
    (home / "secret").hardlink_to(home / "a/secret")
    (home / "a/secret").chmod(0o644)
    with pytest.raises(PermissionError, match="another name"):
        without_rights(home / "secret", stat.S_IROTH, OWN)
    (home / "a").chmod(0o1777)
    with pytest.raises(PermissionError, match="for everybody"):
        without_rights(home / "a", stat.S_IWOTH, OWN)
    assert stat.S_IMODE((home / "a").stat().st_mode) == 0o1777


def test_the_app_does_not_say_where_rights_are_taken(home: Path) -> None:
    """Its process may be broken into: it names /tmp, or a folder of root's, as its own."""
    write_files(home, {"site/app.py": APP, "elsewhere/app.py": APP})
    home.chmod(0o755)
    for name in ("site", "elsewhere"):
        (home / name / "app.py").chmod(0o666)
    facts = AppFacts(app="app:app", directory=str(home / "elsewhere"))
    site = Site(Options(), facts, str(home / "site"), "shop")
    found = [fix.path for one in mode_findings(site, PLACE, {}) for fix in one.fixes if isinstance(fix, Mode)]
    assert str(home / "site/app.py") in found
    assert not [path for path in found if "elsewhere" in path]


def test_no_link_is_followed(home: Path) -> None:
    write_files(home, {"real/secret": "X=1"})
    (home / "real/secret").chmod(0o644)
    (home / "link").symlink_to("real/secret")
    (home / "folder").symlink_to("real")
    for path in (home / "link", home / "folder/secret"):
        with pytest.raises(OSError):
            without_rights(path, stat.S_IROTH, OWN)
        with pytest.raises(OSError):
            replace(path, b"X=1", b"X=2", OWN)
    assert stat.S_IMODE((home / "real/secret").stat().st_mode) == 0o644
    assert (home / "real/secret").read_text() == "X=1"


def test_files_of_others_and_those_that_changed_stay(home: Path) -> None:
    path = home / "portico.toml"
    path.write_text("a = 1\n")
    with pytest.raises(PermissionError, match="another user"):
        replace(path, b"a = 1\n", b"a = 2\n", frozenset())
    with pytest.raises(PermissionError, match="another user"):
        without_rights(path, stat.S_IROTH, frozenset())
    with pytest.raises(OSError, match="changed meanwhile"):
        replace(path, b"a = 0\n", b"a = 2\n", OWN)
    assert path.read_text() == "a = 1\n"
    assert [each.name for each in home.iterdir()] == ["portico.toml"]


def test_a_new_file_keeps_mode_and_comments(home: Path) -> None:
    path = home / "portico.toml"
    path.write_text("# mine\na = 1\n")
    path.chmod(0o640)
    fixes: list[Mode | Setting] = [
        Setting(("workers", "count"), "4"),
        Setting(("workers", "threads"), "2"),
        Mode(str(path), "o-r"),
    ]
    for change in changes([warning("a", "", "", "unread-settings", fixes)], path):
        change.apply()
    assert path.read_text() == "# mine\na = 1\n\n[workers]\nthreads = 2\ncount = 4\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the app as another user")
def test_a_user_who_reads_as_everybody_does_is_not_locked_out(home: Path) -> None:
    write_files(home, {".env": "TOKEN=1\n"})
    (home / ".env").chmod(0o644)
    place, user = (
        with_values(PLACE, app_user="nobody"),
        pwd.getpwnam("nobody"),
    )
    site = Site(Options(), AppFacts(app="a:b", directory=str(home)), str(home), "shop")
    (found,) = [one for one in mode_findings(site, place, {}) if one.code == "secret-mode"]
    assert found.fixes == ()
    assert f"chgrp {grp.getgrgid(user.pw_gid).gr_name} {home}/.env" in found.hint
    os.chown(home / ".env", user.pw_uid, -1)
    (found,) = [one for one in mode_findings(site, place, {}) if one.code == "secret-mode"]
    assert found.fixes == (Mode(f"{home}/.env", "o-r"),)


def test_it_is_shown_then_done(home: Path) -> None:
    files = {
        "app.py": APP,
        "portico.toml": f'# mine\nlisten = "127.0.0.1:{free_port()}"\n',
        ".env": "TOKEN=kX3vLq8ZpW5nRt7Y\n",
        "uwsgi.ini": "[uwsgi]\nprocesses = 3\n",
    }
    write_files(home, files)
    (home / ".env").chmod(0o644)
    (home / "app.py").chmod(0o646)
    shown = portico("check", "--fix", cwd=home)
    assert f"--rw-r--r-- {home}/.env\n+-rw-r----- {home}/.env" in shown.stdout, shown.stdout + shown.stderr
    assert "+[workers]\n+count = 3\n" in shown.stdout
    assert "nothing was changed; --fix --yes does it" in shown.stdout
    assert (home / "portico.toml").read_text() == files["portico.toml"]
    done = portico("check", "--fix", "--yes", cwd=home)
    assert "3 changed" in done.stdout, done.stdout + done.stderr
    assert (home / "portico.toml").read_text() == f"{files['portico.toml']}\n[workers]\ncount = 3\n"
    assert [stat.S_IMODE((home / name).stat().st_mode) for name in (".env", "app.py")] == [0o640, 0o644]
    assert (home / "app.py").read_text() == APP
    again = portico("check", "--fix", "--yes", cwd=home)
    assert "nothing that could be mended without you" in again.stdout


@pytest.mark.parametrize("words", [("--yes",), ("--fix", "--json"), ("--fix", "a", "b")])
def test_flags_that_do_not_go_together(home: Path, words: tuple[str, ...]) -> None:
    done = portico("check", *words, cwd=home)
    assert done.returncode == 2
    assert done.stderr.startswith("--yes" if "--yes" in words else "--fix")


def test_a_file_that_tune_cannot_write_gets_no_second_name(home: Path) -> None:
    """Else `check --fix` would refuse it: it has another name, too."""
    path = home / "portico.toml"
    path.write_text("of somebody else meanwhile\n")
    with pytest.raises(PorticoError, match="was not changed: it has changed meanwhile"):
        apply(TextChange(path, "a = 1\n", "a = 2\n", OWN), Config(path, "a = 1\n", exists=True))
    assert [one.name for one in home.iterdir()] == ["portico.toml"]
    assert path.stat().st_nlink == 1
