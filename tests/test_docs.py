"""The documentation says what the code does: generated pages are current, commands exist, every field is there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import jsonschema
import pytest
from click import Command, Context, Group
from click.testing import CliRunner

from portico.app_servers.kind import Feature
from portico.app_servers.kinds import KINDS
from portico.cli import portico
from portico.cli.command_table import COMMANDS, module
from portico.plan import decisions
from portico.plan.gateway.httpd.guards import _UNDONE, OF_ABILITIES
from portico.plan.gateway.httpd.undone import OF_ROUTES, OF_SITES
from portico.plan.gateway.nginx.log.line import VARIABLES
from portico.plan.web.log import FIELDS, OF_REFUSED, OF_RULES, TRACING_FIELDS
from portico.site.json_schema import json_schema
from portico.site.keys import flag_keys, keys
from portico.site.load import load
from portico.site.reference_page import reference_page
from tests import man_page
from tests.support import commands, environment, free_port, private_directory, served, write_files
from tests.support.process import PIPE, running

ROOT = Path(__file__).parents[1]
DECISIONS = ROOT / "docs/decisions"
INDEX = DECISIONS / "README.md"
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]
MOST_LINES_OF_ARCHITECTURE = 120


def code_blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def test_the_reference_page_is_current() -> None:
    assert (ROOT / "docs/reference.md").read_text() == reference_page() + "\n", "run `make docs`"


def test_the_man_page_is_current() -> None:
    assert (ROOT / "docs/portico.1").read_text() == man_page.page(), "run `make docs`"


def test_the_json_schema_is_current() -> None:
    assert json.loads((ROOT / "docs/portico.schema.json").read_text()) == json_schema(), "run `make docs`"


def test_the_json_schema_takes_every_toml_in_the_documentation() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    takes = jsonschema.Draft202012Validator(schema)
    for page in PAGES:
        for block in code_blocks(page, "toml"):
            takes.validate(tomllib.loads(block))


def test_the_json_schema_refuses_what_portico_refuses() -> None:
    for wrong in ({"lisen": ":80"}, {"workers": {"cuont": 1}}, {"limits": {"burst": "x"}}, {"max_upload": 3}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, json_schema())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_toml_in_the_documentation_is_valid(page: Path, tmp_path: Path) -> None:
    for block in code_blocks(page, "toml"):
        toml = tmp_path / "portico.toml"
        toml.write_text(block)
        load(toml, {})


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented_and_has_help(name: str) -> None:
    assert f"portico {name}" in (ROOT / "README.md").read_text()
    done = CliRunner().invoke(portico, [name, "--help"])
    assert done.exit_code == 0
    assert done.output.startswith(f"Usage: portico {name}")


def test_every_file_of_a_command_is_in_the_table() -> None:
    source = ROOT / "src"
    files = (source / "portico/cli/commands").rglob("[!_]*.py")
    found = {".".join(path.relative_to(source).with_suffix("").parts) for path in files}
    assert found == {module(name) for name in COMMANDS}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_in_the_documentation_exists_with_its_flags(page: Path) -> None:
    lines = [
        line
        for block in re.findall(r"```(?:sh)?\n(.*?)```", page.read_text(), re.DOTALL)
        for line in block.splitlines()
    ]
    for line in lines:
        for call in re.findall(r"(?:^|&& )(?:[\w/]+/)?portico ([^#&|]*)", line):
            words = call.replace("'", "").split()
            assert words[0] in COMMANDS, line
            command = portico.get_command(Context(portico), words[0])
            assert isinstance(command, Command)
            if isinstance(command, Group) and len(words) > 1 and words[1] in command.commands:
                command = command.commands[words[1]]
            known = {flag for parameter in command.params for flag in parameter.opts} | {"--help"}
            assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known, line


def readme_lines() -> list[str]:
    blocks = code_blocks(ROOT / "README.md", "")
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("portico ")]
    return list(dict.fromkeys(lines))


@pytest.fixture
def home() -> Iterator[Path]:
    app = "from flask import Flask\ndef create_app():\n    return Flask(__name__)\napp = create_app()\n"
    with private_directory() as directory:
        toml = f'listen = "127.0.0.1:{free_port()}"\n'
        names = ("app.py", "shop.py", "path/to/hello.py")
        write_files(directory, {"portico.toml": toml} | dict.fromkeys(names, app))
        yield directory


def in_a_shell(line: str, home: Path) -> subprocess.CompletedProcess[str]:
    """A shell reads the words of the line; what they are for is done in a fork (`support.commands`)."""
    told = 'portico() { printf "%s\\0" "$@"; }\n' + line
    words = subprocess.run(["bash", "-c", told], capture_output=True, text=True, timeout=90, check=True)
    paths = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return commands.run(words.stdout.split("\0")[:-1], home, environment(home) | {"PATH": paths}, 150)


def installed(line: str, home: Path) -> subprocess.CompletedProcess[str]:
    """The whole line in a shell, with the program that pip has installed."""
    paths = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", line], cwd=home, env=environment(home) | {"PATH": paths}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip


def first_line(line: str, home: Path) -> str:
    """What a command that goes on says first; then it is ended."""
    argv = [sys.executable, "-m", *line.partition("#")[0].split()]
    with running(argv, cwd=home, env=environment(home), stdout=PIPE) as process:
        assert process.stdout is not None
        return str(process.stdout.readline())


def test_every_way_to_run_in_the_readme_is_understood_by_a_shell_and_by_portico(home: Path) -> None:
    """Planned, not served: `plan` takes the same words, and the live tests serve."""
    lines = [line for line in readme_lines() if line.startswith("portico run")]
    assert len(lines) > 4
    for line in lines:
        done = in_a_shell(line.replace("portico run", "portico plan", 1), home)
        assert done.returncode == 0, f"{line}\n{done.stderr}"


def test_every_other_command_of_the_readme_does_what_it_says() -> None:
    app = "from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef index():\n    return 'hello'\n"
    lines = [line for line in readme_lines() if not line.startswith("portico run")]
    assert {line.split()[1] for line in lines} == set(COMMANDS) - {"run"}
    toml = f'listen = "127.0.0.1:{free_port()}"\n'
    conf = "server {\n    location / {\n        proxy_pass http://127.0.0.1:8000;\n    }\n}\n"
    files = {"app.py": app, "portico.toml": toml, "shop.conf": conf, "requirements.txt": "flask\n"}
    with served(files) as run:
        line = next(line for line in lines if line.startswith("portico options"))
        assert installed(line, run.directory).stdout == in_a_shell(line, run.directory).stdout != ""
        for line in lines:
            if line.startswith("portico dashboard"):  # serves until it is told to stop
                assert first_line(line, run.directory).startswith("http://127.0.0.1:")
                continue
            done = in_a_shell(line, run.directory)
            if line.startswith("portico drain"):  # the live tests have several servers
                assert "the local app answers alone" in done.stderr
                continue
            if line.startswith(
                ("portico bench", "portico tune")
            ):  # a running site is not loaded without a word
                assert "add --yes" in done.stderr or "wrk is not installed" in done.stderr
                continue
            if "fleet" in line.split()[1:3]:
                assert "fleet.directory: is not set" in done.stderr
                continue
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            assert done.stdout or done.stderr


def test_every_option_has_a_flag_an_example_and_help() -> None:
    assert {key.name for key in flag_keys().values()} == {key.name for key in keys()}
    for key in keys():
        assert key.help.endswith(".")
        assert key.example not in (None, "")


def test_every_field_of_the_log_line_is_documented() -> None:
    page = (ROOT / "docs/log.md").read_text()
    for name, meaning in (FIELDS | TRACING_FIELDS | OF_RULES | OF_REFUSED).items():
        assert f"| `{name}` | {meaning} | `{VARIABLES[name]}` |" in page


def test_the_page_of_the_app_servers_tells_every_feature_of_each() -> None:
    rows = [line.strip("| ").split(" | ") for line in (ROOT / "docs/app-servers.md").read_text().splitlines()]
    assert [row for row in rows if len(row) == 1 + len(KINDS)] == [
        [feature, *("yes" if feature in kind.features else "no" for kind in KINDS)] for feature in Feature
    ]


def test_the_page_of_httpd_names_every_option_that_it_has_not_and_no_other() -> None:
    asked = {*OF_ABILITIES, *(option for option, _ in _UNDONE.values())}
    text = Path("docs/apache.md").read_text()
    said = re.search(r"^Options that are an error with httpd: (.*); of a route (.*)\.$", text, re.MULTILINE)
    assert said
    assert set(re.findall("`(.+?)`", said[1])) == asked | set(OF_SITES)
    assert set(re.findall("`(.+?)`", said[2])) == set(OF_ROUTES)


def test_each_promise_of_security_names_tests_that_there_are() -> None:
    promises = [line for line in (ROOT / "docs/security.md").read_text().splitlines() if "`tests/" in line]
    assert len(promises) > 20
    for line in promises:
        for file, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", line):
            assert f"def {name}(" in (ROOT / file).read_text(), line


def test_links_in_the_documentation_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_picture_of_the_house_stays_a_picture() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text().splitlines()) <= MOST_LINES_OF_ARCHITECTURE


@pytest.mark.parametrize("page", sorted(DECISIONS.glob("[0-9]*.md")), ids=lambda page: page.stem)
def test_a_decision_is_in_the_index_and_says_what_was_chosen_and_when_it_was_measured(page: Path) -> None:
    title, *text = page.read_text().splitlines()
    number = page.stem.partition("-")[0]
    assert f"| [{number}]({page.name}) | {title.removeprefix('# ')} |" in INDEX.read_text()
    assert any(line.startswith("**Choice.** ") for line in text)
    for line in text:
        if line.startswith("**Measured.**"):
            assert re.match(r"\*\*Measured\.\*\* \d{4}-\d\d-\d\d[:, ]", line), line


def test_a_decision_that_explain_names_has_its_page() -> None:
    named = [
        value for value in vars(decisions).values() if isinstance(value, str) and "docs/decisions/" in value
    ]
    assert len(named) > 5
    for value in named:
        words, _, path = value.rpartition(", ")
        assert words
        assert (ROOT / path).exists()


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    page = (DECISIONS / "dependencies.md").read_text()
    for wanted in chain(project["dependencies"], *project["optional-dependencies"].values()):
        name = re.match(r"[\w-]+", wanted)
        assert name
        assert re.search(rf"\b{name[0]}\b", page) or name[0].startswith("pytest-"), wanted


def test_the_modules_that_the_picture_and_the_decisions_name_are_there() -> None:
    source = ROOT / "src/portico"
    rooms = {path.name for path in source.iterdir() if path.is_dir()}
    for page in (ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", *DECISIONS.glob("*.md")):
        for name in re.findall(r"`([a-z]+(?:/[a-z_]+)+)(?:\.py|/)?`", page.read_text()):
            room = name.partition("/")[0]
            home = ROOT if room == "tests" else source
            assert room not in rooms | {"tests"} or any((home / name).parent.glob(f"{Path(name).name}*")), (
                f"{page.name}: {name}"
            )
