"""A tutorial's nginx file beside an app: no file says what listens there, but the app lies in the folder."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from portico.cli.adopt.shown import lines
from portico.project.adopt.adopt import adopt

APP = "from flask import Flask\napp = Flask(__name__)\n"


def last_lines(directory: Path, server: str, monkeypatch: pytest.MonkeyPatch, files: list[Path]) -> str:
    (directory / "shop.conf").write_text(
        f"server {{\n    listen 80;\n    location / {{ proxy_pass {server}; }}\n}}\n"
    )
    monkeypatch.chdir(directory)
    made = lines(adopt(Path("shop.conf"), system=()), files)
    return click.unstyle("\n".join(made[-4:]))


@pytest.mark.parametrize(
    "server", ["http://127.0.0.1:5000", "http://localhost:5000/", "http://unix:/run/shop.sock"]
)
def test_the_app_of_the_folder_is_named(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "app.py").write_text(APP)

    assert "portico adopt shop.conf --app app --write" in last_lines(tmp_path, server, monkeypatch, [])
    assert "remove portico.toml, then" in last_lines(tmp_path, server, monkeypatch, [Path("portico.toml")])


def test_servers_elsewhere_and_folders_without_an_app_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--app" not in last_lines(tmp_path, "http://127.0.0.1:5000", monkeypatch, [])
    (tmp_path / "app.py").write_text(APP)
    assert "--app" not in last_lines(tmp_path, "http://10.0.0.2:5000", monkeypatch, [])
    (tmp_path / "Procfile").write_text("web: gunicorn -b 127.0.0.1:5000 app:app\n")
    assert "--app" not in last_lines(tmp_path, "http://127.0.0.1:5000", monkeypatch, [])
