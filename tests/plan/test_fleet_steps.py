"""The steps of a rolling release: their order, what a failure undoes, and that every script is one for sh."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from portico.errors import UsageError
from portico.export.fleet import script, tree
from portico.plan.fleet import Fleet, Host, Step, What, ahead, fleet, of_host, refuse_name, undoing
from portico.site.load import load
from portico.site.options import Options
from tests.support import private_directory
from tests.users import ONLY_ROOT

TOML = """
domains = ["shop.example"]
[fleet]
directory = "/srv/it's $HOME"
{}[upstream]
servers = ["10.0.0.2:8000 weight=2", "[fd00::1]:80", "http://app-b"]
"""

NOT_AS_ROOT = "not as root: others may change {}; log in as its user"


def _options(directory: Path, more: str = "") -> Options:
    (directory / "portico.toml").write_text(TOML.format(more))
    return load(directory / "portico.toml", {})[0]


def _fleet(directory: Path, more: str = "") -> Fleet:
    return fleet(_options(directory, more), "shop")


def _whats(steps: tuple[Step, ...]) -> list[str]:
    return [f"{one.what} {one.host.server} at {one.at or 'here'}" for one in steps]


def test_every_host_is_looked_at_before_the_first_is_touched(tmp_path: Path) -> None:
    found = _fleet(tmp_path, 'fetch = "git fetch"\n')
    assert _whats(ahead(found, "42")) == [
        "look 10.0.0.2:8000 at 10.0.0.2", "look [fd00::1]:80 at fd00::1", "look http://app-b at app-b",
        "fetch 10.0.0.2:8000 at 10.0.0.2", "fetch [fd00::1]:80 at fd00::1", "fetch http://app-b at app-b",
    ]  # fmt: skip
    assert {one.what for one in ahead(_fleet(tmp_path), "42")} == {What.LOOK}


def test_a_host_is_drained_released_and_asked_by_the_gateway_and_a_failure_is_undone(tmp_path: Path) -> None:
    found = _fleet(tmp_path, 'gateway = "root@gw"\n')
    host = found.hosts[0]
    drain, release, back = of_host(found, host, "42")
    assert _whats((drain, release, back)) == [
        "drain 10.0.0.2:8000 at root@gw", "release 10.0.0.2:8000 at 10.0.0.2", "return 10.0.0.2:8000 at root@gw",
    ]  # fmt: skip
    assert [one.what for one in undoing(found, drain, "42")] == [What.RETURN]
    for failed in (release, back):
        assert [one.what for one in undoing(found, failed, "42")] == [What.ROLL_BACK, What.RETURN]
    assert undoing(found, ahead(found, "42")[0], "42") == ()


def test_the_scripts_are_for_sh_and_no_word_of_the_options_ends_a_quote(tmp_path: Path) -> None:
    found = _fleet(tmp_path, "fetch = \"echo '$RELEASE' `id`\"\n")
    host = found.hosts[1]
    steps = (
        *ahead(found, "42"),
        *of_host(found, host, "42"),
        *undoing(found, of_host(found, host, "42")[1], "42"),
    )
    for text in (*(one.script for one in steps), script(found).content):
        done = subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), text
    (look, *_) = (one for one in steps if one.what is What.LOOK)
    assert """cd '/srv/it'"'"'s $HOME'""" in look.script


def test_no_character_but_the_line_feed_begins_a_line_of_the_script() -> None:
    host = Host("10.0.0.2:80", "10.0.0.2")
    found = Fleet("shop", (host,), "/srv/a\u2029END", "true\u2028END", "/x\u0085END\x0cEND", "")
    lines = script(found).content.split("\n")
    assert lines.count("END") == len([one for one in lines if one.endswith("| sh -s") or "aTx" in one])
    assert any("true\u2028END" in one for one in lines)


def _runs(directory: Path, what: What, fetch: str = "", release: str = "42") -> tuple[int, str]:
    """A step of a host, by sh, in that directory; Portico is asked nothing there."""
    host = Host("10.0.0.2:80", "10.0.0.2")
    found = Fleet("shop", (host,), str(directory), fetch, "true", "")
    (step,) = (one for one in (*ahead(found, release), *of_host(found, host, release)) if one.what is what)
    done = subprocess.run(["sh", "-s"], input=step.script, text=True, capture_output=True, check=False)
    return done.returncode, done.stderr


def _serving(directory: Path, release: str = "1") -> Path:
    (directory / "releases" / release).mkdir(parents=True)
    (directory / "current").symlink_to(f"releases/{release}")
    return directory / "releases"


def test_a_release_that_failed_elsewhere_can_be_tried_again_where_its_code_is(tmp_path: Path) -> None:
    releases = _serving(tmp_path)
    fetch = "echo run >>runs; mkdir releases/$RELEASE"  # as git clone: fails if it is there
    for _ in range(2):
        assert _runs(tmp_path, What.FETCH, fetch) == (0, "")
    assert (tmp_path / "runs").read_text() == "run\n"
    assert sorted(one.name for one in releases.iterdir()) == ["1", "42"]


def test_half_of_a_release_is_fetched_again_and_never_released(tmp_path: Path) -> None:
    releases = _serving(tmp_path)
    code, _ = _runs(tmp_path, What.FETCH, "mkdir releases/$RELEASE; touch releases/$RELEASE/half; exit 7")
    assert (code, (releases / "42" / "half").exists()) == (7, True)
    code, said = _runs(tmp_path, What.LOOK)
    assert (code, said) == (1, "no releases/42, or half of one\n")
    assert _runs(tmp_path, What.FETCH, "mkdir releases/$RELEASE && touch releases/$RELEASE/whole") == (0, "")
    assert [one.name for one in (releases / "42").iterdir()] == ["whole"]
    assert _runs(tmp_path, What.LOOK) == (0, "")


def test_a_fetch_that_makes_nothing_fails_and_code_that_serves_is_never_removed(tmp_path: Path) -> None:
    releases = _serving(tmp_path)
    assert _runs(tmp_path, What.FETCH, "true") == (1, "fetch has not made releases/42\n")
    (releases / ".1.part").touch()
    (releases / "1" / "app.py").touch()
    assert _runs(tmp_path, What.FETCH, "false", "1") == (0, "")
    assert (releases / "1" / "app.py").exists()


@pytest.mark.parametrize("what", [What.LOOK, What.FETCH])
def test_a_link_is_no_release(what: What, tmp_path: Path) -> None:
    releases = _serving(tmp_path)
    (releases / "42").symlink_to("1")
    assert _runs(tmp_path, what, "rm -rf releases/1") == (1, "releases/42 is a link, not a directory\n")


@ONLY_ROOT
@pytest.mark.parametrize("what", [What.LOOK, What.FETCH])
def test_root_does_not_release_where_others_can_write(what: What) -> None:
    with private_directory() as above:
        home = above / "shop"
        releases = _serving(home)
        fetch = "mkdir -p releases/$RELEASE"
        assert _runs(home, what, fetch) == (0, "")
        for place in (above, home, releases):
            for uid, mode in ((65534, 0o755), (0, 0o775), (0, 0o757)):
                os.chown(place, uid, 0)
                place.chmod(mode)
                assert _runs(home, what, fetch) == (1, f"{NOT_AS_ROOT.format(place)}\n")
                os.chown(place, 0, 0)
                place.chmod(0o755)
        above.chmod(0o1777)
        assert _runs(home, what, fetch) == (0, "")
        home.chmod(0o1777)
        assert _runs(home, what, fetch)[0] == 1
        home.chmod(0o755)
        releases.rename(home / "old")
        releases.symlink_to("old")
        assert _runs(home, what, fetch) == (1, f"{NOT_AS_ROOT.format(releases)}\n")


def test_the_script_names_every_host_and_each_gets_its_own_service(tmp_path: Path) -> None:
    options = _options(tmp_path, 'node = ["10.0.0.1"]\n')
    files = {one.path: one for one in tree(fleet(options, "shop"), options)}
    assert list(files) == ["release", *(f"hosts/{one}/install" for one in ("10.0.0.2", "fd00::1", "app-b"))]
    assert (
        "hosts='10.0.0.2:8000=10.0.0.2 [fd00::1]:80=fd00::1 http://app-b=app-b'" in files["release"].content
    )
    flags = "--listen=10.0.0.2:8000 --node=10.0.0.1 --domain=shop.example --write"
    assert flags in files["hosts/10.0.0.2/install"].content
    assert "--listen=:80" in files["hosts/app-b/install"].content
    with pytest.raises(UsageError, match="from where their gateway connects"):
        tree(_fleet(tmp_path), _options(tmp_path))


@pytest.mark.parametrize("name", ["", "..", ".x", "-x", "a/b", "a b", "a\n", "$x", "é", "a" * 201])
def test_what_cannot_name_a_release_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a release"):
        refuse_name(name)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('fleet = "srv/shop"\nupstream = ["10.0.0.2:80"]', "not a directory of a host"),
        ('fleet = "/srv/../x"\nupstream = ["10.0.0.2:80"]', "not a directory of a host"),
        ('fleet = "/srv/shop"', "there are no hosts"),
        ('fleet = "/srv/shop"\nupstream = ["10.0.0.2:80", "10.0.0.2:81"]', "on the same host"),
        ('fleet = "/srv/shop"\nupstream = ["10.0.0.2:80", "unix:/run/a.sock"]', "is no other host"),
        ('[fleet]\ngateway = "-oProxyCommand=id"', "not a host for ssh"),
        ('[fleet]\ngateway = "a b"', "not a host for ssh"),
        ('[fleet]\nfetch = "a\\nb"', "several lines"),
        ('[fleet]\nfetch = "true\\u0085END"', "several lines"),
        ('[fleet]\nfetch = "true\\u2028END"', "several lines"),
        ('[fleet]\nprogram = ""', "not a program"),
        ('[fleet]\nprogram = "a\\u2029b"', "not a program"),
        ('fleet = "/srv/a\\u2028b"\nupstream = ["10.0.0.2:80"]', "not a directory of a host"),
        ('[fleet]\nnode = ["gw"]', "not an address"),
    ],
)  # fmt: skip
def test_a_fleet_that_cannot_be_is_an_error_of_its_option(toml: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "portico.toml").write_text(toml)
    with pytest.raises(UsageError, match=said):
        load(tmp_path / "portico.toml", {})


def test_a_gateway_without_fleet_says_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "portico.toml").write_text('upstream = ["10.0.0.2:80"]')
    with pytest.raises(UsageError, match=r"fleet\.directory"):
        fleet(load(tmp_path / "portico.toml", {})[0], "shop")
