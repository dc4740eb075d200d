"""A foreign configuration may be anything, and another user may have written it."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as some

from portico.cli import portico
from portico.errors import PorticoError
from portico.explain.adopted import AdoptedSite, Kept, Option
from portico.explain.nginx.read import read, read_partly
from portico.project.adopt.adopt import adopt, author_of
from portico.project.adopt.toml import toml_of
from tests.support import private_directory
from tests.users import ONLY_ROOT

SERVER = (
    "server { listen 80; server_name shop.example; %s location / { proxy_pass http://127.0.0.1:8000; } }\n"
)


def written(directory: Path, text: str | bytes, name: str = "shop.conf") -> Path:
    path = directory / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def adopted(*words: str) -> tuple[int, str]:
    """The exit code, and all that is said; anything but a problem with words is a failure of ours."""
    found = CliRunner().invoke(portico, ["adopt", *words])
    error = found.exception
    assert error is None or isinstance(error, SystemExit | PorticoError), repr(error)
    return (
        error.exit_code if isinstance(error, PorticoError) else found.exit_code
    ), f"{found.output}{error or ''}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"server { listen 80;\0 }", "NUL"),
        (b"\xff\xfe\x00s\x00e", "NUL"),
        (b"", "there is no server in it"),
        (b"{" * 4000, "nested too deeply"),
        (b"server {" * 3000 + b"}" * 3000, "nested too deeply"),
        (b"server { location / { proxy_pass", "unexpected end of file"),
        (b'server { server_name "unterminated; }', ""),
        (b"<VirtualHost *:80>\n</VirtualHost>\n", ""),
        (b"#!/bin/sh\nexec nginx\n", ""),
    ],
)
def test_what_is_no_configuration_is_one_clear_error(tmp_path: Path, text: bytes, said: str) -> None:
    code, found = adopted(str(written(tmp_path, text)))
    assert code in (1, 2)
    assert said in found


def test_a_word_that_is_not_utf_8_is_not_kept(tmp_path: Path) -> None:
    path = written(tmp_path, SERVER.encode() % b'add_header X-Name "caf\xe9 $host";')
    (one,) = adopt(path, system=()).sites
    assert "\ufffd" not in one.text.partition("\n\n")[2]
    assert any("not UTF-8" in remark.why for remark in one.site.remarks)


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/stdin", "/proc/self/mem", "/dev"])
def test_a_device_is_no_configuration(name: str, tmp_path: Path) -> None:
    assert adopted(name)[0] in (1, 2)
    _, problems = read_partly(written(tmp_path, SERVER % f"include {name};"))
    assert problems


def test_a_fifo_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.conf")
    _, problems = read_partly(written(tmp_path, SERVER % "include pipe.conf;"))
    assert "not an ordinary file" in problems[0].what


def test_includes_without_an_end_are_named(tmp_path: Path) -> None:
    written(tmp_path, "include b.conf;\n", "a.conf")
    written(tmp_path, "include a.conf;\n", "b.conf")
    with pytest.raises(PorticoError, match="includes itself"):
        read(written(tmp_path, SERVER % "include a.conf;"))


def test_includes_that_multiply_have_a_bound(tmp_path: Path) -> None:
    for number in range(15):
        written(tmp_path, f"include {number + 1}.conf;\n" * 10, f"{number}.conf")
    _, problems = read_partly(written(tmp_path, SERVER % "include 0.conf;"))
    assert any("more than 2000 files" in one.what for one in problems)


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.conf"
    with path.open("wb") as file:
        file.truncate(8 << 20)
    with pytest.raises(PorticoError, match="4 MiB"):
        read(path)


@ONLY_ROOT
def test_an_include_of_another_user_s_file_shows_nothing_that_the_user_may_not_read() -> None:
    with private_directory() as home:
        home.chmod(0o755)
        secret = written(home, 'add_header X-Secret "tiger";\n', "secret.conf")
        secret.chmod(0o600)
        path = written(home, SERVER % f"include {secret}; include /etc/shadow;")
        os.chown(path, 65534, 65534)
        assert author_of(path) == "nobody"
        result = adopt(path, system=())
    assert sum("Permission denied" in one.what for one in result.problems) == 2
    assert "tiger" not in result.sites[0].text


def test_nothing_that_is_there_is_overwritten(tmp_path: Path) -> None:
    path, there = written(tmp_path, SERVER % ""), written(tmp_path, "mine = 1\n", "portico.toml")
    code, found = adopted(str(path), "--output", str(there))
    assert code == 1
    assert "is there already" in found
    assert there.read_text() == "mine = 1\n"
    (tmp_path / "link.toml").symlink_to(tmp_path / "nowhere")
    assert adopted(str(path), "--output", str(tmp_path / "link.toml"))[0] == 1
    assert not (tmp_path / "nowhere").exists()


def test_of_several_files_none_is_written_if_one_is_there(tmp_path: Path) -> None:
    two = SERVER % "" + (SERVER % "").replace("shop", "blog").replace("8000", "8001")
    path, out = written(tmp_path, two), tmp_path / "out"
    out.mkdir()
    written(out, "", "shop.toml")
    assert adopted(str(path), "--output", str(out))[0] == 1
    assert [one.name for one in out.iterdir()] == ["shop.toml"]
    (out / "shop.toml").unlink()
    assert adopted(str(path), "--output", str(out))[0] == 0
    assert sorted(one.name for one in out.iterdir()) == ["blog.toml", "shop.toml"]


@pytest.mark.parametrize(
    "line",
    [
        'add_header X-A "\'\'\' # = [x] $host";',
        "add_header X-A 'say \"hi\" \\\\ there $host';",
        'proxy_set_header X-A "a\\nb\\tc";',
        "location = /a { return 200 \"x\\n'''\\ny\"; }",
        "location ~ \"^/\\d{4}/(?<slug>[^/]+)$\" { return 301 /b/$slug; }",
        'if ($http_user_agent ~ "bad {2} bot") { return 403; }',
    ],
)  # fmt: skip
def test_quotes_of_both_languages_survive(tmp_path: Path, line: str) -> None:
    """What stands in portico.toml is the same directive as in the original."""
    from portico.explain.nginx.written import written as lines_of

    path = written(tmp_path, SERVER % line)
    (one,) = adopt(path, system=()).sites
    kept = "\n".join(tomllib.loads(one.text)["nginx"]["server"])
    again, _ = read_partly(written(tmp_path, f"server {{\n{kept}\n}}\n", "again.conf"))
    before = next(node for node, _ in read(path).walk() if node.name == line.split()[0])
    after = next(node for node, _ in again.walk() if node.name == line.split()[0])
    assert list(lines_of([after])) == list(lines_of([before]))


_TEXT = some.text(max_size=40)
_VALUES = some.one_of(_TEXT, some.booleans(), some.integers(), some.lists(_TEXT).map(tuple))
Values = dict[str, str | bool | int | tuple[str, ...]]


@given(some.dictionaries(_TEXT, _VALUES), some.lists(_TEXT))
def test_every_value_comes_back_from_toml_or_is_an_error(values: Values, texts: list[str]) -> None:
    options = tuple(Option(("headers", name), value, f"a\n{name}", "x") for name, value in values.items())
    site = AdoptedSite("s", "c:1", options, tuple(Kept(text, "b:1") for text in texts))
    try:
        text = toml_of(site, "x\ny")
    except ValueError:
        everything = "".join([*values, *texts, *map(str, values.values())])
        assert not everything.isprintable()
        return
    found = tomllib.loads(text)
    wanted = {name: list(one) if isinstance(one, tuple) else one for name, one in values.items()}
    assert found.get("headers", {}) == wanted
    assert found.get("nginx", {}).get("server", []) == texts or len(set(texts)) < len(texts)
