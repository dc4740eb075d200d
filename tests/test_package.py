"""What pip gets: sdist and wheel are built from the clone, hold what they should, and run away from it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import portico
from tests.support import ROOT, end, environment, private_directory, start, until_ready, write_files

STEM = f"{portico.DISTRIBUTION.replace('-', '_')}-{portico.__version__}"
WHERE = (
    "import portico\nfrom flask import Flask\napp = Flask(__name__)\n"
    "@app.get('/')\ndef index():\n    return portico.__file__\n"
)
_NOT_BUILT_FROM = (".*", "build", "dist", "*.egg-info", "__pycache__", "golden", "histories")
_MAN_PAGE = "share/man/man1/portico.1"


@pytest.fixture(scope="module")
def built() -> Iterator[Path]:
    """The directory of the sdist, and of the wheel that is made from it. setuptools of this environment makes them."""
    with private_directory() as home:
        clone, out = home / "clone", home / "dist"
        shutil.copytree(ROOT, clone, ignore=shutil.ignore_patterns(*_NOT_BUILT_FROM))
        shutil.rmtree(clone / "bench")
        _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(clone), cwd=home)
        yield out


@pytest.fixture(scope="module")
def installed(built: Path) -> Iterator[Path]:
    """The Python of a virtual environment with the wheel. Other packages are those of the tests, so no network."""
    with private_directory() as home:
        venv.create(home / "venv", with_pip=False)
        python = home / "venv/bin/python"
        (wheel,) = built.glob("*.whl")
        _run(
            *(sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", "--no-deps"),
            *("--disable-pip-version-check", str(wheel)),
            cwd=home,
        )  # fmt: skip
        (site,) = home.glob("venv/lib/python*/site-packages")
        (site / "of-the-tests.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
        yield python


def _run(*argv: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        argv, cwd=cwd, env=environment(cwd) | (env or {}), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{argv}\n{done.stdout}{done.stderr}"
    return done.stdout


def _of_the_clone() -> set[str]:
    """Every file of the package: code, and the data that it reads at run time."""
    top = ROOT / "src"
    files = {
        path for path in (top / "portico").rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }
    return {path.relative_to(top).as_posix() for path in files}


def test_the_name_that_the_code_knows_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["name"] == portico.DISTRIBUTION


def test_the_wheel_has_every_file_of_the_package_and_the_man_page(built: Path) -> None:
    with zipfile.ZipFile(built / f"{STEM}-py3-none-any.whl") as archive:
        names = set(archive.namelist())
        page = archive.read(f"{STEM}.data/data/{_MAN_PAGE}").decode()
    assert {name for name in names if name.startswith("portico/")} == _of_the_clone()
    others = {name for name in names if not name.startswith("portico/")}
    info = {
        f"{STEM}.dist-info/{name}"
        for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt")
    }
    assert others == info | {f"{STEM}.data/data/{_MAN_PAGE}", f"{STEM}.dist-info/licenses/LICENSE"}
    assert page == (ROOT / "docs/portico.1").read_text()


def test_the_sdist_has_what_the_wheel_is_made_of_and_nothing_else(built: Path) -> None:
    with tarfile.open(built / f"{STEM}.tar.gz") as archive:
        names = {one.name.removeprefix(f"{STEM}/") for one in archive.getmembers() if one.isfile()}
    made = {name for name in names if name.startswith(f"src/{STEM.rpartition('-')[0]}.egg-info/")}
    own = {"LICENSE", "MANIFEST.in", "PKG-INFO", "README.md", "docs/portico.1", "pyproject.toml", "setup.cfg"}
    assert names - made == own | {f"src/{name}" for name in _of_the_clone()}


def test_an_index_would_take_both(built: Path) -> None:
    files = [str(path) for path in built.iterdir()]
    assert len(files) == 2
    _run(sys.executable, "-m", "twine", "check", "--strict", *files, cwd=built)


def test_the_installed_wheel_is_asked_for_its_version_and_its_help(installed: Path) -> None:
    program, home = str(installed.parent / "portico"), installed.parents[2]
    name, version, where = _run(program, "--version", cwd=home).splitlines()[0].split()
    assert (name, version) == ("portico", portico.__version__)
    assert Path(where).is_relative_to(home)
    assert "Usage: portico" in _run(program, "--help", cwd=home)
    assert (home / "venv" / _MAN_PAGE).is_file()


def test_the_installed_wheel_serves_an_app_away_from_the_clone(installed: Path) -> None:
    with private_directory() as home:
        write_files(home, {"app.py": WHERE})
        run = start(home, python=str(installed))
        try:
            until_ready(run)
            answer = httpx.get(f"http://127.0.0.1:{run.port}/", timeout=60)
            assert answer.status_code == 200
            assert Path(answer.text).is_relative_to(installed.parents[1])
        finally:
            end(run)
