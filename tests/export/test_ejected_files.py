"""The files of an ejected site as values: nothing is missing, and nothing names a part of Portico."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from portico.errors import UsageError
from portico.explain.nginx.read import read
from portico.export.eject import Ejected, ejected, lost
from portico.run.disk.write import write_files
from portico.site.load import load
from portico.site.model import Site
from tests.plan.test_golden import FACTS, PLACE

WHERE = "/srv/plain"


def site(directory: Path, text: str = "", **facts: object) -> Site:
    toml = directory / "portico.toml"
    toml.write_text(text)
    options, causes = load(toml, {})
    return Site(options, msgspec.structs.replace(FACTS, **facts), str(directory), "shop", causes)


def texts(made: Ejected) -> dict[str, str]:
    return {file.path: file.content for file in made.files}


def test_the_app_has_one_socket_and_nothing_imports_portico(tmp_path: Path) -> None:
    files = texts(ejected(site(tmp_path), PLACE, WHERE))
    assert re.findall(r"server unix:\S+", files["conf/nginx.conf"]) == [f"server unix:{WHERE}/app.sock"]
    assert f"socket = {WHERE}/app.sock" in files["conf/uwsgi.ini"]
    assert not [path for path, text in files.items() if "portico.link" in text or "import portico" in text]
    assert not [path for path, text in files.items() if re.search(r"@[a-z_]+@", text)]


def test_what_only_portico_can_do_is_left_out_and_said(tmp_path: Path) -> None:
    made = site(tmp_path, '[guard]\nchallenge = "always"\nban = "10m"\n')
    files = texts(ejected(made, PLACE, WHERE))
    assert "challenge.sock" not in files["conf/nginx.conf"]
    assert "guard.challenge" in files["README.md"]
    assert "hsts.conf" not in files["README.md"]
    assert [one for one in lost(made) if "guard.ban" in one]


def test_an_asgi_app_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="ASGI"):
        ejected(site(tmp_path, kind="asgi"), PLACE, WHERE)


def test_a_path_that_uwsgi_would_replace_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="rename the directory"):
        ejected(site(tmp_path), PLACE, "/srv/$(HOME)")


def test_https_of_certbot_has_its_line_and_a_first_certificate(tmp_path: Path) -> None:
    made = site(tmp_path, 'domains = ["shop.example.com"]\nemail = "a@shop.example.com"\n')
    files = texts(ejected(made, PLACE, WHERE))
    assert "certbot certonly --webroot" in files["README.md"]
    assert "| `certificate`, `conf/hsts.conf` |" in files["README.md"]
    assert "./certificate --if-missing" in files["start"]
    assert "conf/hsts.conf" in files


def test_nginx_s_files_are_read_with_their_includes(tmp_path: Path) -> None:
    made = ejected(site(tmp_path), PLACE, str(tmp_path))
    write_files(made.files, tmp_path)
    names = {node.name for node, _ in read(tmp_path / "conf/nginx.conf").walk()}
    assert {"types", "map", "log_format", "uwsgi_param", "uwsgi_pass", "location"} <= names


def test_only_programs_are_executable(tmp_path: Path) -> None:
    made = ejected(site(tmp_path), PLACE, WHERE)
    assert {file.path for file in made.files if file.mode & 0o111} <= made.programs
