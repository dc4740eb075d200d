"""The files of an image: their exact bytes, and what its requirements and its words become."""

from __future__ import annotations

import io
import tomllib
import zipfile
from pathlib import Path

import pytest
from msgspec.structs import replace

from portico import edge
from portico.app_servers.kinds import NAMES
from portico.errors import PorticoError
from portico.export.image.dockerfile import dockerfile, listens
from portico.export.image.ignore import ignore
from portico.export.image.model import Image
from portico.export.image.system import needs
from portico.plan.build import plan
from portico.project.command_line import command_line
from portico.project.image import requirements
from portico.project.image.wheel import own_wheel
from portico.project.image.words import words as image_words
from portico.site.facts import AppFacts
from portico.site.load import load
from portico.site.model import Site
from portico.values import Address
from tests.plan.test_golden import BUILDS, FACTS, PLACE, WAF
from tests.support import ROOT, RULE, golden, portico, private_directory, write_files

GOLDEN = Path(__file__).parents[1] / "golden" / "export" / "image"
CASES = sorted(GOLDEN.glob("*.txt"))
WHEEL = "portico_gateway-0.1.0-py3-none-any.whl"


def made(path: Path, directory: Path) -> str:
    """A case is a portico.toml; [test] has the packages, and which of them were compiled; [test.files] the files."""
    text = path.read_text().partition(RULE)[0]
    toml, _, tested = text.partition("[test]")
    own = tomllib.loads(tested)
    write_files(directory, {"portico.toml": toml, **own.get("files", {})})
    options, causes = load(directory / "portico.toml", {})
    facts = (
        AppFacts(app="", directory="", kind="remote")
        if options.upstream.servers
        else replace(FACTS, static=[])
    )
    site = Site(options, facts, "/srv/shop", "shop", causes)
    place = replace(
        PLACE,
        gateway=BUILDS["apache"] if options.gateway == "apache" else WAF,
        app_servers=dict.fromkeys(NAMES, "1"),
        otlp="1",
    )
    listen = listens(site)
    flags = {"listen": f":{listen.port}"} if listen else {}
    listed = requirements.found(directory) if site.has_app else None
    packages = requirements.names(directory, listed) if listed else frozenset[str]()
    image = Image(
        python="3.13",
        requirements=listed,
        words=command_line(None, None, flags),
        wheel=WHEEL,
        needs=needs(packages),
        compiled=tuple(own.get("compiled", ())),
        environments=tuple(own.get("environments", ())),
    )
    content = dockerfile(site, plan(site, place), image).content
    return content + ("" if path.stem != "default" else f"{RULE}\n{ignore(image).content}")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_golden_image(path: Path, tmp_path: Path) -> None:
    golden(path, made(path, tmp_path))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_every_step_of_an_image_has_its_reason_or_needs_none(path: Path, tmp_path: Path) -> None:
    """The instruction itself says it all: the stage, the directory, what is copied from it."""
    obvious = (
        "FROM",
        "WORKDIR",
        "RUN python3 -m venv /venv",
        "COPY --from",
        "COPY .",
        "EXPOSE",
        "#",
        "ARG",
        " ",
        "",
    )
    before = ""
    for line in made(path, tmp_path).partition(RULE)[0].splitlines():
        if not before.startswith("#") and not before.endswith("\\") and not before.startswith("COPY"):
            assert line == "" or line.startswith(obvious[:-1]), line
        before = line


LISTED = {
    "requirements.txt": "flask==3.1.3 ; python_version > '3'\n# comment\n-r more.txt\n--index-url https://index.example/simple\n",
    "more.txt": "-c fixed.txt\nPsycopg2_binary>=2 # a comment\n-r requirements.txt\n",
    "fixed.txt": "click==8.1\n",
}


def test_files_that_a_list_includes_are_copied_too(tmp_path: Path) -> None:
    write_files(tmp_path, LISTED)
    found = requirements.found(tmp_path)
    assert found.files == ("requirements.txt", "more.txt", "fixed.txt")
    assert requirements.names(tmp_path, found) == {"flask", "psycopg2-binary", "click"}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no file here says which packages the app needs"),
        ({"requirements.txt": "flask\nportico==0.1.0\n"}, "on PyPI that is somebody else's package"),
        ({"requirements.txt": "Portico\n"}, "on PyPI that is somebody else's package"),
        ({"requirements.txt": "portico_gateway==0.1.0\n"}, "portico-gateway, which is on no index yet"),
        ({"requirements.txt": "-e .\n"}, "requirements.txt:1: '-e .' installs from a directory"),
        ({"requirements.txt": "flask\n./vendor/x\n"}, "requirements.txt:2: './vendor/x' installs from"),
        ({"requirements.txt": "-r ../secret.txt\n"}, "requirements.txt:1: '../secret.txt' is no file below"),
        ({"requirements.txt": "-r gone.txt\n"}, "'gone.txt' is no file below"),
        ({"requirements.txt": "-r a$b.txt\n", "a$b.txt": ""}, "letters that a Dockerfile would replace"),
        ({"poetry.lock": "[[package]]\nname = 'portico'\n", "pyproject.toml": ""}, "somebody else's package"),
        ({"uv.lock": "not toml", "pyproject.toml": ""}, None),
        ({"poetry.lock": "not toml", "pyproject.toml": ""}, "poetry.lock: cannot be read"),
        ({"Pipfile.lock": "[]", "Pipfile": ""}, "Pipfile.lock: cannot be read"),
    ],
)
def test_lists_that_an_image_cannot_install_from(
    files: dict[str, str], said: str | None, tmp_path: Path
) -> None:
    write_files(tmp_path, files)
    if said is None:
        found = requirements.found(tmp_path)
        with pytest.raises(PorticoError, match=r"uv\.lock: cannot be read"):
            requirements.names(tmp_path, found)
        return
    with pytest.raises(PorticoError) as error:
        requirements.found(tmp_path)
    assert said in str(error.value)


def test_a_package_that_brings_its_library_needs_none_of_debian() -> None:
    assert [one.run for one in needs({"psycopg"})] == [("libpq5",)]
    assert needs({"psycopg", "psycopg-binary"}) == ()


def test_the_page_about_containers_shows_the_command_that_the_dockerfile_shows() -> None:
    shown = (
        (ROOT / "docs" / "containers.md").read_text().partition("```\ndocker run ")[2].partition("\n```")[0]
    )
    dockerfile = (GOLDEN / "default.txt").read_text().replace("\n# ", "\n")
    assert [line.strip() for line in shown.splitlines()] == [
        line.strip() for line in dockerfile.partition("  docker run ")[2].splitlines()[:3]
    ]


def test_portico_s_own_wheel_is_what_runs_here_and_the_same_each_time() -> None:
    made = own_wheel()
    assert made == own_wheel()
    with zipfile.ZipFile(io.BytesIO(made.content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert archive.read("portico/edge.py") == Path(edge.__file__).read_bytes()
        record = next(name for name in names if name.endswith(".dist-info/RECORD"))
        listed = [line.partition(",")[0] for line in archive.read(record).decode().splitlines()]
        scripts = archive.read(record.replace("RECORD", "entry_points.txt")).decode()
    assert listed == names
    assert "portico = portico.__main__:main" in scripts
    assert "portico/py.typed" in names
    assert not [one for one in names if one.endswith(".pyc")]


@pytest.mark.parametrize(
    ("app", "config", "flags", "words"),
    [
        (None, None, {}, ()),
        ("shop:app", None, {"listen": "127.0.0.1:9000"}, ("--listen=:8080", "shop:app")),
        ("site", None, {}, ()),
        ("site/shop.py", None, {"domains": ["a"]}, ("--domains=a", "shop.py")),
        (None, "site/other.toml", {}, ("--config=other.toml",)),
        (None, "site/portico.toml", {}, ()),
    ],
)
def test_words_mean_the_same_in_the_site_s_directory(
    app: str | None, config: str | None, flags: dict[str, object], words: tuple[str, ...],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    write_files(tmp_path, {"site/shop.py": "", "site/other.toml": "", "site/portico.toml": ""})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", str(tmp_path))
    listen = Address("*", 8080) if "listen" in flags else None
    made = image_words(app, config, flags, listen)
    assert tuple(" ".join(made).replace("--config ", "--config=").split()) == words


def test_secrets_that_the_options_name_stay_out_of_the_image_and_are_named() -> None:
    toml = '[dashboard]\nlisten = "127.0.0.1:9999"\npassword_file = "conf/look"\n[access."/a"]\nusers = "all [staff]"\n'
    toml += '[tracing]\nendpoint = "http://127.0.0.1:4318"\nheaders_file = "conf/collector"\n'
    staff = "bob:$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG.\n"
    with private_directory() as home:
        write_files(home, {
            "app.py": "from flask import Flask\napp = Flask(__name__)\n", "requirements.txt": "flask\n",
            "portico.toml": toml, "conf/look": "long enough to be one\n", "all [staff]": staff,
            "conf/kept/collector": "x-key: 1\n",
        })  # fmt: skip
        (home / "conf" / "collector").symlink_to("kept/collector")
        (home / "conf" / "look").chmod(0o600)
        done = portico("export", "docker", "app:app", cwd=home)
        assert done.returncode == 0, done.stderr
        left_out = (home / ".dockerignore").read_text().splitlines()
        assert {"conf/look", "conf/collector", "conf/kept/collector", r"all \[staff\]"} <= set(left_out)
        for name in ("conf/look", "conf/collector", "all [staff]"):
            assert f"{home}/{name} (" in done.stderr
        (home / "Dockerfile").unlink()
        (home / "Dockerfile").symlink_to(home / "elsewhere")
        assert portico("export", "docker", "app:app", cwd=home).returncode == 1
        assert not (home / "elsewhere").exists()


def test_no_link_leads_out_of_the_site_s_directory(tmp_path: Path) -> None:
    """The directory may be the app's user's, and the export may run as root."""
    home = tmp_path / "site"
    home.mkdir()
    (tmp_path / "secret").write_text("the-secret\n")
    (home / "requirements.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(PorticoError, match="leads out of"):
        requirements.found(home)
    (home / "requirements.txt").unlink()
    (home / "inside.txt").write_text("flask\n")
    (home / "requirements.txt").symlink_to("inside.txt")
    assert requirements.names(home, requirements.found(home)) == {"flask"}
    (home / "inside.txt").write_text("-r more.txt\n")
    (home / "more.txt").symlink_to("../secret")
    with pytest.raises(PorticoError, match="no file below"):
        requirements.found(home)
    (home / "inside.txt").write_bytes(b"\xff")
    with pytest.raises(PorticoError, match="cannot be read"):
        requirements.found(home)
    (home / "inside.txt").unlink()
    (home / "requirements.txt").unlink()
    (home / "poetry.lock").symlink_to(tmp_path / "secret")
    (home / "pyproject.toml").write_text("[project]")
    with pytest.raises(PorticoError, match="leads out of"):
        requirements.found(home)
