"""The commands that read: what they print, as text and as JSON, and how they fail."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import environment, free_port, portico, private_directory, served, write_files
from tests.support.process import DEVNULL, running
from tests.support.until import until

HELLO = "from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef index():\n    return 'hello'\n"
RANDOM_KEY = HELLO + "import os\napp.secret_key = os.urandom(16)\n"


@pytest.fixture
def home() -> Iterator[Path]:
    with private_directory() as directory:
        write_files(directory, {"app.py": HELLO, "static/app.css": "x"})
        yield directory


def test_plan_shows_processes_and_files_and_touches_nothing(home: Path) -> None:
    before = sorted(home.rglob("*"))
    done = portico("plan", cwd=home)
    assert done.returncode == 0
    assert "nginx: the gateway" in done.stdout
    assert "gunicorn: runs the app" in done.stdout
    assert "location ^~ /static/ {" in done.stdout
    left = [
        path for path in home.rglob("*") if "__pycache__" not in path.parts
    ]  # Python's own, of the import
    assert sorted(left) == before


def test_plan_as_json_holds_every_line_with_its_reason(home: Path) -> None:
    plan = json.loads(portico("plan", "--json", cwd=home).stdout)
    assert plan["app"] == "app:app"
    lines = [line for file in plan["files"] for line in file["lines"]]
    assert all(line["why"] for line in lines if line["text"].strip() not in ("", "}"))


def test_plan_says_when_the_app_refuses_what_a_route_takes(home: Path) -> None:
    marked = "\nfrom portico import edge\napp.config['MAX_CONTENT_LENGTH'] = 1 << 20\n"
    for rule, size in (("/large", "4MiB"), ("/small", "1KiB")):
        marked += (
            f"app.add_url_rule('{rule}', '{rule}', edge.max_upload('{size}')(lambda: ''), methods=['POST'])\n"
        )
    (home / "app.py").write_text(HELLO + marked)
    said = portico("plan", cwd=home).stdout
    assert "the app itself refuses uploads above 1MiB (MAX_CONTENT_LENGTH), less than /large (4MiB)" in said


def test_plan_writes_its_files_but_never_over_others(home: Path) -> None:
    assert portico("plan", "--write", "out", cwd=home).returncode == 0
    assert (home / "out/nginx.conf").exists()
    assert (home / "out/errors/502.html").exists()
    again = portico("plan", "--write", "out", cwd=home)
    assert again.returncode == 1
    assert again.stderr == "out: is not empty\n  name a new directory; nothing is overwritten\n"


def test_explain_by_directive_line_and_file(home: Path) -> None:
    by_name = portico("explain", "client_max_body_size", cwd=home).stdout
    assert "nginx refuses a larger upload with 413" in by_name
    assert "because of max_upload: default" in by_name
    assert "https://nginx.org/" in by_name
    number = by_name.partition(" ")[0].rpartition(":")[2]
    by_line = portico("explain", number, cwd=home).stdout
    assert by_line.strip() in by_name  # the directive stands at several places
    assert portico("explain", f"nginx.conf:{number}", cwd=home).stdout == by_line
    whole = json.loads(portico("explain", "gunicorn.conf.py", "--json", cwd=home).stdout)
    assert {item["file"] for item in whole} == {"gunicorn.conf.py"}


def test_explain_names_the_option_that_decided(home: Path) -> None:
    (home / "portico.toml").write_text('\nmax_upload = "1GiB"\n')
    assert (
        "because of portico.toml:2: max_upload" in portico("explain", "client_max_body_size", cwd=home).stdout
    )
    done = portico("explain", "client_max_body_size", "--max-upload", "2GiB", cwd=home)
    assert "because of --max-upload: max_upload" in done.stdout


def test_explain_of_what_is_not_there_names_the_nearest(home: Path) -> None:
    done = portico("explain", "client_max_bodysize", cwd=home)
    assert done.returncode == 2
    assert 'nothing in this configuration is named "client_max_bodysize"' in done.stderr
    assert "did you mean client_max_body_size" in done.stderr


@pytest.mark.parametrize("what", ["nosuch.conf", "nosuch.conf:7", "/nosuch/shop.conf"])
def test_explain_of_a_file_that_is_not_there_says_so(home: Path, what: str) -> None:
    done = portico("explain", what, cwd=home)
    assert done.returncode == 2
    assert done.stderr.startswith(f"{what.removesuffix(':7')}: there is no such file\n"), done.stderr
    assert ("of this site: nginx.conf" in done.stderr) == (not what.startswith("/"))


def test_explain_of_a_directory_without_a_main_file_says_so(home: Path) -> None:
    (home / "sites").mkdir()
    done = portico("explain", f"{home}/sites", cwd=home)
    assert (done.returncode, done.stderr.partition("\n")[0]) == (
        2, f"{home}/sites: no web server's main file is in this directory",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "rest", "broken"),
    [
        (
            "include nosuch/x.conf;\nevents {\n}\nhttp {\n    server_tokens on;\n}\n",
            "server_tokens on",
            "server {",
        ),
        ("Include /nosuch/x.conf\nListen 80\nServerTokens Full\n", "ServerTokens Full", "<Directory />"),
    ],
    ids=["nginx", "apache"],
)
def test_explain_of_a_file_with_an_include_that_is_not_there_explains_the_rest(
    text: str, rest: str, broken: str, tmp_path: Path
) -> None:
    (tmp_path / "web.conf").write_text(text)
    done = portico("explain", "web.conf", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert rest in done.stdout
    assert "breaks  include-unread  web.conf:1" in done.stdout
    found = json.loads(portico("explain", "web.conf:1", "--json", cwd=tmp_path).stdout)["findings"]
    assert [(one["code"], one["line"]) for one in found] == [("include-unread", 1)]
    (tmp_path / "web.conf").write_text(f"{text}{broken}\n")
    assert portico("explain", "web.conf", cwd=tmp_path).returncode == 1


def test_explain_marks_what_is_the_user_s(home: Path) -> None:
    (home / "portico.toml").write_text('[nginx]\nserver = ["more.conf"]\n')
    (home / "more.conf").write_text("location = /ping {\n    return 204;\n}\n")
    found = json.loads(portico("explain", "--json", cwd=home).stdout)
    assert [item["text"] for item in found if item["is_users"]] == ["location = /ping {", "return 204;", "}"]


def test_check_finds_nothing_in_a_good_site(home: Path) -> None:
    done = portico("check", "--listen", f"127.0.0.1:{free_port()}", cwd=home, env={"NO_COLOR": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "accepts the" in done.stdout
    assert "nothing would break" in done.stdout


def test_check_names_who_has_the_port(home: Path) -> None:
    with socket.socket() as owner:
        owner.bind(("127.0.0.1", 0))
        owner.listen()
        port = owner.getsockname()[1]
        done = portico("check", "--listen", f"127.0.0.1:{port}", "--json", cwd=home)
    fault = next(item for item in json.loads(done.stdout) if item["level"] == "fault")
    assert done.returncode == 1
    assert f"port {port} is taken by pid {os.getpid()}" in fault["what"]


def test_check_shows_nginx_s_own_words_about_your_directives(home: Path) -> None:
    (home / "portico.toml").write_text('[nginx]\nserver = ["prox_pass http://a;"]\n')
    done = portico("check", cwd=home)
    assert done.returncode == 1
    assert 'unknown directive "prox_pass"' in done.stdout


def test_run_with_a_directive_nginx_does_not_know_says_so_and_leaves(home: Path) -> None:
    (home / "portico.toml").write_text('[nginx]\nserver = ["prox_pass http://a;"]\n')
    done = portico("run", "--listen", f"127.0.0.1:{free_port()}", cwd=home)
    assert done.returncode == 1
    assert 'unknown directive "prox_pass"' in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("code", "where", "what"),
    [
        (RANDOM_KEY, "app.py:7", "SECRET_KEY is random"),
        (HELLO + "app.config['SECRET_KEY'] = 'dev'\n", "app.py:6", "anyone can forge a session"),
        (HELLO + "import sqlite3\ndb = sqlite3.connect(':memory:')\n", "app.py:7", "shared by all threads"),
    ],
)
def test_check_finds_what_works_once_and_breaks_with_workers(
    home: Path, code: str, where: str, what: str
) -> None:
    (home / "app.py").write_text(code)
    found = json.loads(portico("check", "--json", cwd=home).stdout)
    assert any(item["subject"] == where and what in item["what"] for item in found), found


def test_a_key_from_the_environment_is_fine(home: Path) -> None:
    (home / "app.py").write_text(
        HELLO + "import os\napp.secret_key = os.environ.get('KEY') or os.urandom(16)\n"
    )
    env = {"KEY": "kX3vLq8ZpW5nRt7YcB2mHf9D"}
    found = json.loads(portico("check", "--json", cwd=home, env=env).stdout)
    assert not any("SECRET_KEY" in item["what"] for item in found)
    found = json.loads(portico("check", "--json", cwd=home).stdout)
    assert any("SECRET_KEY is random" in item["what"] for item in found), "the variable is not set here"


def test_an_nginx_that_is_too_old(home: Path) -> None:
    old = home / "nginx"
    old.write_text("#!/bin/sh\necho 'nginx version: nginx/1.18.0' >&2\n")
    old.chmod(0o755)
    done = portico("plan", "--nginx", str(old), cwd=home)
    assert done.returncode == 2
    assert done.stderr == (
        f"{old}: nginx 1.18.0 is too old, Portico writes for 1.22.0 and newer\n"
        "  leave --nginx out: Portico then takes one that can, at least its own (embedded)\n"
    )


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["rnu"], "no such command 'rnu'; did you mean 'run'?"),
        (["shop:app"], "no such command 'shop:app'; did you mean 'portico run shop:app'?"),
        (["run", "--lisen", "x"], "No such option '--lisen'"),
        (["plan", "--config", "nowhere.toml"], "nowhere.toml: no such file"),
        (["plan", "--nginx", "nowhere"], 'nginx: "nowhere" is not a program'),
    ],
)
def test_a_word_that_is_wrong(home: Path, words: list[str], text: str) -> None:
    done = portico(*words, cwd=home)
    assert done.returncode == 2
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_an_import_error_shows_the_app_s_own_traceback_and_nothing_of_ours(home: Path) -> None:
    (home / "app.py").write_text("import nothing_like_that\n")
    for command in ("run", "plan", "check"):
        done = portico(command, cwd=home)
        assert done.returncode == 4
        assert "ModuleNotFoundError: No module named 'nothing_like_that'" in done.stderr
        assert "portico/" not in done.stderr.replace(str(home), "")


def test_a_reader_that_leaves_early_is_no_error(home: Path) -> None:
    command = f"{sys.executable} -m portico plan | head -1"
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=home,
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "Broken" not in done.stderr


def test_a_second_run_says_what_is_running() -> None:
    with served({"app.py": HELLO}) as run:
        again = portico("run", "--listen", f"127.0.0.1:{free_port()}", cwd=run.directory)
        assert again.returncode == 1
        assert f"pid {run.process.pid}" in again.stderr
        assert run.url in again.stderr
        assert run.get("/").text == "hello"
        check = portico("check", cwd=run.directory)
        assert f"this site is running: pid {run.process.pid}" in check.stdout


def test_the_flask_command_serves_too() -> None:

    import httpx

    with private_directory() as home:
        write_files(home, {"shop.py": HELLO})
        port = free_port()
        words = [sys.executable, "-m", "flask", "--app", "shop", "serve", "--listen", f"127.0.0.1:{port}"]
        said = home / "stderr"
        with running(words, cwd=home, env=environment(home), stdout=DEVNULL, stderr=said):
            give_up = time.monotonic() + 60
            while time.monotonic() < give_up:
                try:
                    answer = httpx.get(f"http://127.0.0.1:{port}/", timeout=60)
                except httpx.ConnectError:
                    time.sleep(0.05)
                    continue
                if answer.status_code == 200 and "serving" in said.read_text():
                    break
            assert answer.text == "hello"
        assert "serving" in said.read_text()


def test_json_lines_on_stdout_when_nobody_looks(home: Path) -> None:
    with served({}, directory=home) as run:
        run.get("/seen")
        until(lambda: "/seen" in run.stdout())
        lines = [json.loads(line) for line in run.stdout().splitlines()]
    assert any(line["uri"] == "/seen" for line in lines)
    assert not any(line["uri"] == "/-/health" for line in lines)
