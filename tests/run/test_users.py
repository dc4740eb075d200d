"""Started as root, the app is somebody else: what that user can reach of Portico's, and what belongs to whom."""

from __future__ import annotations

import grp
import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.live.test_https import pair
from tests.support import (
    Served,
    environment,
    free_port,
    portico,
    private_directory,
    start,
    until_ready,
    walk,
)  # fmt: skip
from tests.support import end as stop
from tests.support.until import until
from tests.users import ONLY_ROOT, USER, as_user, paths, places, python

pytestmark = ONLY_ROOT

APP = """
import getpass, json, os, pathlib, time

def app(environ, start):
    path = environ["PATH_INFO"]
    if path == "/who":
        body = json.dumps(
            {"uid": os.getuid(), "gid": os.getgid(), "groups": os.getgroups(), "home": os.environ["HOME"]}
        )
    elif path == "/say":
        print("said by the app", flush=True)
        body = "said"
    elif path == "/wait":
        while not os.path.exists("enough"):
            time.sleep(0.05)
        body = "waited"
    elif path == "/write":
        pathlib.Path("written.txt").write_text("by the app")
        body = "ok"
    else:
        body = "hello"
    start("200 OK", [("Content-Type", "text/plain")])
    return [body.encode()]
"""


@contextmanager
def running(*words: str) -> Iterator[Served]:
    """A site of `games`; its directories are beside that of the app."""
    with private_directory() as home:
        app = home / "app"
        app.mkdir()
        (app / "app.py").write_text(APP)
        shutil.chown(app, USER, USER)
        run = start(app, *words, python=python(), env=paths(home))
        try:
            until_ready(run)
            yield run
        finally:
            stop(run)


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    """With HTTPS, and a background process."""
    words = ("--https", "local", "--https-listen", f"127.0.0.1:{free_port()}")
    with running(*words, "--processes", "worker=sh -c 'echo begins; exec sleep 4321'") as run:
        yield run


def asked(run: Served, path: str) -> httpx.Response:
    url = next(line.split()[1] for line in run.stderr().splitlines() if line.strip().startswith("serving"))
    return httpx.get(url.rstrip("/") + path, verify=False, timeout=60)


def test_the_app_is_the_owner_of_its_directory(site: Served) -> None:
    told = json.loads(asked(site, "/who").text)
    entry = pwd.getpwnam(USER)
    assert (told["uid"], told["gid"]) == (entry.pw_uid, entry.pw_gid)
    assert 0 not in told["groups"]
    assert told["home"] == entry.pw_dir
    assert asked(site, "/write").text == "ok"
    assert (site.directory / "written.txt").stat().st_uid == entry.pw_uid
    assert f"the app runs as '{USER}'" in site.stderr()


def test_nginx_s_workers_are_not_root(site: Served) -> None:
    users = {process.username() for process in site.called("gunicorn", "nginx: worker")}
    assert "root" not in users
    assert USER in users


def test_background_processes_are_the_app_s_user_and_hold_nothing_of_root_s(site: Served) -> None:
    # The same process has those words before it is that program, at first as root.
    (process,) = until(
        lambda: [one for one in site.called("sleep 4321") if one.name() == "sleep"], site.stderr
    )
    assert process.username() == USER
    site.until_said("worker: begins")
    (log,) = until(lambda: [*places(site)[1].parent.glob("*.app/app.log")], site.stderr)
    until(lambda: "worker: begins" in log.read_text(), log.read_text)
    assert log.owner() == USER, "workers write to it, too"
    assert set(process.uids() + process.gids()).isdisjoint({0})
    held = [Path(f"/proc/{process.pid}/fd/{fd}").readlink() for fd in range(256) if _is_open(process.pid, fd)]
    assert [str(one) for one in held if not str(one).startswith(("pipe:", "/dev/null"))] == []


def _is_open(pid: int, fd: int) -> bool:
    return os.path.lexists(f"/proc/{pid}/fd/{fd}")


def test_owners_and_modes_after_a_start(site: Served) -> None:
    runtime, state = places(site)
    found = {}
    for top in (runtime, state, state.parent / "local-ca"):
        for path, status in ((top, top.lstat()), *walk(top)):
            name = str(path.relative_to(top.parent)).replace(runtime.name, "SITE").replace(state.name, "SITE")
            is_of_workers = "/workers/" in name or "/slow/" in name
            if not stat.S_ISLNK(status.st_mode) and "/errors" not in name and not is_of_workers:
                owner, group = pwd.getpwuid(status.st_uid).pw_name, grp.getgrgid(status.st_gid).gr_name
                found[f"{top.parent.name}/{name}"] = f"{stat.S_IMODE(status.st_mode):04o} {owner}:{group}"
    group = runtime.group()
    assert found == {
        "run/SITE": f"0751 root:{group}",
        "run/SITE/app-1.sock": f"0660 root:{group}",
        "run/SITE/app-1.sock.keep": f"0660 root:{group}",
        **{
            f"run/SITE/{name}": f"0660 root:{group}"
            for name in ("app.sock", "app.1.sock", "app.2.sock", "app.3.sock")
        },
        "run/SITE/app.sock.live": "0644 root:root",
        "run/SITE/children.json": "0600 root:root",
        "run/SITE/conf-1": "0755 root:root",
        "run/SITE/conf-1/certificate.pem": "0600 root:root",
        "run/SITE/conf-1/gunicorn.conf.py": "0644 root:root",
        "run/SITE/conf-1/hsts.conf": "0644 root:root",
        "run/SITE/conf-1/nginx.conf": "0600 root:root",
        "run/SITE/control.sock": "0600 root:root",
        "run/SITE/dashboard.sock": f"0660 root:{group}",
        "run/SITE/lock": "0600 root:root",
        "run/SITE/metrics.sock": f"0660 root:{group}",
        "run/SITE/nginx.pid": "0644 root:root",
        "run/SITE/purge.sock": f"0600 {USER}:root",
        "run/SITE/slow": f"0700 {USER}:root",
        "run/SITE/workers": f"0700 {USER}:root",
        "state/SITE": f"0750 root:{group}",
        "state/SITE/facts.json": "0600 root:root",
        "state/SITE/access.log": "0644 root:root",
        "state/SITE/bodies": f"0750 root:{group}",
        **{
            f"state/SITE/bodies/{name}": f"0700 {group}:{group}"
            for name in ("client_body", "fastcgi", "proxy", "scgi", "uwsgi")
        },
        "state/SITE/cache": f"0700 {group}:{group}",
        "state/SITE/certificates": "0700 root:root",
        "state/SITE/certificates/local.pem": "0600 root:root",
        "state/SITE/error.log": "0644 root:root",
        "state/SITE/static": f"0750 {group}:{group}",
        "state/local-ca": "0711 root:root",
        "state/local-ca/portico-local-ca.key": "0600 root:root",
        "state/local-ca/portico-local-ca.pem": "0644 root:root",
    }


def test_the_app_s_user_reaches_nothing_private(site: Served) -> None:
    runtime, state = places(site)
    secrets = [
        runtime / "conf/certificate.pem", runtime / "conf/nginx.conf", runtime / "lock", state / "access.log",
        state / "certificates/local.pem", state.parent / "local-ca/portico-local-ca.key",
    ]  # fmt: skip
    for path in secrets:
        assert path.exists()
        read = as_user("cat", str(path))
        assert (read.returncode, read.stdout) == (1, ""), path
    assert as_user("ls", str(runtime)).returncode != 0
    connect = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    for name in ("app.sock", "app-1.sock", "control.sock"):
        tried = as_user("/usr/bin/python3", "-c", connect, str(runtime / name))
        assert "PermissionError" in tried.stderr, name
    assert as_user("touch", str(runtime / "x")).returncode != 0


def test_reload_pause_and_stop_work_with_the_rights_there_are() -> None:
    with running("--request-timeout", "10m") as run:  # no pause is longer, and `resume` is to come in time
        home = run.directory.parent
        words = [sys.executable, "-m", "portico"]
        env = environment(home) | paths(home)
        for word in (["reload"], ["pause", "--for", "5m"], ["resume"], ["rollback"]):
            done = subprocess.run(
                [*words, *word], cwd=run.directory, env=env, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr + run.stderr()
        until(lambda: run.get("/who").status_code == 200, "an answer")
        assert json.loads(run.get("/who").text)["uid"] == pwd.getpwnam(USER).pw_uid
        assert run.stop() == -signal.SIGTERM
        assert "Traceback" not in run.stderr()
        assert "PermissionError" not in run.stderr()


def test_logs_traces_and_slow_requests_come_from_its_user_s_workers_too() -> None:
    with running("--request-timeout", "5m") as run:  # one waits while commands are asked
        home = run.directory.parent

        def told(*words: str) -> str:
            done = portico(*words, cwd=run.directory, env=paths(home))
            assert done.returncode == 0, done.stderr
            return done.stdout

        assert run.get("/say").text == "said"
        until(lambda: "said by the app" in told("logs", "--no-follow"), "the app's words under its request")
        traces = list[dict[str, Any]]()

        def is_whole() -> bool:
            """A busy machine may write the worker's record and the app's words later than a trace waits."""
            traces.append(json.loads(told("trace", "/say", "--json")))
            actions = [row["action"] for row in traces[-1]["rows"]]
            return bool("calls the app: GET /say" in actions and traces[-1]["app"])

        until(is_whole, lambda: traces[-1])
        assert [text.strip() for text in traces[-1]["app"]] == ["said by the app"]
        runtime, state = places(run)
        assert (runtime / "trace").owner() == "root"
        assert as_user("ls", str(runtime / "trace")).returncode != 0
        log = state.with_name(f"{state.name}.app") / "app.log"
        assert (log.owner(), log.parent.stat().st_mode & 0o7777) == (USER, 0o700)
        waiting = threading.Thread(target=lambda: run.get("/wait"))
        waiting.start()
        until(lambda: "GET /wait, for " in told("status"), "the request that waits")
        hostile = runtime / "slow" / "1.json"
        as_user("mkfifo", str(hostile))  # whatever that user puts there: nothing waits for it
        assert "GET /wait, for " in told("status")
        as_user("rm", str(hostile))
        as_user("ln", "-s", "/etc/passwd", str(log.with_name("app.log.1")))
        assert "root:x" not in told("logs", "--no-follow")
        (run.directory / "enough").touch()
        waiting.join()
        run.stop()
        assert "Traceback" not in run.stderr()


def test_a_directory_of_root_s_makes_the_app_nobody_or_is_refused_with_the_ways_out() -> None:
    with private_directory() as home:
        (home / "app.py").write_text(APP)
        run = start(home, python=python(), env=paths(home / "x"))
        try:
            until_ready(run)
            assert json.loads(run.get("/who").text)["uid"] == pwd.getpwnam("nobody").pw_uid
        finally:
            stop(run)
        home.chmod(0o700)
        refused = start(home, python=python(), env=paths(home / "x"))
        assert refused.process.wait(60) == 2
        assert "the app would run as 'nobody'" in refused.stderr()
        assert "--user root" in refused.stderr()
        home.chmod(0o755)
        told = start(home, "--user", "root", python=python(), env=paths(home / "x"))
        try:
            until_ready(told)
            assert json.loads(told.get("/who").text)["uid"] == 0
        finally:
            stop(told)


def test_who_may_not_start_it_may_look_at_it() -> None:
    """A portico.toml with a user is for root's start; plan, check and explain answer its owner, too."""
    with private_directory() as home:
        home.chmod(0o777)
        (home / "app.py").write_text(APP)
        (home / "portico.toml").write_text('user = "www-data"\n')
        shutil.chown(home, USER, USER)
        env = [f"{name}={value}" for name, value in paths(home).items()]
        words = ["env", "-C", str(home), *env, python(), "-m", "portico"]
        for command in ("plan", "check", "explain"):
            done = as_user(*words, command)
            assert done.returncode in (0, 1), done.stderr
            assert "Traceback" not in done.stderr
            if command != "explain":
                assert (
                    "started as root, the app runs as 'www-data'; this is what you would start" in done.stdout
                )
        refused = as_user(*words, "run")
        assert refused.returncode == 2
        assert 'only root can run the app as "www-data"' in refused.stderr


def test_check_says_what_keeps_the_app_from_being_apart() -> None:
    with private_directory() as home:
        (home / "app.py").write_text(APP)
        chain, key = pair(["shop.example"])
        (home / "cert.pem").write_bytes(chain)
        (home / "key.pem").write_bytes(key)
        (home / "key.pem").chmod(0o600)
        (home / "portico.toml").write_text(
            f'domains = ["shop.example"]\nlisten = "127.0.0.1:{free_port()}"\n'
            '[https]\ncert = "cert.pem"\nkey = "key.pem"\n'
        )
        for path in (home, *home.iterdir()):
            shutil.chown(path, USER, USER)

        def said(*words: str) -> str:
            done = subprocess.run(
                [python(), "-m", "portico", "check", *words],
                cwd=home, env=environment(home) | paths(home), capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert "Traceback" not in done.stderr
            return done.stdout + done.stderr

        first = said()
        assert f"the app's user '{USER}' can read this key" in first
        assert f"the app runs as '{USER}', nginx's workers as" in first
        for path in (home, *home.iterdir()):
            shutil.chown(path, "root", "root")
        assert "can read this key" not in said("--user", USER)
        assert "the app and nginx's workers run as 'www-data', both" in said("--user", "www-data")
