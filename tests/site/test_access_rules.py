"""What [access] may say: one clear error for each value that cannot be used; every spelling of a path is covered."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from portico.errors import Problem
from portico.reading import OURS
from portico.site.access.rule import AccessRule
from portico.site.access.rules import access_rules
from portico.site.access.sha512_crypt import hashed
from portico.site.access.users import Wrong, entries, seconds
from portico.site.facts import AppFacts, Route
from portico.site.load import load
from portico.site.pattern import both, both_ways, widened

FACTS = AppFacts(
    app="shop:app", directory="/srv/shop", kind="flask",
    routes=[Route("/checks/session", ["GET"], "check_login", pattern="/checks/session"),
            Route("/u/<x>", ["GET"], "user", pattern="/u/(?:[^/]+)")],
)  # fmt: skip


def rules(directory: Path, text: str) -> tuple[tuple[AccessRule, ...], list[Problem]]:
    toml, problems = directory / "portico.toml", list[Problem]()
    toml.write_text(text)
    options, causes = load(toml, {})
    return access_rules(options, (), FACTS, directory, causes, OURS, problems), problems


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[access."admin"]\nmethods = ["GET"]', 'access: "admin" is not a path'),
        ('[access."/a//b"]\nmethods = ["GET"]', "an empty segment"),
        ('[access."/a/../b"]\nmethods = ["GET"]', "dots"),
        ('[access."/a$b"]\nmethods = ["GET"]', "or a $"),
        ('[access."/<what:x>"]\nmethods = ["GET"]', "'what' is not a converter"),
        ('[access."/"]\nmethods = ["get"]', '"get" is not a method'),
        ('[access."/"]\nmethods = []', "methods: is empty"),
        ('[access."/"]\nallow = []', "allow: contains no network"),
        ('[access."/"]\nallow = ["empty"]', "allow: contains no network"),
        ('[access."/"]\nallow = ["10.0.0.0/33"]', "neither a network nor a file"),
        ('[access."/"]\ndeny = ["missing.txt"]', "neither a network nor a file"),
        ('[access."/"]\ndeny = ["wrong"]', '"wrong", line 2: "10.0.0.0/8; deny all" is not a network'),
        ('[access."/"]\nanybody = true\nallow = ["10.0.0.1"]', "anybody and allow exclude each other"),
        ('[access."/"]\nusers = "missing.users"', 'users: "missing.users" is no file'),
        ('[access."/"]\nusers = "empty"', "contains no user"),
        ('[access."/"]\nusers = "wrong"', '"wrong", line 1: is not name:hash'),
        (
            '[access."/"]\nusers = "yescrypt"',
            "yescrypt, which the nginx that comes with Portico cannot verify",
        ),
        ('[access."/"]\nusers = "plain"', "not one that every nginx can verify"),
        ('[access."/a"]\nauth = "user"', 'the app has no view "user" with a path of its own'),
        ('[access."/a"]\nauth = "http://a b/"', "is not a URL"),
        ('[access."/a"]\nsign_in = "/login"', "nobody decides here"),
        ('[access."/a"]\nauth = "/x"\nauth_headers = ["Cookie"]', "says nothing about a client"),
        (
            '[access."/"]\nauth = "/x"\nsign_in = "/login?next="',
            "only signed-in users may open /login",
        ),
        ('[access."/"]\nallow = ["fe80::1%lo"]', "neither a network nor a file"),
    ],
)
def test_what_cannot_be_used_is_one_error(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "empty").write_text("# nobody\n")
    (tmp_path / "wrong").write_text("10.0.0.0/8\n10.0.0.0/8; deny all\n")
    (tmp_path / "yescrypt").write_text(f"anna:$y$j9T$abcdefgh${'a' * 43}\n")
    (tmp_path / "plain").write_text("anna:secret\n")
    _, (problem, *_) = rules(tmp_path, text)
    assert said in problem.what
    assert problem.where.startswith("portico.toml:")
    assert problem.hint


def test_a_password_is_hashed_as_crypt_does() -> None:
    """The second example of https://www.akkadia.org/drepper/SHA-crypt.txt has other rounds: these are of crypt(3)."""
    expected = "ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG."
    assert hashed("secret", "abcdefgh") == f"$6$abcdefgh${expected}"
    assert [one for one in entries(f"anna:{hashed('x' * 200)}\n") if isinstance(one, Wrong)] == []
    assert seconds(hashed("x")) < seconds(f"$2b$12${'a' * 53}")


def test_a_view_of_the_app_decides(tmp_path: Path) -> None:
    text = '[access."/"]\nauth = "check_login"\nsign_in = "/login"\n[access."/login"]\nanybody = true\n'
    found, problems = rules(tmp_path, text)
    assert problems == []
    assert found[1].check is not None
    assert (found[1].check.path, found[1].check.url) == ("/checks/session", "")


def test_an_empty_list_of_refused_networks_refuses_nobody(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    (rule,), problems = rules(tmp_path, '[access."/"]\ndeny = ["empty"]')
    assert rule.deny is not None
    assert (rule.deny.all, problems) == ((), [])


def test_an_ipv4_network_in_the_clothes_of_ipv6_is_one(tmp_path: Path) -> None:
    (rule,), _ = rules(tmp_path, '[access."/"]\nallow = ["::ffff:10.0.0.0/104", "10.1.2.3/8"]')
    assert rule.allow is not None
    assert rule.allow.all == ("10.0.0.0/8",)


@pytest.mark.parametrize(
    ("path", "covered"),
    [("/admin", True), ("/admin/", True), ("//Admin//x", True), ("/admin;x", True), ("/admin\n", True),
     ("/administrator", False), ("/a/admin", False)],
)  # fmt: skip
def test_a_table_covers_its_path_and_all_below(tmp_path: Path, path: str, covered: bool) -> None:
    (rule,), _ = rules(tmp_path, '[access."/admin"]\nmethods = ["GET"]')
    assert bool(re.match(rule.pattern, path, re.IGNORECASE)) is covered


def test_the_inner_rule_comes_first(tmp_path: Path) -> None:
    text = "".join(
        f'[access."{path}"]\nmethods = ["GET"]\n' for path in ("/", "/a", "/a/<x>", "/a/b", "/a/b/c")
    )
    found, _ = rules(tmp_path, text)
    assert [rule.what for rule in found] == ["/a/b/c", "/a/b", "/a/<x>", "/a", "/"]


@pytest.mark.parametrize(
    ("regex", "path"),
    [(r"/a/(?:\d+)", "/a/٣"), (r"/a/(?:[\w-]{2})", "/a/äö"), (r"/(?:[äö]+)", "/öä"), (r"/(?:[^/]{2})", "/äö"),
     (r"/(?:\w+)/x", "//ñ/x/"), (both(r"/a/(?:\d+)", r"/a/(?:[^/]+)"), "//a/٣")],
)  # fmt: skip
def test_a_pattern_of_letters_is_widened_to_bytes(regex: str, path: str) -> None:
    as_bytes = path.encode().decode("latin-1")
    assert re.fullmatch(both_ways(regex), as_bytes, re.ASCII)
    assert re.compile(widened(regex))
