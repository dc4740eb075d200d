"""Root exports a site whose directory is another user's: no link there leads root elsewhere, and root runs none of its
code.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from portico.errors import UsageError
from portico.place.owner import owner
from portico.plan.files import File, Line
from portico.project.image.words import exportable
from portico.run.disk.write import write_bytes, write_for_user
from portico.site.load import load
from portico.site.model import Site
from portico.site.secrets import credentials, for_systemd
from tests.plan.test_golden import FACTS
from tests.support import private_directory
from tests.users import ONLY_ROOT, USER

NEW = File("folder/new.toml", (Line("new"),), 0o640)


def written(directory: Path) -> list[Path]:
    return list(write_for_user([NEW], directory))


def test_files_and_folders_have_their_modes(tmp_path: Path) -> None:
    assert written(tmp_path) == [tmp_path / "folder/new.toml"]
    assert (tmp_path / "folder/new.toml").read_text() == "new\n"
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "folder", tmp_path / "folder/new.toml")] == [
        0o755,
        0o640,
    ]


@pytest.mark.parametrize("link", ["folder", "folder/new.toml"])
def test_no_link_is_followed(link: str, tmp_path: Path) -> None:
    other, site = tmp_path / "other", tmp_path / "site"
    other.mkdir(0o700)
    (site / link).parent.mkdir(parents=True)
    (site / link).symlink_to(other if link == "folder" else other / "made")
    with pytest.raises(OSError):
        written(site)
    assert (list(other.iterdir()), other.stat().st_mode & 0o777) == ([], 0o700)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "wheel").write_text("mine")
    with pytest.raises(FileExistsError):
        list(write_bytes({"wheel": b"other"}, tmp_path))
    assert (tmp_path / "wheel").read_text() == "mine"


@ONLY_ROOT
def test_a_directory_that_nobody_may_enter_is_no_way_to_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORTICO_USER", raising=False)
    with private_directory() as home:
        site = home / "site"
        site.mkdir()
        shutil.chown(site, USER)
        site.chmod(0)
        with pytest.raises(UsageError, match="cannot read"):
            owner("", site, must=False)
        with pytest.raises(UsageError, match="there is no user"):
            owner("somebody-of-another-machine", site, must=False)
        with pytest.raises(UsageError, match=f"as '{USER}'"):
            owner(USER, site, must=False)


@ONLY_ROOT
def test_systemd_reads_as_root_what_root_alone_can_change() -> None:
    with private_directory() as home:
        (home / "portico.toml").write_text('[dashboard]\nlisten = ":9000"\npassword_file = "password"\n')
        (home / "password").write_text("0123456789abcdef")
        options, causes = load(home / "portico.toml", {})
        site = Site(options, FACTS, str(home), "shop", causes, password_file=str(home / "password"))
        assert for_systemd(site) == credentials(site) == {"dashboard.password_file": str(home / "password")}
        shutil.chown(home, USER)
        assert for_systemd(site) == {}


def test_a_variable_of_the_command_line_is_not_exported() -> None:
    with pytest.raises(UsageError, match="would stand in what is exported"):
        exportable({"env": ["KEY=secret"]})
