"""Which kind of gateway several sites share, by the flag or by their files."""

from __future__ import annotations

import getpass
import shutil
from pathlib import Path

import pytest

from portico.project.several import Several
from tests.support import write_files
from tests.users import ONLY_ROOT, USER

SHOP, BLOG = "sites/shop.toml", "sites/blog.toml"


@pytest.mark.parametrize(
    ("flags", "shop", "blog", "program", "refused"),
    [
        ({}, "", "", "nginx", {}),
        ({"gateway": "apache"}, "", "", "apache", {}),
        ({}, 'gateway = "apache"\n', "", "apache", {}),
        ({}, 'gateway = "apache"\n', 'gateway = "nginx"\n', "nginx", {"shop": 'gateway = "apache"'}),
        ({"gateway": "apache"}, 'gateway = "nginx"\n', "", "apache", {}),
    ],
)
def test_the_flag_decides_else_the_first_site_that_says_it(
    flags: dict[str, str], shop: str, blog: str, program: str, refused: dict[str, str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("PORTICO_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("PORTICO_STATE_DIR", str(tmp_path / "state"))
    app = 'app = "../code/app.py"\nlisten = "127.0.0.1:8000"\n'
    write_files(
        tmp_path,
        {
            SHOP: f'domains = ["shop.example"]\n{app}{shop}',
            BLOG: f'domains = ["blog.example"]\n{app}{blog}',
            "code/app.py": "def app(environ, start_response): ...\n",
        },
    )
    several = Several((str(tmp_path / "sites"),), flags | {"user": getpass.getuser()})
    place = several.place()
    assert place.gateway.program == program
    found = {one.name: one for one in several.look(place)}
    assert {name for name, one in found.items() if one.plan is None} == set(refused)
    for name, said in refused.items():
        assert said in str(found[name].problems[0])
        assert "share a gateway with others" in str(found[name].problems[0])
    assert all(one.plan is None or one.plan.gateway.name == program for one in found.values())


@ONLY_ROOT
def test_a_file_that_another_user_can_change_does_not_decide_for_the_sites_of_others(tmp_path: Path) -> None:
    app = 'app = "../code/app.py"\ngateway = "apache"\n'
    write_files(tmp_path, {SHOP: app, BLOG: app, "code/app.py": "def app(environ, start_response): ...\n"})
    for name in (SHOP, BLOG):
        shutil.chown(tmp_path / name, USER)
    several = Several((str(tmp_path / "sites"),), {"user": getpass.getuser()})
    assert several.place().gateway.program == "nginx"
    shutil.chown(tmp_path / SHOP, "root")
    assert several.place().gateway.program == "apache"
