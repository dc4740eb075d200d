"""What `portico check` says of a machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import environment, free_port, portico, private_directory, served, write_files

HELLO = "from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef index():\n    return 'hello'\n"
WITHOUT_ROOTS_RIGHTS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] * (os.geteuid() == 0)
is_root = pytest.mark.skipif(os.geteuid() != 0, reason="nginx has a user of its own only under root")


@pytest.fixture
def home() -> Iterator[Path]:
    with private_directory() as directory:
        toml = f'listen = "127.0.0.1:{free_port()}"\n'
        write_files(directory, {"app.py": HELLO, "portico.toml": toml})
        yield directory


def checked(home: Path, *words: str, **env: str) -> dict[str, dict[str, Any]]:
    done = portico("check", "--json", *words, cwd=home, env=env)
    assert done.stdout, done.stderr
    return {item["subject"]: item for item in json.loads(done.stdout)}


@pytest.mark.parametrize("name", ["a$b", "long" * 30])
def test_a_strange_tmpdir_is_no_fault(home: Path, name: str) -> None:
    (home / name).mkdir()
    found = checked(home, TMPDIR=str(home / name))
    assert found["nginx"]["level"] == "ok", found["nginx"]


def test_the_test_of_the_files_binds_no_port_of_the_site(home: Path) -> None:
    """nginx -t binds: an address the machine has not is a fault of the port, never of the files."""
    found = checked(home, "--listen", "192.0.2.1:80")
    assert found["nginx"]["level"] == "ok"
    assert found["port 80"]["what"] == "this machine has no address 192.0.2.1"


def test_a_fault_is_said_with_the_line_of_the_real_file(home: Path) -> None:
    words = ("--listen", f":{free_port()}", "--domain", "shop.example")
    (home / "portico.toml").write_text('[nginx]\nserver = ["prox_pass http://a;"]\n')
    said = checked(home, *words)["nginx"]
    assert said["what"] == "portico.toml:2: nginx does not accept this directive: prox_pass http://a;"
    number = said["hint"].rpartition("nginx.conf:")[2].split()[0]
    assert "prox_pass http://a;" in portico("explain", number, *words, cwd=home).stdout


def test_a_running_site_owns_its_ports_and_no_others() -> None:
    with served({"app.py": HELLO}) as run, socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        own = checked(run.directory, "--listen", f"127.0.0.1:{run.port}")
        assert "this site is running" in own["ports"]["what"]
        assert f"port {run.port}" not in own
        taken = checked(run.directory, "--listen", f"127.0.0.1:{port}")
        assert taken[f"port {port}"]["level"] == "fault"


def test_a_file_where_the_runtime_directory_should_be(home: Path) -> None:
    (home / "file").write_text("")
    found = checked(home, PORTICO_RUNTIME_DIR=str(home / "file/run"))
    assert found["directories"]["level"] == "fault"
    assert found["directories"]["what"] == f"{home}/file is in the way: it is not a directory"


def test_a_directory_that_can_be_made(home: Path) -> None:
    assert checked(home)["directories"]["level"] == "ok"


@is_root
def test_nginx_s_user_must_be_able_to_walk_to_the_sockets(home: Path) -> None:
    (home / "private").mkdir(mode=0o700)
    found = checked(home, PORTICO_RUNTIME_DIR=str(home / "private/run"))
    assert found["directories"]["level"] == "fault"
    assert f": {home}/private: mode drwx------" in found["directories"]["what"]
    (home / "private").chmod(0o711)
    assert checked(home, PORTICO_RUNTIME_DIR=str(home / "private/run"))["directories"]["level"] == "ok"


def test_a_directory_that_may_not_be_written(home: Path) -> None:
    (home / "locked").mkdir(mode=0o555)
    words = [*WITHOUT_ROOTS_RIGHTS, sys.executable, "-m", "portico", "check", "--json"]
    done = subprocess.run(
        words, cwd=home, env=environment(home) | {"PORTICO_STATE_DIR": str(home / "locked/state")},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert any(f"{home}/locked may not be written" in item["what"] for item in found), found


def test_an_nginx_that_drops_kept_connections_at_a_reload_is_named(home: Path) -> None:
    assert checked(home)["nginx reload"]["level"] == "ok"
    old = checked(home, "--nginx", "system")["nginx reload"]
    assert old["level"] == "warning"
    assert "keepalive_min_timeout" in old["hint"]
    assert "--nginx embedded" not in old["hint"]


def test_of_apache_it_says_what_is_known(home: Path) -> None:
    """There is no list of httpd's published faults, and its processes hold requests, not connections."""
    found = checked(home, "--gateway", "apache")
    assert found["apache security"]["level"] == "warning"
    assert "Portico has no list of apache's published faults" in found["apache security"]["what"]
    assert found["open files"]["what"].endswith("requests in each apache process")
    assert not any(
        "nginx" in word for one in found.values() for word in one.values() if isinstance(word, str)
    )


@pytest.mark.parametrize("name", ["nosuch.toml", "./nosuch.toml"])
def test_a_file_that_is_not_there_is_named_once(home: Path, name: str) -> None:
    done = portico("check", name, "portico.toml", cwd=home)
    assert done.returncode == 1
    assert f"FAULT    site: {name}: no such file" in done.stdout


def test_a_program_that_is_not_there_is_named(home: Path) -> None:
    (home / "plain.sh").touch(0o644)
    more = '[release]\nbefore = "no-such-program --now"\n[processes]\nworker = "python -m worker"\n'
    more += 'clock = "./plain.sh"\nmail = "bin/mail"\n'
    (home / "portico.toml").write_text((home / "portico.toml").read_text() + more)
    found = {name: one for name, one in checked(home).items() if one["code"] == "program"}
    assert {name: (one["level"], one["what"]) for name, one in found.items()} == {
        "[release] before": ("fault", "no-such-program cannot be started"),
        "[processes] clock": ("warning", "./plain.sh cannot be started"),
        "[processes] mail": ("warning", "bin/mail cannot be started"),
    }
    assert found["[processes] clock"]["hint"] == f"make it executable: chmod +x {home}/plain.sh"


def test_files_that_get_no_compressed_copy_are_named(home: Path) -> None:
    write_files(home, {"static/app.css": "a {}\n" * 300, "static/film.mp4": ""})
    assert "copies of /static/" not in checked(home)
    for name in ("data/world.json", "film.mp4"):
        (home / "static/data").mkdir(exist_ok=True)
        with (home / "static" / name).open("wb") as file:
            file.truncate(40 << 20)
    found = checked(home)["copies of /static/"]
    assert found["level"] == "warning"
    assert found["what"].startswith("data/world.json (40 MiB): larger than 16MiB")


def test_own_blocks_that_lose_headers_or_believe_a_client_are_warnings_with_their_line(home: Path) -> None:
    toml = (home / "portico.toml").read_text()
    own = '[nginx]\nserver = ["""\nlocation /x {\n    add_header X-Mine 1;\n    proxy_pass http://127.0.0.1:9;\n}"""]\n'
    (home / "portico.toml").write_text(toml + own)
    found = checked(home)
    assert "X-Request-ID" in found["portico.toml:5"]["what"]
    assert "X-Forwarded-For" in found["portico.toml:6"]["what"]
