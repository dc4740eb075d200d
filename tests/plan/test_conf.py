"""nginx's syntax: what is quoted, what is refused, and that nginx reads back what was written."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from portico.errors import UsageError
from portico.place.gateway.nginx import find_nginx
from portico.plan.gateway.nginx.syntax import Directive, block, directive, literal, quote, render, time


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("plain", "plain"),
        ("/a/path-1.txt", "/a/path-1.txt"),
        ("", '""'),
        ("two words", '"two words"'),
        ("semi;colon", '"semi;colon"'),
        ("{brace}", '"{brace}"'),
        ("#comment", '"#comment"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("it's", '"it\'s"'),
        (r"back\slash", r'"back\slash"'),
        (r"^/a/(.*/)?\.", r'"^/a/(.*/)?\."'),
        (r"\d\t\r\n", r'"\d\\t\\r\\n"'),
        (r"two\\", r'"two\\\\"'),
        (r"two\\d", r'"two\\\d"'),
        (r"\"", r'"\\\""'),
        (r"\'", '"\\\\\'"'),
        ("at the end\\", r'"at the end\\"'),
        ("$variable", "$variable"),
    ],
)
def test_quoting(word: str, written: str) -> None:
    assert quote(word) == written


@pytest.mark.parametrize("word", ["a$b", "new\nline", "nul\0", "tab\t", "bell\x07"])
def test_what_nginx_cannot_write_is_refused(word: str) -> None:
    with pytest.raises(UsageError):
        literal(word, "portico.toml:3: static")


@pytest.mark.parametrize(
    ("seconds", "written"), [(30.0, "30s"), (1.5, "1500ms"), (0.25, "250ms"), (3602, "3602s")]
)
def test_nginx_has_no_decimals(seconds: float, written: str) -> None:
    assert time(seconds) == written


def test_lines_are_indented_and_carry_their_reasons() -> None:
    tree = [block("http", of=[directive("gzip", "on", why="smaller", cause="default")], why="all")]
    lines = list(render(tree))
    assert [line.text for line in lines] == ["http {", "    gzip on;", "}"]
    assert [line.why for line in lines] == ["all", "smaller", ""]
    assert lines[1].source == "https://nginx.org/en/docs/http/ngx_http_gzip_module.html#gzip"


@settings(max_examples=25, deadline=None)
@given(
    some.text(some.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="$\x7f"), max_size=30)
)
def test_nginx_reads_back_every_word_that_is_not_refused(word: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        text = Directive("return", ("200", literal(word, "x")))
        server = Directive("server", block=(Directive("listen", (f"unix:{directory}/s",)), text))
        types = [Directive(f"{name}_temp_path", (f"{directory}/{name}",)) for name in _TEMPORARY]
        tree = [Directive("events", block=()), Directive("http", block=(*types, server))]
        conf = Path(directory, "nginx.conf")
        conf.write_text(f"pid {directory}/pid;\n" + "\n".join(line.text for line in render(tree)))
        nginx = find_nginx("embedded").path
        done = subprocess.run(
            [nginx, "-t", "-p", directory, "-c", str(conf), "-e", "stderr"],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr


_TEMPORARY = ("client_body", "proxy", "uwsgi", "fastcgi", "scgi")
