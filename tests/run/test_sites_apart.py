"""Whose sites share a gateway that one of them could end for all: pure, or httpd asked without anything running."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from portico.errors import Problem
from portico.place.model import Build, Place
from portico.place.probe import probe
from portico.project.several import Several
from portico.run.host.apart import not_apart
from portico.run.host.hosted import DesiredSite
from portico.run.host.intake import Taken, taken_in
from portico.run.host.state import Status
from tests.plan.test_golden import PLACE
from tests.users import ONLY_ROOT, USER

OURS, OTHERS = "", "/srv/blog/portico.toml belongs to user 'blog'"


def desired(name: str, doubt: str) -> DesiredSite:
    return DesiredSite(name, f"/srv/{name}/portico.toml", (), None, doubt=doubt)


@pytest.fixture
def httpd() -> Place:
    return replace(PLACE, gateway=Build("apache", "/usr/sbin/apache2", (2, 4, 62)))


def test_a_site_that_others_can_change_is_refused_beside_others(httpd: Place) -> None:
    shop, blog = desired("shop", OURS), desired("blog", OTHERS)
    assert not_apart(shop, [shop, blog], [], httpd) == ()
    (problem,) = not_apart(blog, [shop, blog], [], httpd)
    assert problem.where == blog.origin
    assert "cannot keep sites of different users apart" in problem.what
    assert OTHERS in problem.what
    assert "--gateway nginx" in problem.hint
    assert not_apart(blog, [blog], [], httpd) == (), "alone it harms nobody"
    assert not_apart(blog, [shop, blog], [], PLACE) == (), "nginx keeps them apart"


def test_none_comes_beside_a_serving_site_that_others_can_change(httpd: Place) -> None:
    shop, blog = desired("shop", OURS), desired("blog", OTHERS)
    (problem,) = not_apart(shop, [shop, blog], [blog], httpd)
    assert problem.where == shop.origin
    assert f"{blog.origin}: {OTHERS}" in problem.what


def test_it_is_refused_when_the_list_is_read_and_not_prepared(tmp_path: Path) -> None:
    for name in ("run", "state"):
        (tmp_path / name).mkdir()
    found = probe("apache", "auto", tmp_path, "gateway")
    place = replace(found, runtime=str(tmp_path / "run"), state=str(tmp_path / "state"))
    mine = replace(desired("shop", OURS), problems=(Problem("shop", "is wrong itself"),))
    taken = taken_in([mine, desired("blog", OTHERS)], Taken({}, {}), place, None, 0.0)
    assert taken.parts == {}
    assert taken.hosted_sites["blog"].state.status is Status.REFUSED
    assert "cannot keep sites of different users apart" in taken.hosted_sites["blog"].state.reason
    assert "is wrong itself" in taken.hosted_sites["shop"].state.reason


@ONLY_ROOT
@pytest.mark.parametrize("owner", ["root", USER])
def test_whose_a_site_is_shows_in_its_file_or_directory(tmp_path: Path, owner: str) -> None:
    for name in ("shop", "blog"):
        (tmp_path / name).mkdir()
    (tmp_path / "shop/portico.toml").write_text("")
    for path in tmp_path.rglob("*"):
        shutil.chown(path, owner)
    several = Several((str(tmp_path / "shop"), str(tmp_path / "blog")), {})
    doubts = [one.doubt for one in several.look(PLACE)]
    assert [bool(doubt) for doubt in doubts] == [owner == USER] * 2, doubts
