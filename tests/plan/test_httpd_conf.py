"""The quoting of httpd's configuration, checked with httpd itself."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from portico.errors import UsageError
from portico.place.gateway.httpd import found
from portico.place.model import Build
from portico.plan.gateway.httpd.syntax import directive, literal, quote, render, rewrite_quote, target, value

WORDS = [
    "plain", "with space", 'a "quoted" word', "back\\slash", "ends with \\", "double \\\\ one", "#hash", "a#b", "<tag>",
    "it's", "tab\there", "^/a\\.b$", "$1", "%{NAME}", "é",
]  # fmt: skip


@pytest.fixture(scope="module")
def build() -> Build:
    return found("auto").first


@pytest.mark.parametrize("word", WORDS)
def test_httpd_reads_the_word_that_was_meant(word: str, build: Build, tmp_path: Path) -> None:
    modules = [f"LoadModule {name}_module {build.loadable[name]}" for name in ("mpm_event", "authz_core")]
    # httpd repeats the name of a user that it does not know, with backslashes doubled.
    made = directive("User", f"x{word}", why="a test")
    (line,) = render([made])
    conf = tmp_path / "httpd.conf"
    conf.write_text("\n".join([*modules, line.text]) + "\n")
    done = subprocess.run(
        [build.path, "-d", str(tmp_path), "-f", str(conf), "-t"], capture_output=True, text=True, check=False
    )
    assert done.stderr.rstrip().endswith(f"bad user name {_shown('x' + word)}"), done.stderr


@pytest.mark.parametrize("word", WORDS)
def test_mod_rewrite_reads_the_word_that_was_meant(word: str, build: Build, tmp_path: Path) -> None:
    names = ("mpm_event", "authz_core", "rewrite")
    modules = [f"LoadModule {name}_module {build.loadable[name]}" for name in names]
    # It repeats a pattern that it cannot compile.
    (line,) = render([directive("RewriteRule", f"({word}", "-", "[L]", why="a test")])
    conf = tmp_path / "httpd.conf"
    conf.write_text("\n".join([*modules, line.text]) + "\n")
    done = subprocess.run(
        [build.path, "-d", str(tmp_path), "-f", str(conf), "-t"], capture_output=True, text=True, check=False
    )
    assert done.stderr.rstrip().endswith(f"cannot compile regular expression '{_shown('(' + word)}'"), (
        done.stderr
    )


def _shown(word: str) -> str:
    """As httpd writes it in its error log."""
    return word.replace("\\", "\\\\").replace("\t", "\\t").replace("é", "\\xc3\\xa9")


def test_a_word_that_mod_rewrite_cannot_read_is_refused() -> None:
    with pytest.raises(ValueError, match="both kinds"):
        rewrite_quote("a \" and a ' in one")


@pytest.mark.parametrize("word", ["two\nlines", "nul\0", "${PATH}", "a${NAME}b"])
def test_what_httpd_would_change_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match=r"control character|\$\{"):
        quote(word)


@pytest.mark.parametrize("made", [literal, target])
@pytest.mark.parametrize("path", ["/srv/a$b", "/srv/a\tb"])
def test_a_path_that_a_rule_would_change_is_refused(path: str, made: Callable[[str, str], str]) -> None:
    with pytest.raises(UsageError):
        made(path, "portico.toml:1")


def test_mod_rewrite_replaces_nothing_in_the_path_of_a_file() -> None:
    assert target("/srv/50% %{ENV:x} %1 a\\b", "portico.toml:1") == r"/srv/50\% \%{ENV:x} \%1 a\\b"


def test_a_header_s_value_keeps_its_percent() -> None:
    assert value("100% of %{x}e") == "100%% of %%{x}e"
