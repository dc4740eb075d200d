"""A start whose runtime directory is on a full disk ends with words, however much room is left of too little."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support import environment, free_port, private_directory, write_files

APP = "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'']\n"
SMALL = """#!/bin/sh
exec unshare {how} sh -c '
mount -t tmpfs -o size=64k,mode=755 none "{runtime}" &&
head -c {bytes} /dev/zero 2>/dev/null >"{runtime}/filled"
exec "{python}" -m portico run app:app --listen 127.0.0.1:{port}'
"""


@pytest.mark.parametrize("filled", [20_000, 40_000, 100_000])
def test_no_room_for_the_runtime_directory(filled: int) -> None:
    """With some room it hung: the app server could not be recorded, and nobody was told that it had not started."""
    how = "--mount" if os.geteuid() == 0 else "--user --map-current-user --mount --keep-caps"
    with private_directory() as home:
        runtime = home / "full"
        runtime.mkdir(mode=0o755)
        if subprocess.run(["unshare", *how.split(), "true"], check=False, capture_output=True).returncode:
            pytest.skip("this container may not mount")
        write_files(home, {"app.py": APP})
        script = home / "small"
        script.write_text(
            SMALL.format(how=how, runtime=runtime, bytes=filled, python=sys.executable, port=free_port())
        )
        script.chmod(0o755)
        env = environment(home) | {"PORTICO_RUNTIME_DIR": str(runtime / "run")}
        done = subprocess.run(
            [script], cwd=home, env=env, capture_output=True, text=True, timeout=120, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert f"{runtime}/run" in done.stderr
    assert "o space left on device" in done.stderr
    assert "Traceback" not in done.stderr
