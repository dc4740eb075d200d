"""`portico export systemd`: the words that were typed come back in the unit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from portico.project.command_line import command_line
from tests.support import portico, private_directory, write_files

APP = "def app(environ, start):\n    start('200 OK', [])\n    return [b'x']\n"


@pytest.mark.parametrize(
    ("app", "config", "flags", "typed"),
    [
        (None, None, {}, ()),
        ("shop:app", "x.toml", {}, ("--config", "x.toml", "shop:app")),
        (None, None, {"domains": ["a", "b"]}, ("--domains=a", "--domains=b")),
        (
            None,
            None,
            {"limits-dry-run": True, "max-upload": "1MiB"},
            ("--limits-dry-run", "--max-upload=1MiB"),
        ),
    ],
)
def test_what_was_typed(
    app: str | None, config: str | None, flags: dict[str, object], typed: tuple[str, ...]
) -> None:
    assert command_line(app, config, flags) == typed


def unit(home: Path, *more: str) -> dict[str, str]:
    done = portico("export", "systemd", *more, cwd=home)
    assert done.returncode == 0, done.stderr
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line and line[0] != "#")


def test_the_unit_starts_what_was_exported_where_it_was() -> None:
    with private_directory() as home:
        write_files(home, {"shop.py": APP})
        made = unit(home, "shop:app", "--listen", "127.0.0.1:8081", "--user", "ann", "--limits-dry-run")
        assert made["WorkingDirectory"] == str(home)
        typed = made["ExecStart"].partition(" -m portico run ")[2].split()
        assert sorted(typed) == ["--limits-dry-run", "--listen=127.0.0.1:8081", "shop:app"]
        assert made["User"] == "ann"
        again = portico("check", "shop:app", "--listen=127.0.0.1:8081", "--limits-dry-run", cwd=home)
        assert again.returncode == 0, again.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="is about root")
def test_root_does_not_run_the_app_as_root() -> None:
    with private_directory() as home:
        write_files(home, {"app.py": APP})
        made = unit(home)
        assert made["DynamicUser"] == "yes"
        assert "User" not in made
        assert "ReadWritePaths" not in made
        said = portico("export", "systemd", cwd=home).stderr
        assert f"the app is in {home}: a temporary user of systemd has a /tmp of its own" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="root may enter everything")
def test_what_the_services_user_cannot_reach_is_said() -> None:
    with private_directory() as home:
        write_files(home, {"closed/app.py": APP})
        (home / "closed").chmod(0o700)
        said = portico("export", "systemd", "--user", "daemon", cwd=home / "closed").stderr
    assert f"the app is in {home}/closed, which user 'daemon' cannot reach ({home}/closed)" in said


def test_written_into_a_directory() -> None:
    with private_directory() as home:
        write_files(home, {"app.py": APP})
        done = portico("export", "systemd", "--name", "shop", "--write", "units", cwd=home)
        assert done.stdout == "units/portico-shop.service\n"
        assert (home / "units/portico-shop.service").read_text() == portico(
            "export", "systemd", "--name", "shop", cwd=home
        ).stdout


def test_an_image_is_written_beside_the_code_and_never_over_a_file() -> None:
    with private_directory() as home:
        write_files(home, {"shop.py": APP, "requirements.txt": "flask\n", "elsewhere/x": ""})
        first = portico("export", "docker", "shop:app", cwd=home)
        assert first.returncode == 0, first.stderr
        written = {Path(line).name for line in first.stdout.splitlines()}
        assert {"Dockerfile", ".dockerignore"} < written
        assert len([name for name in written if name.endswith("-py3-none-any.whl")]) == 1
        assert 'CMD ["portico", "run", "shop:app"]' in (home / "Dockerfile").read_text()
        (home / "Dockerfile").write_text("mine")
        again = portico("export", "docker", "shop:app", cwd=home)
        assert again.returncode == 1
        assert "Dockerfile is there already, and you may have changed it" in again.stderr
        assert (home / "Dockerfile").read_text() == "mine"


def test_what_is_about_several_sites_or_hosts_leaves_options_of_the_shell_out() -> None:
    with private_directory() as home:
        write_files(home, {f"{name}/app.py": APP for name in ("one", "two")})
        typed = {"PORTICO_WORKERS_COUNT": "x", "PORTICO_UPSTREAM_SERVERS": "10.9.9.9:80"}
        done = portico("check", "one", "two", cwd=home, env=typed)
        assert "not used: PORTICO_WORKERS_COUNT, PORTICO_UPSTREAM_SERVERS" in done.stderr
        assert "workers.count" not in done.stdout
        write_files(home, {"portico.toml": 'fleet = "/srv/shop"\nupstream = ["10.0.0.2:80"]\n'})
        made = portico("export", "fleet", cwd=home, env=typed)
        assert made.returncode == 0, made.stderr
        assert "10.0.0.2" in made.stdout
        assert "10.9.9.9" not in made.stdout
