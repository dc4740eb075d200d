"""Reading httpd's files: what the reader finds, beside what httpd itself finds (`-D DUMP_CONFIG`)."""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from portico.errors import PorticoError
from portico.explain.httpd.names import CONDITIONS
from portico.explain.httpd.read import read
from portico.explain.httpd.syntax import lines, quoted, word, words
from portico.explain.node import Node
from tests.support.httpd import PROGRAM, loads

MODULES = loads("mpm_event", "authz_core", "env", "headers", "macro", "info", "alias")
AT_START = ("ServerRoot", "Include", "IncludeOptional", "Define", "UnDefine", "Use", "LoadModule")
Seen = tuple[str, tuple[str, ...], str]


def seen(node: Node) -> Iterator[Seen]:
    """What httpd still has after it has read everything."""
    for child in node.children or ():
        if child.holds is False or child.name in AT_START or child.name == "Macro":
            continue
        if child.name not in CONDITIONS:
            yield child.name.lower(), child.args, Path(child.file).name
        yield from seen(child)


def dumped(file: Path) -> list[Seen]:
    done = subprocess.run(
        [PROGRAM, "-f", str(file), "-DDUMP_CONFIG"], capture_output=True, text=True, check=False
    )
    assert "Syntax error" not in done.stderr, done.stderr
    found, now = list[Seen](), ""
    for line in done.stdout.splitlines():
        if place := re.fullmatch(
            r'# In file: (?:macro .* \(defined on line \d+ of "(.*)"\) used on .*|(.*))', line
        ):
            now = Path(place[1] or place[2]).name
        elif not line.lstrip().startswith(("#", "</")) and line.strip():
            name, rest = word(line.strip().rstrip(">") if line.lstrip().startswith("<") else line)
            found.append((name.removeprefix("<").lower(), words(rest), now))
    return [one for one in found if one[0] != "loadmodule"]


VALUES = [
    "plain", '"two words"', "'single \"quoted\"'", '"a \\" b"', "back\\slash", '"back\\\\slash"', "${ONE}",
    '"${TWO} x"', "${NOBODY}", "$${ONE}", '""', "#not-a-comment", 'in"side', "a\\\n   b", '"x \\\n\\\n y"', "${ONE",
    "\\${ONE}", "'${SP}'", '"\\\\"', "'it\\'s'", "a=b,c",
]  # fmt: skip
NAMES = ["UnsetEnv", "unsetenv", "  UNSETENV", "\tUnsetEnv"]
OTHERS = ["# a comment", "", "   ", "# joined \\\nUnsetEnv lost 1", "UnDefine TWO", 'Define TWO "2 and 2"']
BLOCKS = [
    "IfDefine ONE", "IfDefine !ONE", "IfModule mod_env.c", "IfModule !env_module", "IfModule mod_nonesuch.c",
    "IfVersion >= 2.4", "IfVersion < 2.4", "IfVersion ~ ^2\\.4", "Location", "IfFile more", "IfDirective SetEnv",
]  # fmt: skip


def directives(dice: random.Random, depth: int, prefix: str) -> list[str]:
    made = []
    for number in range(dice.randint(1, 5)):
        kind = dice.random()
        name, value = f"{prefix}{number}", dice.choice(VALUES)
        if kind < 0.5 or not depth:
            made.append(f"{dice.choice(NAMES)} {name} {value}{dice.choice(['', ' ', chr(13)])}")
        elif kind < 0.6:
            made.append(dice.choice(OTHERS))
        elif kind < 0.7:
            made.append(f"Use {dice.choice(['Set', 'set', 'SET'])} {name} {dice.choice(VALUES[:4])}")
        elif (block := dice.choice(BLOCKS)) != "Location" or "l" not in prefix:
            inner = directives(dice, depth - 1, name + ("l" if block == "Location" else "x"))
            end, what = block.split()[0], f' "/{name}"' if block == "Location" else ""
            made += [f"<{block}{what}>", *inner, dice.choice([f"</{end}>", f"  </{end.lower()}>"])]
    return made


def test_every_line_is_read_as_httpd_reads_it(tmp_path: Path) -> None:
    dice = random.Random(3)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.conf").write_text("SetEnv of b\nInclude more/deeper/one\n")
    (tmp_path / "more" / "a.conf").write_text("SetEnv of a\n")
    (tmp_path / "more" / ".hidden.conf").write_text("SetEnv of hidden\n")
    (tmp_path / "more" / "deeper").mkdir()
    (tmp_path / "more" / "deeper" / "one").write_text('Define FROM "another file"\nSetEnv one 1')
    text = [
        f'ServerRoot "{tmp_path}"', MODULES, "ServerName one.test", "Define ONE 1", 'Define TWO "2 and 2"',
        "Define SP 'a  b'", "Define ALONE", "ErrorLog /dev/null",
        "<Macro Set $name $value>", ' SetEnv $name "v $name"', " UnsetEnv $value",
        "</Macro>", "Include more/*.conf", "IncludeOptional none/*.conf", "IncludeOptional more/*/[o]ne",
        'SetEnv from "${FROM}"', "Include more",
    ]  # fmt: skip
    for number in range(120):
        text += directives(dice, 3, f"v{number}")
    file = tmp_path / "httpd.conf"
    file.write_text("\n".join(text) + "\n")
    really = dumped(file)
    assert list(seen(read(file))) == really
    assert len(really) > 300


@pytest.mark.parametrize(
    "value",
    ["a", "a b", 'a"b', "a'b", "a\\b", "a\\\\b", "", "#x", "a\\ b", 'x\\"y', "tail\\", "^/a\\.b$", "<x>"],
)
def test_a_quoted_word_is_read_back(value: str) -> None:
    assert word(quoted(value)) == (value, "")


def test_lines_have_the_number_where_they_begin() -> None:
    found = list(lines("f", "a\\\nb\n\n# c \\\nd\n  e  \n"))
    assert [(line.number, line.text) for line in found] == [(1, "ab"), (6, "e")]


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "httpd.conf"
    file.write_text(text)
    return file


WRONG = [
    ("<Location /a>\n", "httpd.conf:1", "<Location> is never closed"),
    ("\n</Location>\n", "httpd.conf:2", "was not opened"),
    ("<Location /a>\n</Directory>\n", "httpd.conf:2", "expected </Location>"),
    ("<Location /a\n", "httpd.conf:1", "not closed on its line"),
    ("<Location>\n</Location>\n", "httpd.conf:1", "says not for what"),
    ("Include none/*.conf\n", "httpd.conf:1", "is not there"),
    ("Include httpd.conf\n", "httpd.conf:1", "circle"),
    ("Include /*/*/*/*/*/*\n", "httpd.conf:1", "more than 20000 files"),
    ("Include /dev/zero\n", "httpd.conf:1", "not an ordinary file"),
    ("Use Nothing\n", "httpd.conf:1", "no macro"),
    ("<Macro m $a>\nUse m $a\n</Macro>\nUse m 1\n", "httpd.conf:2", "uses itself"),
    ("<Macro m $a>\n</Macro>\nUse m 1 2\n", "httpd.conf:3", "used with 2 values"),
    ("<IfVersion is new>\n</IfVersion>\n", "httpd.conf:1", "no version"),
    ("<IfModule no.c>\n", "httpd.conf:1", "never closed"),
    ('Error "not like this"\n', "httpd.conf:1", "not like this"),
    ("<IfDefine X>\n" * 70 + "</IfDefine>\n" * 70, "httpd.conf", ""),
    ("<Location /a>\n" * 70, "httpd.conf:61", "deep"),
    ("<>\n</>\n", "httpd.conf:1", "without a name"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "where", "what"), WRONG, ids=[row[2] or "skipped" for row in WRONG])
def test_mistakes_say_where_and_what(text: str, where: str, what: str, tmp_path: Path) -> None:
    file = write(tmp_path, text)
    if not what:
        assert read(file).children
        return
    with pytest.raises(PorticoError) as raised:
        read(file)
    assert raised.value.problems[0].where.endswith(where)
    assert what in str(raised.value)
    assert raised.value.problems[0].hint


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PorticoError, match=r"apache2\.conf: cannot be read"):
        read(tmp_path)


def test_a_site_alone_does_not_say_which_modules_there_are(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "<IfModule mod_ssl.c>\nListen 443\n</IfModule>\n<IfModule !core.c>\nnonsense </\n</IfModule>\n",
    )
    ssl, core = read(file).children or ()
    assert (ssl.holds, core.holds) == (None, False)
    assert [node.name for node in core.children or ()] == ["nonsense"]
    assert (ssl.children or ())[0].args == ("443",)


def debian(directory: Path) -> Path:
    """A layout like Debian's, with one site."""
    root = directory / "apache2"
    for name in ("mods-available", "mods-enabled", "sites-available", "sites-enabled", "conf-enabled"):
        (root / name).mkdir(parents=True)
    (root / "envvars").write_text(
        'if [ "${APACHE_CONFDIR##/etc/apache2-}" != "${APACHE_CONFDIR}" ] ; then\n\tSUFFIX="-x"\nelse\n\tSUFFIX=\nfi\n'
        "export APACHE_RUN_USER=www-data\nexport APACHE_RUN_DIR=/var/run/apache2$SUFFIX\nexport LANG=C\nexport LANG\n"
        "#export APACHE_LYNX='www-browser -dump'\nexport WHO=$(id)\n"
    )
    (root / "apache2.conf").write_text(
        "DefaultRuntimeDir ${APACHE_RUN_DIR}\nUser ${APACHE_RUN_USER}\nIncludeOptional mods-enabled/*.load\n"
        "Include ports.conf\nIncludeOptional conf-enabled/*.conf\nIncludeOptional sites-enabled/*.conf\n"
    )
    (root / "ports.conf").write_text("Listen 80\n<IfModule ssl_module>\n\tListen 443\n</IfModule>\n")
    (root / "mods-available" / "alias.load").write_text(
        "LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so\n"
    )
    (root / "mods-enabled" / "alias.load").symlink_to("../mods-available/alias.load")
    (root / "sites-available" / "shop.conf").write_text(
        "<VirtualHost *:80>\n\tServerName shop.example\n\tCustomLog ${APACHE_LOG_DIR}/a.log combined\n</VirtualHost>\n"
    )
    (root / "sites-enabled" / "shop.conf").symlink_to("../sites-available/shop.conf")
    return root


def test_debians_directory_is_read_with_its_variables_and_links(tmp_path: Path) -> None:
    root = debian(tmp_path)
    found = read(root)
    assert found.file == str(root / "apache2.conf")
    runtime, user, *_ = found.children or ()
    assert (runtime.args, user.args) == (("/var/run/apache2",), ("www-data",))
    assert [node.holds for node in found.all("IfModule")] == [False]
    site = found.first("VirtualHost")
    assert site is not None
    assert site.place == f"{root}/sites-enabled/shop.conf:1"
    assert site.all("CustomLog")[0].args == ("${APACHE_LOG_DIR}/a.log", "combined")


def test_a_site_of_debians_directory_finds_its_server_root(tmp_path: Path) -> None:
    root = debian(tmp_path)
    (root / "snippets").mkdir()
    (root / "snippets" / "tls.conf").write_text("SSLEngine on\n")
    site = root / "sites-available" / "other.conf"
    site.write_text(
        "<VirtualHost *:443>\nInclude snippets/tls.conf\nUser ${APACHE_RUN_USER}\n</VirtualHost>\n"
    )
    inside = (read(site).children or ())[0].children or ()
    assert [node.text for node in inside] == ["Include snippets/tls.conf", "SSLEngine on", "User www-data"]
