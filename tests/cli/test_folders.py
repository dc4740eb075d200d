"""Folders that a gateway without fences leaves to the app: somebody could put a link in their place."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from portico.errors import UsageError
from portico.plan.web.files.statics import served, statics
from portico.project.folders import fenced, is_served
from portico.site.facts import AppFacts, RootFile, StaticFolder
from portico.site.model import Site
from portico.site.options import Options
from tests.plan.test_golden import PLACE
from tests.support import private_directory
from tests.users import ONLY_ROOT, USER

pytestmark = ONLY_ROOT


PLACE_OF_ROOT = replace(
    PLACE, app_user=USER, gateway_user="www-data", state="/nowhere/state", runtime="/nowhere/run"
)


@pytest.fixture
def home() -> Iterator[Path]:
    """With a static folder that everybody may read."""
    with private_directory() as directory:
        (directory / "static").mkdir()
        for path in (directory, directory / "static"):
            path.chmod(0o755)
        yield directory


def site(home: Path, *, is_declared: bool = False) -> Site:
    folder = StaticFolder("/static/", str(home / "static"), "shop.toml:3")
    facts = AppFacts("shop:app", str(home), static=[] if is_declared else [folder])
    return Site(Options(), facts, str(home), "shop", declared=(folder,) if is_declared else ())


def test_a_folder_of_the_app_s_user_is_left_to_the_app(home: Path) -> None:
    shutil.chown(home / "static", USER)
    wanted, folder = site(home), str(home / "static")
    found = fenced(PLACE_OF_ROOT, wanted, has_fences=False)
    assert "a link could be put there" in found.withheld[folder]
    assert served(wanted, found) == []
    assert not is_served(RootFile("/favicon.ico", f"{folder}/img/favicon.ico", "the app"), found)
    with_fences = fenced(PLACE_OF_ROOT, wanted, has_fences=True)
    assert (with_fences.withheld, list(with_fences.fences)) == ({}, [folder])


def test_one_that_the_user_named_is_an_error(home: Path) -> None:
    shutil.chown(home / "static", USER)
    with pytest.raises(UsageError) as raised:
        fenced(PLACE_OF_ROOT, site(home, is_declared=True), has_fences=False)
    (problem,) = raised.value.problems
    assert problem.where == "shop.toml:3"
    assert "a link could be put there" in problem.what
    assert 'gateway = "nginx"' in problem.hint


def test_a_folder_of_root_s_is_served_and_so_is_any_where_the_app_has_no_user_of_its_own(home: Path) -> None:
    assert fenced(PLACE_OF_ROOT, site(home), has_fences=False).withheld == {}
    shutil.chown(home / "static", USER)
    nobody = replace(PLACE_OF_ROOT, app_user="")
    assert fenced(nobody, site(home), has_fences=False).withheld == {}


def test_a_folder_of_the_release_before_is_left_out_too(home: Path) -> None:
    before = home / "before"
    before.mkdir()
    shutil.chown(before, USER)
    wanted = replace(site(home), before={"/static/": str(before)})
    found = fenced(PLACE_OF_ROOT, wanted, has_fences=False)
    (folder,) = statics(wanted, found).folders
    assert folder.before == ""
