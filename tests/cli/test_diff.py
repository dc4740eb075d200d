"""`portico plan --diff`: what a reload would change, before it does."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support import free_port, portico, private_directory, served, write_files

APP = "def app(environ, start):\n    start('200 OK', [])\n    return [b'x']\n"


def diff(home: Path, *words: str) -> str:
    done = portico("plan", "--diff", *words, cwd=home)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_of_it_is_new_when_nothing_runs() -> None:
    with private_directory() as home:
        write_files(home, {"app.py": APP})
        said = diff(home)
        assert "--- /dev/null\n+++ plan/nginx.conf\n" in said
        assert "+daemon off;\n" in said
        assert "nginx: added\n+ " in said
        assert said.endswith("\nnothing runs: all of it would be new\n")
        found = json.loads(diff(home, "--json"))
        assert (found["is_running"], found["reloads_gateway"], found["needs_restart"]) == (
            False,
            False,
            False,
        )
        assert {file["change"] for file in found["files"]} == {"added"}


def test_what_a_reload_would_change_and_that_it_then_changed() -> None:
    with served({"app.py": APP, "portico.toml": "max_upload = '2MiB'\n"}) as run:
        listen = ("--listen", f"127.0.0.1:{run.port}")
        assert diff(run.directory, *listen) == "nothing would change: this plan is running\n"

        (run.directory / "portico.toml").write_text("max_upload = '3MiB'\n")
        said = diff(run.directory, *listen)
        assert "--- running/nginx.conf\n+++ plan/nginx.conf\n@@ " in said
        assert "\n-    client_max_body_size 2097152;\n+    client_max_body_size 3145728;\n" in said
        assert said.endswith("\na reload would restart the app and reload the gateway\n")
        found = json.loads(diff(run.directory, *listen, "--json"))
        assert (found["is_running"], found["reloads_gateway"]) == (True, True)
        assert "nginx.conf" in [file["path"] for file in found["files"]]

        assert portico("reload", cwd=run.directory).returncode == 0
        assert diff(run.directory, *listen) == "nothing would change: this plan is running\n"


def test_the_app_server_alone() -> None:
    with served({"app.py": APP}) as run:
        listen = ("--listen", f"127.0.0.1:{run.port}")
        said = diff(run.directory, *listen, "--workers-threads", "3")
        assert "+++ plan/gunicorn.conf.py" in said
        assert "plan/nginx.conf" not in said
        assert said.endswith("\na reload would restart the app; the gateway would not be reloaded\n")


def test_another_nginx_needs_a_restart() -> None:
    with served({"app.py": APP}) as run:
        said = diff(run.directory, "--listen", f"127.0.0.1:{run.port}", "--nginx", "system")
        assert "nginx: changed\n- " in said
        assert "stop Portico and start it again" in said


def test_a_site_that_failed_to_start_does_not_run() -> None:
    with private_directory() as home:
        code = "import os\nassert 'gunicorn' not in os.environ.get('SERVER_SOFTWARE', '')\n"
        write_files(home, {"app.py": f"{code}def app(environ, start): ...\n"})
        words = ("--listen", f"127.0.0.1:{free_port()}")
        assert portico("run", *words, cwd=home).returncode in (3, 4)
        assert diff(home, *words).endswith("nothing runs: all of it would be new\n")
