"""The files of `portico export nginx` and `apache`, run where Portico is neither in Python nor on the disk."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil
import pytest

from tests.support import AS_ROOT, free_port, private_directory
from tests.support.process import command_of, is_alive, running
from tests.support.until import until

PACKAGES = ("flask", "werkzeug", "jinja2", "markupsafe", "itsdangerous", "click", "blinker", "pyuwsgi.libs")
APP = """
import time
from flask import Flask, request
app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 200_000

@app.route("/")
def index():
    return {"client": request.remote_addr, "scheme": request.scheme, "host": request.host, "url": request.url_root}

@app.route("/up", methods=["POST"])
def up():
    return str(len(request.get_data()))

@app.route("/late")
def late():
    time.sleep(8)
    return "late"

@app.route("/parts")
def parts():
    return (f"data: {number}\\n\\n" for number in range(3)), {"Content-Type": "text/event-stream"}

@app.route("/boom")
def boom():
    raise RuntimeError
"""
PROGRAMS = {"nginx": "nginx", "apache": "apache2"}
"""The installed program of each gateway: tests/support's nginx comes with Portico."""


class Served(NamedTuple):
    gateway: str
    port: int
    directory: Path
    environment: dict[str, str]

    def ask(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", headers=headers, timeout=60)


def without_portico(directory: Path) -> dict[str, str]:
    """An environment with the Python that made this one's, and of its packages what the app needs."""
    packages, here = directory / "packages", Path(sysconfig.get_path("purelib"))
    packages.mkdir()
    for found in (*map(here.joinpath, PACKAGES), *here.glob("pyuwsgi*.so")):
        copied = shutil.copytree if found.is_dir() else shutil.copy
        copied(found, packages / found.name)
    python = str(getattr(sys, "_base_executable", sys.executable))
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(packages), "PYTHON": python}
    done = subprocess.run([python, "-c", "import portico"], env=environment, capture_output=True, check=False)
    assert b"ModuleNotFoundError" in done.stderr
    return environment


def alone(start: Path) -> list[str]:
    """The command in a mount namespace where Portico's repository and environment are empty; an ordinary user has
    none, and runs the command itself.
    """
    home = Path(__file__).parents[2]
    hidden = [home] if sys.prefix in (sys.base_prefix, str(home)) else [Path(sys.prefix), home]
    script = " && ".join(
        [*(f"mount -t tmpfs none {path}" for path in hidden), f"test ! -e {home}/src", 'exec "$@"']
    )
    inside = ["unshare", "--mount", "sh", "-c", script, "sh"]
    works = (
        os.geteuid() == 0
        and not subprocess.run([*inside, "true"], capture_output=True, check=False).returncode
    )
    return [*inside, str(start)] if works else [str(start)]


def exported(gateway: str, directory: Path, port: int) -> Path:
    code = directory / "shop"
    (code / "static").mkdir(parents=True)
    (code / "shop.py").write_text(APP)
    (code / "static" / "a.css").write_text("a{}")
    (code / "portico.toml").write_text(
        f'app = "shop:app"\nlisten = "127.0.0.1:{port}"\nrequest_timeout = "3s"\ndomains = ["shop.example"]\n'
        "[https]\nmode = 'off'\n"
    )
    out = directory / "out"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
    } | AS_ROOT
    done = subprocess.run(
        [sys.executable, "-m", "portico", "export", gateway, "--write", str(out)],
        cwd=code, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {str(path) for path in out.rglob("*") if path.is_file()}
    return out


@pytest.fixture(scope="module", params=sorted(PROGRAMS))
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    gateway = str(request.param)
    if shutil.which(PROGRAMS[gateway], path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None:
        pytest.skip(f"needs an installed {gateway}")
    with private_directory() as directory:
        port = free_port()
        out, environment = exported(gateway, directory, port), without_portico(directory)
        with (
            (directory / "output").open("wb") as output,
            running(
                alone(out / "start"), cwd=Path("/"), env=environment, stdout=output, stderr=output, leads=True
            ) as process,
        ):
            site = Served(gateway, port, out, environment)
            until(lambda: _answers(site) or process.poll() is not None)
            assert process.poll() is None, (directory / "output").read_text()
            yield site
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
            assert not [*out.glob("*.pid")]


def _answers(site: Served) -> bool:
    try:
        return site.ask("/", host="shop.example").status_code == 200
    except httpx.HTTPError:
        return False


def test_what_a_client_says_of_itself_is_not_believed(served: Served) -> None:
    said = {"X-Forwarded-For": "192.0.2.6", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
    told = served.ask("/", host="shop.example", **said).json()
    assert told == {
        "client": "127.0.0.1",
        "scheme": "http",
        "host": "shop.example",
        "url": "http://shop.example/",
    }


def test_an_unknown_host_does_not_reach_the_app(served: Served) -> None:
    if served.gateway == "apache":
        assert served.ask("/", host="evil.example").status_code in (400, 403, 404, 421)
        return
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        served.ask("/", host="evil.example")


def test_static_files_come_from_nginx_and_nothing_beside_them(served: Served) -> None:
    found = served.ask("/static/a.css", host="shop.example")
    assert (found.status_code, found.text, found.headers["Server"]) == (
        200,
        "a{}",
        served.gateway.capitalize() if served.gateway == "apache" else "nginx",
    )
    assert found.headers["X-Request-ID"]
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    connection.request("GET", "/static../shop.py", headers={"Host": "shop.example"})
    assert connection.getresponse().status == 404


def test_a_stream_arrives_whole(served: Served) -> None:
    found = served.ask("/parts", host="shop.example")
    assert found.text == "data: 0\n\ndata: 1\n\ndata: 2\n\n"


@pytest.mark.parametrize(("size", "status"), [(150_000, 200), (300_000, 413)])
def test_bodies_have_the_app_s_own_limit(served: Served, size: int, status: int) -> None:
    address = f"http://127.0.0.1:{served.port}/up"
    found = httpx.post(address, content=b"x" * size, headers={"Host": "shop.example"}, timeout=60)
    assert found.status_code == status


def test_a_slow_request_ends(served: Served) -> None:
    found = served.ask("/late", host="shop.example", accept="application/json")
    assert found.is_error
    if served.gateway == "nginx":
        assert (found.status_code, found.json()["error"]["status"]) == (504, 504)


def test_an_error_of_the_app_is_its_own(served: Served) -> None:
    found = served.ask("/boom", host="shop.example")
    assert found.status_code == 500
    assert "Internal Server Error" in found.text


def test_maintenance_is_a_file_by_hand(served: Served) -> None:
    closed = served.directory / "maintenance"
    closed.mkdir(mode=0o755)
    (closed / "on").touch()
    until(lambda: served.ask("/", host="shop.example").status_code == 503)
    (closed / "on").unlink()
    until(lambda: served.ask("/", host="shop.example").status_code == 200)


def test_a_second_start_takes_nothing_away_from_the_first(served: Served) -> None:
    again = subprocess.run(
        [str(served.directory / "start")], env=served.environment, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert again.returncode == 1
    assert again.stderr == f"{served.directory}/start runs already: end it first, with Ctrl-C or SIGTERM\n"
    assert served.ask("/", host="shop.example").status_code == 200


def test_the_files_say_what_they_are(served: Served) -> None:
    text = (served.directory / "README.md").read_text()
    assert "@" not in text.replace("@app", "")
    for file in served.directory.glob("*"):
        assert file.name in text or file.name in (
            "conf",
            "app.sock",
            "README.md",
            "maintenance",
            "nginx.pid",
            "httpd.pid",
            "app.sock.live",
        )
    for conf in (served.directory / "conf").glob("*.conf"):
        lines = conf.read_text().splitlines()
        assert lines[0].startswith("# ")
        assert any(line.strip().startswith("# ") for line in lines[1:])


def test_a_second_export_does_not_overwrite_what_may_have_been_changed(served: Served) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "portico", "export", served.gateway, "--write", str(served.directory)],
        cwd=served.directory.parent / "shop", env=os.environ | AS_ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "is there already" in done.stderr


def test_a_site_ends_whose_workers_have_only_just_been_started() -> None:
    """uWSGI's master would wait for ever: a worker that still imports the app does not hear that it shall end."""
    with private_directory() as directory:
        port = free_port()
        out, environment = exported("nginx", directory, port), without_portico(directory)
        (directory / "shop" / "shop.py").write_text(f"import time\ntime.sleep(5)\n{APP}")
        with running(
            [out / "start"], cwd=Path("/"), env=environment, stdout=directory / "output", leads=True
        ) as process:
            until(lambda: (out / "nginx.pid").exists() or process.poll() is not None)
            started = psutil.Process(process.pid).children(recursive=True)
            assert any("pyuwsgi" in command_of(one) for one in started)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
            until(lambda: not [one for one in started if is_alive(one)])
