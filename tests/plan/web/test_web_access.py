"""Who decides, and where a browser is sent: below the mount, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from portico.plan.web.access import Check, access
from tests.plan.test_golden import PLACE, read

CHECK = "\n[test.facts]\nroutes = [{ rule = '/check', methods = ['GET'], endpoint = 'check', pattern = '/check' }]\n"


def decides(directory: Path, text: str) -> Check:
    site, place = read(text + CHECK, directory)
    checks = access(site, place).checks
    assert checks is not None
    (found,) = checks.values
    return found


@pytest.mark.parametrize(
    ("said", "path", "url", "sign_in"),
    [
        ('auth = "/check"\nsign_in = "/login?next="', "/shop/check", "", "/shop/login?next="),
        ('auth = "/check"\nsign_in = "https://id.example/"', "/shop/check", "", "https://id.example/"),
        ('auth = "http://127.0.0.1:4180/auth"', "", "http://127.0.0.1:4180/auth", ""),
    ],
)
def test_paths_of_the_app_are_below_its_mount(
    tmp_path: Path, said: str, path: str, url: str, sign_in: str
) -> None:
    found = decides(tmp_path, f'mount = "/shop"\n[access."/admin"]\n{said}')
    assert (found.path, found.url, found.sign_in) == (path, url, sign_in)


def test_without_a_mount_they_are_what_was_said(tmp_path: Path) -> None:
    found = decides(tmp_path, '[access."/admin"]\nauth = "/check"\nsign_in = "/login"')
    assert (found.path, found.sign_in) == ("/check", "/login")


def test_rows_are_below_the_mount_and_an_open_path_is_matched_as_it_is_written(tmp_path: Path) -> None:
    text = 'mount = "/shop"\n[access."/admin"]\nmethods = ["GET"]\n[access."/admin/open"]\nanybody = true\n'
    site, _ = read(text, tmp_path)
    methods = access(site, PLACE).methods
    assert methods is not None
    opened, admin = methods.rows
    assert (opened.head, opened.ignores_case, opened.value) == ("/shop/admin/open", False, None)
    assert (admin.head, admin.ignores_case) == ("/shop/admin", True)
    assert all(row.pattern.startswith("^/shop") for row in methods.rows)
    assert methods.rest is None
