"""Hand-written configurations, in the styles found in the wild: what each becomes, as a golden file beside it."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import click
import pytest
from msgspec.structs import replace

from portico.cli.adopt.shown import lines
from portico.errors import PorticoError
from portico.explain.adopted import Fate
from portico.project.adopt.adopt import adopt
from portico.site.load import refusals

CORPUS = Path(__file__).parent / "corpus"
NAMES = sorted(path.name for path in CORPUS.iterdir() if path.suffix == ".conf" or path.is_dir())
_UPDATE = os.environ.get("GOLDEN") == "update"


def source(name: str) -> Path:
    """A file; a folder whose one configuration stands beside other files; or a folder of sites."""
    path = CORPUS / name
    if not path.is_dir():
        return path
    inside = [one for one in sorted(path.rglob("*.conf")) if one.parent.name != "snippets"]
    return inside[-1] if len(inside) == 1 else path / "loop.conf" if name == "include-cycle" else path


def told(name: str) -> str:
    try:
        result = replace(adopt(source(name), system=()), findings=())  # they have golden files of their own
    except PorticoError as error:
        return f"{error}\n"
    return click.unstyle("\n".join(lines(result, []))) + "\n"


def test_the_corpus_is_large() -> None:
    assert len(NAMES) >= 55


@pytest.mark.parametrize("name", NAMES)
def test_golden_of_the_corpus(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CORPUS.parent)
    golden = CORPUS / (name if not name.endswith(".conf") else name.removesuffix(".conf"))
    golden = golden / "expected.txt" if golden.is_dir() else golden.with_suffix(".expected.txt")
    found = told(name).replace(f"{CORPUS}/", "")
    if _UPDATE:
        golden.write_text(found)
    assert found == golden.read_text(), "GOLDEN=update writes it again"


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_a_valid_portico_toml(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CORPUS.parent)
    if name.startswith("broken"):
        return
    for one in adopt(source(name), system=()).sites:
        assert bool(one.text) != bool(one.site.refused)
        assert refusals(one.text) == {}
        tomllib.loads(one.text)


def test_no_line_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each directive of a site is an option, kept, or has a remark; those that only hold others are neither."""
    monkeypatch.chdir(CORPUS.parent)
    silent = {
        "limit_req_zone",
        "limit_conn_zone",
        "server",
        "http",
        "events",
        "location",
        "upstream",
        "map",
        "include",
        "index",
        "root",
        "set",
    }
    for name in NAMES:
        if name.startswith("broken") or source(name).is_dir():
            continue
        result = adopt(source(name), system=())
        if any(one.site.refused for one in result.sites):
            continue
        kept = "\n".join(kept.cause for one in result.sites for kept in one.site.kept)
        causes = {option.cause for one in result.sites for option in one.site.options} | set(kept.split("\n"))
        causes |= {one.cause for made in result.sites for one in made.site.remarks} | {
            one.cause for one in result.remarks
        }
        for node, above in result.root.walk():
            if (
                node.name in silent
                or any(one.place in causes for one in above)
                or above[-1].name in ("map", "types", "upstream")
            ):
                continue
            if not any(cause.rpartition(":")[0] == node.file for cause in causes):
                continue
            assert node.place in causes or _is_part(node.name), f"{name}: {node.place} {node.text}"


_PARTS = frozenset({
    "listen", "server_name", "deny", "allow", "try_files", "alias", "access_log", "log_not_found", "set_real_ip_from",
    "gzip_static", "internal", "return", "satisfy", "if", "stub_status", "rewrite", "default_type", "error_page",
    "types", "ssl_certificate", "ssl", "real_ip_header", "proxy_cache", "proxy_pass_request_body", "proxy_set_header",
})  # fmt: skip
"""Directives that another line of the same block speaks for."""


def _is_part(name: str) -> bool:
    ends = ("_pass", "_cache_valid", "_key", "_user_file", "_path", "_status", "_server_name")
    return name.endswith(ends) or name in _PARTS


def test_the_value_of_no_variable_of_an_environment_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CORPUS.parent)
    for name in ("unit-gunicorn", "uwsgi-ini", "gunicorn-file"):
        text = told(name)
        assert "s3cret" not in text
        assert "hidden" not in text
        assert "very-secret" not in text


def test_a_python_file_is_not_executed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gunicorn.conf.py").write_text(
        f'wsgi_app = "a:b"\nopen({str(tmp_path / "executed")!r}, "w")\n'
    )
    (tmp_path / "a.conf").write_text("server { location / { proxy_pass http://127.0.0.1:8000; } }")
    found = adopt(tmp_path / "a.conf", system=())
    assert found.sites[0].site.value("app") == "a:b"
    assert not (tmp_path / "executed").exists()


def test_the_faults_of_the_original_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CORPUS.parent)
    text = "\n".join(lines(adopt(source("old-tls.conf"), system=()), []))
    assert "faults of the original" in text
    assert "old-tls.conf:7" in text


def test_what_cannot_be_kept_is_never_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CORPUS.parent)
    for name in ("grpc.conf", "variable-pass.conf"):
        (one,) = adopt(source(name), system=()).sites
        assert one.site.refused
        assert any(remark.fate is Fate.LOST for remark in one.site.remarks)
