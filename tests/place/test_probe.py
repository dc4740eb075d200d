"""Which directories a site gets: its own, under whatever the environment says."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from portico.place import probe

HERE = Path("/srv/shop")
ORDINARY = 4242


@pytest.fixture(autouse=True)
def _ordinary_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: ORDINARY)
    for name in ("PORTICO_RUNTIME_DIR", "PORTICO_STATE_DIR", "XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_two_sites_never_share_a_given_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_RUNTIME_DIR", "/x/run")
    monkeypatch.setenv("PORTICO_STATE_DIR", "/x/state")
    key = probe.site_key(HERE, "shop")
    assert probe.runtime_directory(HERE, "shop") == Path("/x/run") / key
    assert probe.state_directory(HERE, "shop") == Path("/x/state") / key
    assert probe.site_key(Path("/srv/other"), "shop") != key


def test_relative_xdg_directories_count_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/alice")
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    monkeypatch.setenv("XDG_RUNTIME_DIR", ".")
    assert probe.state_directory(HERE, "shop").parent == Path("/home/alice/.local/state/portico")
    assert probe.runtime_directory(HERE, "shop").parent == Path(f"/tmp/portico-{ORDINARY}")


@pytest.mark.parametrize("home", [None, "", "/", "relative"])
def test_user_without_a_home_keeps_its_state_in_var_tmp(
    monkeypatch: pytest.MonkeyPatch, home: str | None
) -> None:
    if home is None:
        monkeypatch.delenv("HOME", raising=False)
    else:
        monkeypatch.setenv("HOME", home)
    with pytest.raises(KeyError):
        pwd.getpwuid(ORDINARY)
    assert probe.state_directory(HERE, "shop").parent == Path(f"/var/tmp/portico-{ORDINARY}")


def test_user_without_a_name_is_its_number() -> None:
    assert probe._user() == str(ORDINARY)


def test_directory_with_a_name_that_is_not_utf8_has_a_key() -> None:
    assert probe.site_key(Path(os.fsdecode(b"/srv/caf\xe9")), "shop").startswith("shop-")
