"""The user's own directives, read one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from portico.errors import Problem
from portico.reading import OURS, Reader
from portico.site.entries import entry_lines
from portico.site.own.nginx.reading import Reading
from portico.site.own.nginx.syntax import own, statements

TEXT = """# head
client_max_body_size 5m; gzip off; # tail
location ~ "^/a{2}" { # c
   root htdocs; add_header X "a;b}" always;
   if ($x ~ ${y}z) { return 204; }
}
# end
"""


def test_each_directive_is_found_with_its_lines() -> None:
    found = own(TEXT, [f"f:{line}" for line in range(1, 8)])
    assert [(one.name, one.is_block) for one in found] == [
        ("client_max_body_size", False), ("gzip", False), ("location", True), ("", False),
    ]  # fmt: skip
    assert found[0].text == "# head\nclient_max_body_size 5m;"
    assert found[1].text == "gzip off; # tail"
    assert [one.causes for one in found] == [
        ("f:1", "f:2"), ("f:2",), ("f:3", "f:4", "f:5", "f:6"), ("f:7",),
    ]  # fmt: skip
    assert found[2].args == ("~", "^/a{2}")


def test_words_are_what_nginx_makes_of_them() -> None:
    (one,) = own(r"""location ~ "^/a\.b\\c\"d" '\d\t' e\"f\s { }""")
    assert one.args == ("~", r"^/a\.b\c" + '"d', "\\d\t", r'e"f\s')


@pytest.mark.parametrize("sign", ["\x0b", "\x0c", "\x1c", "\x85", "\xa0", "\u2028"])
def test_what_looks_like_white_space_ends_no_word_and_begins_no_comment(sign: str) -> None:
    assert [one.name for one in own(f"a 1{sign}# ; b 2;")] == ["a", "b"]


@pytest.mark.parametrize(
    "text", ["a 1; }", "a 1", "location / {", "content_by_lua_block { x = '}' }", "; a;", 'a "b;', "{ }"]
)
def test_what_is_no_syntax_of_nginx_is_kept_as_it_stands(text: str) -> None:
    assert statements(text) is None
    assert [one.text for one in own(text)] == [text]
    assert not own(text)[0].name


def test_entries_of_an_array_have_lines() -> None:
    toml = 'a = 1\n[nginx]\nserver = [ # "x"\n  "one",  # [\n\n  \'two\', """\nthree\nfour""", "a \\"]\\" b",\n]\n'
    assert entry_lines(toml, 3) == [[4], [6], [7, 8], [8]]
    assert entry_lines("server = 5\n", 1) == []


def test_paths_are_absolute_and_included_files_are_read_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    for name, text in {"one.conf": "x 1;\ninclude two.conf;\ny 2;\n", "two.conf": "# in two\nz 3;\n"}.items():
        (tmp_path / name).write_text(text)
    problems: list[Problem] = []
    reading = Reading(tmp_path, {"k": "p:1", "k[0]": "p:2"}, OURS, problems)
    found = list(
        reading.of(
            ["one.conf", 'location /x { root "a b"; access_log off; alias $here/x; } error_log a.log;'], "k"
        )
    )
    assert problems == []
    assert [one.name for one in found] == ["x", "z", "y", "location", "error_log"]
    assert found[1].causes[-1] == "two.conf:2 (one.conf:2 (p:2)): k"
    assert found[2].causes[-1] == "one.conf:3 (p:2): k"
    assert found[3].text == f'location /x {{ root "{tmp_path}/a b"; access_log off; alias $here/x; }}'
    assert found[4].text == f"error_log {tmp_path}/a.log;"
    assert [(file.path, file.directive) for file in reading.files] == [(f"{tmp_path}/a b", "root")]


def test_a_missing_file_is_told_with_its_line(tmp_path: Path) -> None:
    problems: list[Problem] = []
    reading = Reading(tmp_path, {"k": "p:1"}, OURS, problems)
    list(reading.of(["a;\nauth_basic_user_file none;", "include none/*.conf;", "include none.conf;"], "k"))
    assert [(one.where, one.what.partition(":")[0]) for one in problems] == [
        ("p:1", "auth_basic_user_file"), ("p:1", f'"{tmp_path}/none.conf" cannot be read'),
    ]  # fmt: skip


def test_a_file_that_includes_itself_and_a_long_row_of_files_are_refused(tmp_path: Path) -> None:
    """They were left to nginx, which reads on until it has no descriptor left, as whoever started it."""
    (tmp_path / "self.conf").write_text("x 1;\ninclude self.conf;\n")
    for number in range(1, 12):
        (tmp_path / f"{number}.conf").write_text(f"include {number + 1}.conf;\n")
    problems: list[Problem] = []
    reading = Reading(tmp_path, {"k": "p:1"}, OURS, problems)
    assert [one.name for one in reading.of(["include self.conf;", "self.conf"], "k")] == ["x", "x"]
    assert [one.what for one in problems] == [f'"{tmp_path}/self.conf" includes itself'] * 2
    assert problems[0].where == "self.conf:2 (p:1)"
    problems.clear()
    assert not [one.name for one in reading.of(["1.conf"], "k") if one.name]
    assert [one.what.partition(" is")[0] for one in problems] == [f'"{tmp_path}/9.conf"']


LUA = "location / {{ content_by_lua_block {{ ngx.say('}}') }} }}\n{more}"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (LUA.format(more="include /home/u/x.conf;"), "include"),
        (LUA.format(more="error_log /home/u/link;"), "error_log"),
        ("location / { include /home/u/x.conf;", "include"),
        ("init_by_lua_file /home/u/x.lua; location / {", "init_by_lua_file"),
        (LUA.format(more="add_header X included;"), ""),
    ],
)
def test_as_root_a_text_that_cannot_be_read_names_no_file(text: str, named: str, tmp_path: Path) -> None:
    """An `include` below a Lua block was not looked at: root read what the app's user had put there."""
    problems: list[Problem] = []
    list(Reading(tmp_path, {"k": "p:1"}, Reader(user="nobody"), problems).of([text], "k"))
    assert [one.what.partition(" is in text")[0] for one in problems] == ([f'k: "{named}"'] if named else [])
    problems.clear()
    list(Reading(tmp_path, {"k": "p:1"}, OURS, problems).of([text], "k"))
    assert not problems, "who is not root reads no more than the app's user may"


def test_a_text_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    """The paths of an entry were not looked at when a file that it includes has Lua in it."""
    (tmp_path / "lua.conf").write_text(LUA.format(more=""))
    problems: list[Problem] = []
    found = list(Reading(tmp_path, {"k": "p:1"}, OURS, problems).of(["include lua.conf;\nroot none;"], "k"))
    assert [one.what for one in problems] == [f'root: there is no "{tmp_path}/none"']
    assert f"root {tmp_path}/none;" in found[-1].text
