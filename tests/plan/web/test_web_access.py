"""Who decides, and where a browser is sent: below the mount, and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from portico.plan.build import plan
from portico.plan.web.access import Allowed, Check, access, admits
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


INNER = """
[access."/users"]
methods = ["GET"]
[access."/users/public"]
methods = ["GET", "POST", "PUT"]
[access."/users/public/<name>/box"]
methods = ["GET", "PUT", "DELETE"]
[access."/users/public/open"]
anybody = true
[access."/users/public/open/deep/er"]
methods = ["PUT"]
"""


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/users/x", "GET"),
        ("/Users/x", "GET"),
        ("/users/public", "GET PUT POST"),
        ("/users/public/x", "GET PUT POST"),
        ("/users/publics", "GET"),
        ("/users/PUBLIC", "GET"),
        ("//users/public", "GET"),
        ("/users//public", "GET"),
        ("/users/public;x", "GET"),
        ("/Users/public", "GET"),
        ("/users/public/\u00e9/box", "DELETE GET PUT"),
        ("/users/public/a/BOX", "GET PUT"),
        ("/users/PUBLIC/a/box", "GET"),
        ("/users/public/open/x", None),
        ("/users/public/OPEN/x", "GET PUT POST"),
        ("/users/PUBLIC/open", "GET"),
        ("/users/public/open/deep/er", "PUT"),
        ("/users/public/open/deep/ER", "PUT"),
        ("/users/public/OPEN/deep/er", "PUT"),
        ("/users/PUBLIC/open/deep/er", ""),
        ("/other", None),
    ],
)
def test_a_rule_that_asks_less_holds_for_its_paths_as_they_are_written(
    tmp_path: Path, path: str, methods: str | None
) -> None:
    """In any other spelling, which an app may take for a path of an outer rule, both hold."""
    site, _ = read(f'mount = "/shop"\n{INNER}', tmp_path)
    choice = access(site, PLACE).methods
    assert choice is not None
    text = f"/shop{path}".encode().decode("latin-1")
    found = next(
        (row.value for row in choice.rows if re.match(row.pattern, text, re.I * row.ignores_case)),
        choice.rest,
    )
    expected = None if methods is None else sorted(methods.split())
    assert (None if found is None else sorted(set(found.methods) - {"HEAD"})) == expected
    told = [answer.what for answer in admits(site, path)]
    assert bool(told) == (methods is not None)


def test_two_rules_together(tmp_path: Path) -> None:
    """What nobody could ask two of is asked of nobody: nobody may come."""
    text = """
        [access."/"]
        allow = ["10.0.0.0/8", "2001:db8::/32"]
        deny = ["10.6.0.0/16"]
        [access."/open"]
        allow = ["10.1.0.0/16", "192.0.2.0/24", "2001:db8::/16"]
        deny = ["10.6.6.0/24", "192.0.2.7"]
        auth = "/check"
        [access."/open/other"]
        auth = "http://127.0.0.1:4180/auth"
        internal = true
        [access."/open/same"]
        allow = ["10.1.1.0/24"]
        auth = "/check"
    """
    site, place = read(text + CHECK, tmp_path)
    found = access(site, place)
    assert found.allowed is not None
    assert found.denied is not None
    assert found.checks is not None
    allowed = {(row.what, row.ignores_case): row.value for row in found.allowed.rows}
    assert allowed["/open", True] == Allowed(
        ("10.1.0.0/16", "2001:db8::/32"),
        False,
        "portico.toml:6: access./open.allow; portico.toml:3: access./.allow",
    )
    assert ("/open/same", False) not in allowed
    other = allowed["/open/other", True]
    assert other is not None
    assert (other.networks, other.is_hidden) == ((), True)
    denied = {(row.what, row.ignores_case): row.value for row in found.denied.rows}
    both = denied["/open", True]
    assert both is not None
    assert both.networks == ("10.6.0.0/16", "192.0.2.7/32")
    checks = {(row.what, row.ignores_case): row.value for row in found.checks.rows}
    nobody, same = checks["/open/other", True], checks["/open/same", True]
    assert nobody is not None
    assert same is not None
    assert (nobody.path, nobody.url, same.path) == ("", "", "/check")


def test_a_file_of_the_release_before_is_as_private_as_the_same_file_of_this_one(tmp_path: Path) -> None:
    site, place = read('mount = "/shop"\n[access."/static/closed"]\nallow = ["10.0.0.0/8"]\n', tmp_path)
    text = plan(replace(site, before={"/static/": "/srv/old/static"}), place).files[0].content
    (table,) = re.findall(r"map \$uri \$portico_life \{(.*?)\}", text, re.DOTALL)
    (pattern,) = (re.compile(found.replace("\\\\", "\\")) for found in re.findall(r'"~\*(.*?)" ', table))
    assert all(map(pattern.match, ("/-/before/shop/static/closed/a.css", "/shop/static/closed/a.css")))
    assert not any(
        map(pattern.match, ("/-/before/shop/static/a.css", "/x/-/before/shop/static/closed/a.css"))
    )
