"""The commands that ask a running site."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import pytest

from tests.support import Served, portico, private_directory, rewrite, served

APP = "from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef index():\n    return {!r}\n"


def test_status_reload_and_stop() -> None:
    with served({"app.py": APP.format("old")}) as run:
        status = json.loads(portico("status", "--json", cwd=run.directory).stdout)
        assert (status["pid"], status["app"], status["phase"]) == (run.process.pid, "app:app", "serving")
        assert "live" in portico("status", cwd=run.directory).stdout

        rewrite(run.directory / "app.py", APP.format("new release"))
        done = portico("reload", cwd=run.directory)
        assert done.returncode == 0, done.stderr
        assert "serves, after" in done.stdout
        assert run.get("/").text == "new release"

        assert portico("stop", cwd=run.directory).returncode == 0
        assert run.process.wait(60) == 0
        gone = portico("status", cwd=run.directory)
        assert gone.returncode == 1
        assert "nothing runs here\n  start it: portico run" in gone.stderr


def test_a_broken_release_is_dropped_with_its_traceback_and_the_old_one_serves_on() -> None:
    with served({"app.py": APP.format("old")}) as run:
        (run.directory / "app.py").write_text("import nothing_like_that\n")
        done = portico("reload", cwd=run.directory)
        assert done.returncode == 4
        assert "ModuleNotFoundError" in done.stdout
        assert run.get("/").text == "old"


def test_a_broken_configuration_is_dropped_and_the_old_one_serves_on() -> None:
    with served({"app.py": APP.format("old")}) as run:
        (run.directory / "portico.toml").write_text("lisen = 1\n")
        done = portico("reload", cwd=run.directory)
        assert done.returncode == 2
        assert "did you mean 'listen'?" in done.stdout
        (run.directory / "portico.toml").write_text('[nginx]\nserver = ["prox_pass x;"]\n')
        done = portico("reload", cwd=run.directory)
        assert done.returncode == 1
        assert 'unknown directive "prox_pass"' in done.stdout
        assert run.get("/").text == "old"


def test_no_request_is_lost_in_reloads() -> None:
    with served({"app.py": APP.format("old")}) as run:
        answers: list[int] = []
        over = threading.Event()
        clients = [threading.Thread(target=_ask, args=(run, answers, over)) for _ in range(3)]
        for client in clients:
            client.start()
        for number in range(3):
            rewrite(run.directory / "app.py", APP.format(f"release {number}"))
            assert portico("reload", cwd=run.directory).returncode == 0
        over.set()
        for client in clients:
            client.join()
        assert len(answers) > 20
        assert set(answers) == {200}


def _ask(run: Served, answers: list[int], over: threading.Event) -> None:
    import httpx

    while not over.is_set():
        try:
            with httpx.Client(timeout=60) as client:
                answers += [client.get(run.url).status_code for _ in range(5)]
        except httpx.HTTPError:
            answers.append(0)


def test_nothing_runs_here() -> None:
    with private_directory() as home:
        for command in ("status", "reload", "stop"):
            done = portico(command, cwd=home)
            assert done.returncode == 1
            assert "nothing runs here" in done.stderr


@pytest.mark.parametrize("command", ["look.status", "release.reload", "run.stop"])
def test_it_starts_without_what_writes_a_configuration(command: str) -> None:
    code = f"import sys, portico.cli.commands.{command}; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "portico.plan.gateway" not in modules
