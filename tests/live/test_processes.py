"""[processes]: background processes begin with a release that serves, and end with it."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support import Served, portico, rewrite, served
from tests.support.process import is_alive
from tests.support.until import until

APP = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"RELEASE"]
"""
WORKER = """
import json, os, signal, sys, time
def leave(number, frame):
    print("leaves", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if os.path.exists("stubborn") else leave)
try:
    os.open("/dev/tty", os.O_RDWR)
    has_terminal = True
except OSError:
    has_terminal = False
files = []
for fd in os.listdir("/proc/self/fd"):
    try:
        files.append(os.readlink(f"/proc/self/fd/{fd}"))
    except OSError:
        pass  # that of the list itself
begun = {"pid": os.getpid(), "uid": os.geteuid(), "cwd": os.getcwd(), "level": os.environ["LEVEL"],
    "files": files, "has_terminal": has_terminal, "group": os.getpgrp(), "word": sys.argv[1]}
with open("begun", "a") as file:
    file.write(json.dumps(begun) + "\\n")
print("to stdout", os.environ["LEVEL"])
print("to stderr", file=sys.stderr)
while True:
    time.sleep(0.05)
    if os.path.exists("broken"):
        os.remove("broken")  # one ends by it, the next goes on
        sys.exit("cannot go on")
"""
TOML = """
request_timeout = "1s"
[workers]
count = 1
[processes]
worker = "python worker.py 'two words'"
[env]
LEVEL = "1"
"""


@pytest.fixture
def site(_needs_nginx: None) -> Iterator[Served]:
    files = {"app.py": APP.replace("RELEASE", "one"), "worker.py": WORKER, "portico.toml": TOML}
    with served(files) as run:
        yield run


def _begun(site: Served, count: int) -> list[dict[str, Any]]:
    """What each of so many starts said of itself."""
    path = site.directory / "begun"

    def read() -> list[dict[str, Any]]:
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    until(lambda: len(read()) >= count, site.stderr)
    return read()


def _told(site: Served) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(portico("status", "--json", cwd=site.directory).stdout)
    return found


def _status(site: Served) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _told(site)["background"]
    return found


def test_one_runs_while_its_release_serves_and_is_replaced_with_it(site: Served) -> None:
    home: Path = site.directory
    (one,) = _begun(site, 1)
    first = psutil.Process(one["pid"])
    (worker,) = site.called("gunicorn: worker") or site.called("gunicorn")[-1:]
    assert one["uid"] == worker.uids().effective
    assert (one["cwd"], one["level"], one["word"]) == (str(home), "1", "two words")
    assert one["group"] == one["pid"], "Ctrl-C does not reach it"
    assert not one["has_terminal"]
    assert not [name for name in one["files"] if name.startswith("socket:")]
    site.until_said("worker: to stdout 1")
    site.until_said("worker: to stderr")
    assert " app    worker: to stdout 1" in portico("logs", "--no-follow", cwd=home).stdout
    assert [(it["name"], it["release"], it["status"], it["pid"]) for it in _status(site)] == [
        ("worker", 1, "running", first.pid)
    ]
    text = portico("status", cwd=home).stdout
    assert f"  process    worker  running, pid {first.pid}, for " in text

    site.until_all_have_loaded(1)
    rewrite(home / "app.py", "raise ValueError('broken')")
    # Portico looks once a second at what the worker has loaded: a rollback names what has changed.
    until(lambda: _told(site)["changed_on_disk"] == ["app.py"], site.stderr)
    assert portico("reload", cwd=home).returncode != 0
    assert is_alive(first)
    assert len(_begun(site, 1)) == 1

    rewrite(home / "app.py", APP.replace("RELEASE", "two"))
    rewrite(home / "portico.toml", TOML.replace('LEVEL = "1"', 'LEVEL = "2"'))
    done = portico("reload", cwd=home)
    assert done.returncode == 0, done.stdout + done.stderr
    second = psutil.Process(_begun(site, 2)[1]["pid"])
    assert _begun(site, 2)[1]["level"] == "2"
    until(lambda: not is_alive(first), site.stderr)
    site.until_said("worker: leaves")

    back = portico("rollback", cwd=home)
    assert back.returncode == 0
    assert (
        "loads what is there now, and its process runs that already (worker); restore the code" in back.stdout
    )
    third = psutil.Process(_begun(site, 3)[2]["pid"])
    assert _begun(site, 3)[2]["level"] == "1"
    until(lambda: not is_alive(second), site.stderr)

    assert portico("stop", cwd=home).returncode == 0
    site.process.wait(60)
    assert not is_alive(third)


def test_one_that_ends_is_started_again_and_one_that_does_not_is_killed(site: Served) -> None:
    home: Path = site.directory
    (one,) = _begun(site, 1)
    os.kill(one["pid"], signal.SIGKILL)
    site.until_said("process worker ended (killed by signal 9); starting it again in 1 s")
    (home / "stubborn").touch()
    (home / "broken").touch()
    _begun(site, 2)
    site.until_said("worker: cannot go on")
    site.until_said("process worker ended (exit code 1) (crash 2 in a row)")
    until(lambda: site.get().text == "one", site.stderr)  # a request may take a second alone
    third = psutil.Process(_begun(site, 3)[2]["pid"])
    site.process.send_signal(signal.SIGTERM)
    site.process.wait(60)
    assert not is_alive(third)
    site.until_said("process worker of release 1 did not end within 6 s: it is killed")


def test_it_does_not_outlive_a_killed_portico(site: Served) -> None:
    process = psutil.Process(_begun(site, 1)[0]["pid"])
    site.process.send_signal(signal.SIGKILL)
    site.process.wait(60)
    until(lambda: not is_alive(process), site.stderr)


def test_a_program_that_is_not_there_is_said_and_the_site_serves(site: Served) -> None:
    _begun(site, 1)
    rewrite(site.directory / "portico.toml", TOML.replace("python worker.py", "no-such-program"))
    done = portico("reload", cwd=site.directory)
    assert done.returncode == 0
    site.until_said("[processes] worker: no-such-program 'two words': cannot be started")
    site.until_said(f"  no such program in {Path(sys.executable).parent} or in PATH: install it")
    until(lambda: site.get().text == "one", site.stderr)
    (one,) = [it for it in _status(site) if it["release"] == 2]
    assert (one["status"], one["pid"]) == ("resting", None)

    program = site.directory / "bin/other-program"
    program.parent.mkdir()
    program.touch(0o644)
    path = f'PATH = "{program.parent}:{os.environ["PATH"]}"\n'
    rewrite(site.directory / "portico.toml", TOML.replace("python worker.py", "other-program") + path)
    assert portico("reload", cwd=site.directory).returncode == 0
    site.until_said("other-program 'two words': cannot be started\n  no such program in")


DAEMONS = """
import subprocess
def daemons(name):
    many = "for i in $(seq 60); do sleep 0.1 & done"
    keep = f"sleep 1000 & echo $! >{name}; trap '' TERM; sleep 1000 & echo $! >{name}-stubborn"
    for command in (many, keep):
        subprocess.run(["setsid", "sh", "-c", command], check=True)
    open(f"{name}-made", "w").close()
    return b"made"
"""
APP_OF_DAEMONS = """
from daemons import daemons
def app(environ, start_response):
    made = daemons("app") if environ["PATH_INFO"] == "/daemons" else b"one"
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [made]
"""
WORKER_OF_DAEMONS = """
import time
from daemons import daemons
print(daemons("worker"), flush=True)
time.sleep(1000)
"""
ONLY_ONE = """
import os, signal, time
before = os.path.exists("child") and open("child").read()
with open("clocks", "a") as file:
    file.write("beside\\n" if before and os.path.exists(f"/proc/{before}") else "alone\\n")
ready, done = os.pipe()
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with open("child", "w") as file:
        file.write(str(os.getpid()))
    os.close(done)
    time.sleep(1000)
while not os.path.exists("child") or open("child").read() in ("", before):
    time.sleep(0.01)
"""
TOML_OF_DAEMONS = """
request_timeout = "4s"
[workers]
count = 1
[processes]
worker = "python worker.py"
clock = "python clock.py"
loud = "yes"
"""


def _sleepers(site: Served) -> int:
    """Portico's children of that name, the exited ones, too."""
    count = 0
    for one in psutil.Process(site.process.pid).children():
        with suppress(psutil.NoSuchProcess):
            count += one.name() == "sleep"
    return count


@pytest.mark.usefixtures("_needs_nginx")
def test_daemons_and_children_of_one_and_one_that_never_stops_writing() -> None:
    files = {
        "app.py": APP_OF_DAEMONS, "daemons.py": DAEMONS, "worker.py": WORKER_OF_DAEMONS, "clock.py": ONLY_ONE,
        "portico.toml": TOML_OF_DAEMONS,
    }  # fmt: skip
    kept = list[psutil.Process]()
    with served(files) as site:
        try:
            site.get("/daemons")  # its answer may take longer than nginx waits
            until((site.directory / "app-made").exists, site.stderr)
            site.until_said("worker: b'made'")
            names = [f"{name}{end}" for name in ("app", "worker") for end in ("", "-stubborn")]
            kept += [psutil.Process(int((site.directory / name).read_text())) for name in names]
            until(lambda: _sleepers(site) == len(kept), site.stderr)
            site.until_said("process loud writes more than 500 lines a second")
            clocks = site.directory / "clocks"
            until(lambda: len(clocks.read_text().splitlines()) >= 2, site.stderr)
            assert set(clocks.read_text().splitlines()) == {"alone"}, "what one before had started still ran"
            assert [it["name"] for it in _status(site)] == ["worker", "clock", "loud"]
            assert all(map(is_alive, kept))
            assert portico("stop", cwd=site.directory).returncode == 0
            site.process.wait(60)
            assert not [one for one in kept if is_alive(one)]
        finally:
            for one in kept:
                if is_alive(one):
                    one.kill()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('worker = "celery worker && true"', "worker: '&&' is for a shell, and none reads this"),
        ('worker = "celery \'worker"', 'worker: "celery \'worker": a quotation mark has no other'),
        ('worker = ""', "worker: names no program"),
        ('worker = "LEVEL=1 celery worker"', "worker: LEVEL=... names no program: a shell reads that"),
        ('"my worker" = "celery worker"', "'my worker' cannot name a process"),
        ('Worker = "celery worker"', "'Worker' cannot name a process"),
        ("worker = 3", "write the value of worker in quotes"),
    ],
)
def test_what_is_no_process_is_refused(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "portico.toml").write_text(f'app = "app:app"\n[processes]\n{line}\n')
    (tmp_path / "app.py").write_text(APP)
    done = portico("plan", cwd=tmp_path)
    assert done.returncode == 2
    assert "portico.toml:2: processes: " in done.stderr
    assert said in done.stderr
    shown = portico("plan", "--processes=", "--config", "none", cwd=tmp_path)
    assert "celery" not in shown.stdout
