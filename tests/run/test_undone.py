"""Something that the site needs cannot be done: it serves on, says where, what and what to do, and can be stopped."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import Served, environment, free_port, private_directory, served, write_files
from tests.support.until import until

APP = "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'{name}']\n"
FILES = {"app.py": APP.format(name="old")}


@contextmanager
def _full(runtime: Path) -> Iterator[None]:
    """Neither a block nor an inode is left there."""
    ballast = runtime / "ballast"
    ballast.mkdir()
    try:
        number = 0
        while number < 100_000:
            number += 1
            (ballast / str(number)).write_bytes(b"x" * 4096)
    except OSError:
        pass
    try:
        while number < 100_000:
            number += 1
            (ballast / str(number)).touch()
    except OSError:
        pass
    yield
    for path in ballast.iterdir():
        path.unlink()
    ballast.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
def test_a_full_runtime_directory_stops_no_site_and_refuses_a_reload_with_words() -> None:
    with private_directory() as home:
        (home / "run").mkdir(mode=0o755)
        mount = ["mount", "-t", "tmpfs", "-o", "size=2m,nr_inodes=300,mode=755", "none", str(home / "run")]
        if subprocess.run(mount, check=False, capture_output=True).returncode:
            pytest.skip("this container may not mount")
        try:
            with served(FILES, "app:app", "--workers", "1", directory=home) as run:
                _reload_while_full(run)
                assert run.stop() == -signal.SIGTERM
        finally:
            subprocess.run(["umount", "--lazy", str(home / "run")], check=True)


def _reload_while_full(run: Served) -> None:
    arbiter = run.called("gunicorn")[0]
    write_files(run.directory, {"app.py": APP.format(name="new")})
    with _full(run.runtime):
        run.process.send_signal(signal.SIGHUP)
        until(lambda: "no space left on device" in run.stderr(), run.stderr)
        run.until_said("free some space on that disk")
        run.until_said(str(run.runtime))
        os.kill(arbiter.pid, signal.SIGKILL)
        until(lambda: "is back after" in run.stderr(), run.stderr)
        assert run.get().status_code == 200
    run.process.send_signal(signal.SIGHUP)
    until(lambda: "release 3 serves" in run.stderr() or run.get().text == "new", run.stderr)
    assert run.get().text == "new"
    assert "Traceback" not in run.stderr()


def test_without_a_free_descriptor_a_reload_is_refused_and_a_stop_works() -> None:
    with served(FILES, "app:app", "--workers", "1") as run:
        soft, hard = resource.prlimit(run.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(run.process.pid, resource.RLIMIT_NOFILE, (4, hard))
        run.process.send_signal(signal.SIGHUP)
        until(lambda: "the previous one keeps serving" in run.stderr(), run.stderr)
        run.until_said("the new release cannot be planned: too many open files")
        run.until_said("raise the limit")
        assert run.get().text == "old"
        resource.prlimit(run.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
        write_files(run.directory, {"app.py": APP.format(name="new")})
        run.process.send_signal(signal.SIGHUP)
        until(lambda: run.get().text == "new", run.stderr)
        resource.prlimit(run.process.pid, resource.RLIMIT_NOFILE, (3, hard))
        assert run.stop() == -signal.SIGTERM
        assert "Traceback" not in run.stderr()


def test_a_start_without_descriptors_ends_with_words() -> None:
    """nginx could not be started to check its files, in a background task: the start hung."""
    with private_directory() as home:
        write_files(home, FILES)
        command = (
            f'ulimit -n 16; exec "{sys.executable}" -m portico run app:app --listen 127.0.0.1:{free_port()}'
        )
        done = subprocess.run(
            ["sh", "-c", command], cwd=home, env=environment(home), capture_output=True, text=True, timeout=120,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    assert done.returncode in (1, 2), done.stderr
    assert "too many open files" in done.stderr.lower() or "too many files are open" in done.stderr
    assert "Traceback" not in done.stderr
