"""The arbiter's configuration is the one that is written, not bytecode of another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support import environment


def test_a_configuration_of_the_same_second_and_length_is_read_anew(tmp_path: Path) -> None:
    """A server that is started ahead has a draft's number of workers; its successor took that, too."""
    config = tmp_path / "gunicorn.conf.py"
    (tmp_path / "app.py").write_text("def app(environ, start_response): ...\n")
    words = ["-m", "portico.link.gunicorn.arbiter", "--print-config", "--config", str(config), "app:app"]
    for count in (2, 1):
        config.write_text(f"workers = {count}\n")
        os.utime(config, (1_000_000, 1_000_000))
        done = subprocess.run(
            [sys.executable, *words], cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True,
            check=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        (line,) = [line for line in done.stdout.splitlines() if line.startswith("workers ")]
        assert line.split("=")[1].strip() == str(count)
    assert not list(tmp_path.rglob("gunicorn.conf.*.pyc"))
