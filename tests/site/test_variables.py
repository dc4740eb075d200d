"""Options in the environment: below flags, above portico.toml, and never in the way of other variables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from portico.errors import UsageError
from portico.site import variables
from portico.site.keys import keys
from portico.site.load import load
from portico.site.reach import is_from_file
from portico.values import Size

SOURCES = Path(__file__).parents[2] / "src" / "portico"
SAME = {"PORTICO_USER", "PORTICO_TRACE_MASK"}
"""Portico's own variables with an option's name: both mean the same."""
NOT_OF_THE_ENVIRONMENT = {"PORTICO_BEHIND", "PORTICO_SPA"}
"""Names inside a configuration of httpd."""


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    path = tmp_path / "portico.toml"
    path.write_text('max_upload = "3MiB"\ndomains = ["file.example"]\n[env]\nA = "file"\nB = "file"\n')
    return path


@pytest.fixture
def set_to(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("PORTICO_USER", "PORT"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_a_flag_wins_over_the_environment_and_it_over_the_file(
    toml: Path, set_to: pytest.MonkeyPatch
) -> None:
    set_to.setenv("PORTICO_MAX_UPLOAD", "5MiB")
    set_to.setenv("PORTICO_WORKERS_COUNT", "3")
    set_to.setenv("PORTICO_HTTPS_PORT", "")
    options, causes = load(toml, {"workers": "7"})
    assert (options.max_upload, options.workers.count) == (Size(5 << 20), 7)
    assert causes["max_upload"] == "PORTICO_MAX_UPLOAD in the environment"
    assert causes["workers.count"] == "--workers"
    assert causes["domains"] == "portico.toml:2"


@pytest.mark.parametrize("text", ["a.example, b.example", '["a.example", "b.example"]'])
def test_a_list_has_commas_or_the_syntax_of_the_file(
    toml: Path, set_to: pytest.MonkeyPatch, text: str
) -> None:
    set_to.setenv("PORTICO_DOMAINS", text)
    assert load(toml, {})[0].domains == ["a.example", "b.example"]


@pytest.mark.parametrize("text", ["A=1,C=2 3", '{ A = "1", C = "2 3" }'])
def test_a_table_adds_its_entries(toml: Path, set_to: pytest.MonkeyPatch, text: str) -> None:
    set_to.setenv("PORTICO_ENV", text)
    assert load(toml, {})[0].env == {"A": "1", "B": "file", "C": "2 3"}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PORTICO_MAX_UPLOAD", "x", 'PORTICO_MAX_UPLOAD in the environment: max_upload: "x" is not valid'),
        ("PORTICO_ENV", "geheim", "PORTICO_ENV in the environment: env: the value is not valid"),
        ("PORTICO_ENV", "{geheim}", "PORTICO_ENV in the environment: env: the value is not valid"),
        ("PORTICO_DOMAINS", "[geheim]", "domains"),
        ("PORTICO_HTTPS_MODE", "\udcff", "is not UTF-8"),
        ("PORTICO_ENV", "A=geheim\udcff", "the value is not UTF-8"),
        ("PORTICO_ENV", '{A = "geheim\udcff"}', "the value is not UTF-8"),
        ("PORTICO_ENV", '{A = "geheim\\u0000"}', "env has a NUL character"),
        ("PORTICO_NGINX_SERVER", '["geheim\\u0000"]', "nginx.server has a NUL character"),
        ("PORTICO_DOMAINS", "[1]", "domains: [1] is not valid"),
        ("PORTICO_DOMAINS", '[["a.example"]]', "domains"),
        ("PORTICO_DOMAINS", '["a.example"]\nx = ["b.example"]', "domains"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_the_variable(
    toml: Path, set_to: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    set_to.setenv(name, value)
    with pytest.raises(UsageError) as raised:
        load(toml, {})
    assert says in str(raised.value)
    if name == "PORTICO_ENV":
        assert "geheim" not in str(raised.value)


@pytest.mark.parametrize("text", [",", " , ,"])
def test_commas_alone_are_none_and_an_empty_list_is_empty(
    toml: Path, set_to: pytest.MonkeyPatch, text: str
) -> None:
    """Else `PORTICO_DOMAINS=$A,$B` without values would answer every Host."""
    set_to.setenv("PORTICO_DOMAINS", text)
    set_to.setenv("PORTICO_ENV", text)
    options, causes = load(toml, {})
    assert options.domains == ["file.example"]
    assert options.env == {"A": "file", "B": "file"}
    assert causes["domains"] == "portico.toml:2"
    set_to.setenv("PORTICO_DOMAINS", "[]")
    assert load(toml, {})[0].domains == []


def test_names_that_are_no_option_are_named_and_not_used() -> None:
    names = {
        "PORTICO_WORKERS": "did you mean PORTICO_WORKERS_COUNT?",
        "PORTICO_LIMIT_RATE": "did you mean PORTICO_LIMITS_RATE?",
        "PORTICO_XYZZY_QQQ": "portico options lists all",
    }
    others = ["PORTICO_USER", "PORTICO_STATE_DIR", "PORTICO_LISTEN", "PATH"]
    of_a_cluster = [
        "PORTICO_SERVICE_HOST",
        "PORTICO_PORT",
        "PORTICO_PORT_80_TCP_ADDR",
        "PORTICO_DB_SERVICE_PORT_HTTP",
    ]
    found = variables.unknown([*names, *others, *of_a_cluster])
    assert found == tuple(f"{name} ({says})" for name, says in sorted(names.items()))


def test_the_user_is_no_option_of_the_environment(toml: Path, set_to: pytest.MonkeyPatch) -> None:
    """An image that says who runs apps must not make a site root's that names its user."""
    toml.write_text('user = "shop"\n')
    set_to.setenv("PORTICO_USER", "root")
    options, causes = load(toml, {})
    assert (options.user, causes["user"]) == ("shop", "portico.toml:1")


def test_no_option_has_the_variable_of_something_else() -> None:
    names = [variables.variable(key.name) for key in keys()]
    assert len(set(names)) == len(names)
    own = {
        name
        for path in SOURCES.rglob("*.py")
        for name in re.findall(r'"(PORTICO_[A-Z_]+)"', path.read_text())
    }
    assert own & set(names) <= SAME | NOT_OF_THE_ENVIRONMENT
    assert not [one for one in names if variables.unknown([one])]


def test_what_the_environment_says_is_of_who_starts_portico() -> None:
    assert not is_from_file(variables.cause("https.hook"))
    assert not is_from_file("--domain")
    for cause in ("portico.toml:3", "--domain:3", "PORTICO_X in the environment:1"):
        assert is_from_file(cause), "a file may have any name"
