"""How an orphan of httpd is asked to finish: a byte in a pipe of its own, and nothing in what it puts there instead."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from portico.run.gateway.httpd import orphan
from tests.support.process import PIPE, ended, running

CHILD = """
import os, sys
reads, writes = os.pipe()
print("ready", flush=True)
sys.exit(os.read(reads, 1) != b"!")
"""


def test_a_process_that_holds_both_ends_of_a_pipe_reads_the_byte() -> None:
    with running([sys.executable, "-c", CHILD], stdout=PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        orphan.end(child.pid)
        assert child.wait(60) == 0


def test_a_file_that_took_the_place_of_the_pipe_is_not_written(tmp_path: Path) -> None:
    """A worker that was broken into may swap what stands behind a number, and root may write every file."""
    file = tmp_path / "passwd"
    file.write_text("root:x:0:0")
    reads, writes = os.pipe()
    name = str(Path(f"/proc/self/fd/{writes}").readlink())
    opened = os.open(file, os.O_RDONLY)
    os.dup2(opened, writes)
    with pytest.raises(PermissionError):
        orphan.write(Path(f"/proc/self/fd/{writes}"), name)
    assert file.read_text() == "root:x:0:0"
    for one in (reads, writes, opened):
        os.close(one)


def test_a_process_that_is_gone_is_no_error() -> None:
    orphan.end(ended().pid)
