"""httpd's errors about its files, found without serving them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from portico.errors import Problem
from portico.plan.blame import objection
from portico.plan.model import Plan
from portico.run.processes.child import environment

TEST_SECONDS = 30.0


def objections(plan: Plan, where: Path) -> tuple[Problem, ...]:
    """The errors about the plan's files in that directory; blocks while httpd reads them."""
    argv = (*plan.gateway.at(str(where)), "-t")
    try:
        done = subprocess.run(
            argv, cwd=plan.gateway.cwd, env=environment(), stdin=subprocess.DEVNULL, capture_output=True,
            timeout=TEST_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return (Problem("httpd -t", f"no answer within {TEST_SECONDS:g} s", "does a name server answer?"),)
    if done.returncode == 0:
        return ()
    return (objection(plan, (done.stderr + done.stdout).decode("utf-8", "replace")),)
