"""The checks on what `portico export nginx` and `apache` wrote: an installed web server and uWSGI, without Portico."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.acceptance.app import FILES
from tests.acceptance.checks import client, drain
from tests.acceptance.places import accept, noted
from tests.support import AS_ROOT, free_port, private_directory, write_files
from tests.support.process import running
from tests.support.until import until

PROGRAMS = {"ejected-nginx": "nginx", "ejected-apache": "apache2"}
UNBUFFERED = 'mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})'
"""What an app tells nginx when no Portico does."""


@pytest.mark.parametrize("place", PROGRAMS)
def test_an_ejected_site_keeps_its_promises(place: str) -> None:
    if shutil.which(PROGRAMS[place], path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None:
        pytest.skip(f"needs an installed {PROGRAMS[place]}")
    with private_directory() as directory:
        port, code, out = free_port(), directory / "shop", directory / "out"
        app = FILES["shop.py"].replace('mimetype="text/event-stream")', UNBUFFERED)
        assert UNBUFFERED in app
        toml = f'{FILES["portico.toml"]}listen = "127.0.0.1:{port}"\n'
        write_files(code, FILES | {"shop.py": app, "portico.toml": toml})
        done = subprocess.run(
            [sys.executable, "-m", "portico", "export", place.removeprefix("ejected-"), "--write", str(out)],
            cwd=code, env=os.environ | AS_ROOT, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        environment = os.environ | {"PYTHON": sys.executable}
        with running(
            [out / "start"], cwd=Path("/"), env=environment, stdout=directory / "output", leads=True
        ) as run:
            url = f"http://127.0.0.1:{port}"
            until(lambda: _answers(url) or run.poll() is not None)
            assert run.poll() is None, (directory / "output").read_text()
            accept(place, url)
            with noted(place, "drain"), client(url) as site:
                drain(site, lambda: run.send_signal(signal.SIGTERM))


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/seen", timeout=60).status_code == 200
    except httpx.HTTPError:
        return False
