"""Starting: what serves, what is refused, and that a failed start leaves nothing."""

from __future__ import annotations

import json
import signal
import socket
import stat
import sys
import time
from typing import TYPE_CHECKING

from portico.run.upstream.health import ASK_SECONDS
from tests.support.until import PATIENCE_SECONDS

if TYPE_CHECKING:
    from tests.run.conftest import Site


def test_app_answers_through_nginx(site: Site) -> None:
    site.start(release="first")
    assert site.get() == (200, "first")
    assert site.stop() == 128 + signal.SIGTERM
    site.assert_nothing_is_left()


def test_sockets_and_lock_are_private(site: Site) -> None:
    site.start()
    modes = [
        stat.S_IMODE((site.runtime / name).stat().st_mode) for name in ("app.sock", "app-1.sock", "lock")
    ]
    assert modes == [0o660, 0o660, 0o600]


def test_nginx_says_starting_while_the_app_boots(site: Site) -> None:
    app = site.app / "app.py"
    wait = "import os, time\nwhile not os.path.exists('go'):\n    time.sleep(0.02)\n"
    app.write_text(wait + app.read_text())
    site.begin()
    seen = list[tuple[int, str]]()
    while (200, "1") not in seen:
        try:
            seen.append(site.get())
        except OSError:
            pass
        if (503, "starting") in seen:
            (site.app / "go").touch()
    site.hear("Ready")
    # nginx may find nobody for a request, and look for the flag when the app has just been found well.
    *before, last, _ = seen
    assert set(before) <= {(503, "starting")}
    assert last in ((503, "starting"), (503, "down"))


def test_second_portico_on_the_same_directory_says_what_is_running(site: Site) -> None:
    site.start()
    first, said = site.pid, site.process
    site.begin()
    error = site.hear("Error")["text"]
    assert site.wait() == 1
    assert f"already running: app:app at http://127.0.0.1:{site.port}/, pid {first}, since " in error
    assert site.get()[0] == 200
    site.process = said


def test_port_taken_names_who_has_it(site: Site) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", site.port))
        other.listen()
        site.begin()
        error = site.hear("Error")["text"]
        assert site.wait() == 1
    assert f"port {site.port} is taken by pid" in error
    assert sys.executable.rpartition("/")[2] in error or "pytest" in error


def test_app_that_cannot_be_imported_shows_its_traceback_and_leaves_nothing(site: Site) -> None:
    (site.app / "app.py").write_text("import no_such_module\n")
    site.begin()
    error = site.hear("Error")["text"]
    assert "the app server ended while starting" in error
    assert site.wait() in (3, 4)
    assert "ModuleNotFoundError: No module named 'no_such_module'" in site.words
    site.assert_nothing_is_left()


def test_app_that_only_fails_is_up_and_fails_once(site: Site) -> None:
    (site.app / "app.py").write_text("def app(environ, start):\n    raise ValueError('broken')\n")
    began = time.monotonic()
    site.begin()
    assert "status 500 to GET /" in site.hear("AppFails")["answer"]
    site.hear("Ready")
    # On a machine so busy that there is no answer in time the app is asked again.
    assert 1 <= site.words.count("ValueError: broken") <= 1 + (time.monotonic() - began) // ASK_SECONDS
    assert site.get()[0] == 500
    assert site.stop() == 128 + signal.SIGTERM
    site.assert_nothing_is_left()


def test_app_that_is_never_ready_is_not_healthy(site: Site) -> None:
    (site.app / "app.py").write_text(
        "def app(environ, start):\n    start('503 Later', [('Content-Length', '0')])\n    return []\n"
    )
    for seconds in (8, 30, 120):  # on a busy machine Gunicorn may begin later than that
        site.begin(start=seconds)
        error = site.hear("Error", seconds + PATIENCE_SECONDS)["text"]
        assert error.startswith(f"the app did not become healthy within {seconds} s")
        assert site.wait() == 3
        site.assert_nothing_is_left()
        if "status 503" in error:
            break
    assert "status 503" in error


def test_nginx_refuses_its_files(site: Site) -> None:
    site.begin(extra="no_such_directive on;")
    error = site.hear("Error")["text"]
    assert 'unknown directive "no_such_directive"' in error
    assert site.wait() == 1
    site.assert_nothing_is_left()


def test_interrupted_start_leaves_nothing(site: Site) -> None:
    (site.app / "app.py").write_text("import time; time.sleep(30)\n")
    site.begin()
    site.hear("Starting")
    assert site.stop(signal.SIGINT) == 130
    site.assert_nothing_is_left()


def test_numbers_begin_anew_after_a_clean_stop_that_left_nothing(site: Site) -> None:
    site.start()
    site.stop()
    site.start()
    assert [one["number"] for one in site.notices if one["notice"] == "Starting"] == [1, 1]
    assert json.loads((site.runtime / "lock").read_text())["pid"] == site.pid
