"""What nginx has against its files, asked without serving them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from portico.errors import Problem
from portico.plan.blame import objection
from portico.plan.model import Plan

TEST_SECONDS = 30.0
"""nginx -t resolves the names of upstream servers: a silent resolver must not hold a reload forever."""
VARIABLE = "NGINX"
"""Where nginx finds inherited sockets: it uses it itself when it replaces its own program,
https://nginx.org/en/docs/control.html#upgrade"""


def objections(plan: Plan, where: Path) -> tuple[Problem, ...]:
    """Those against the files of the plan in that directory; blocks while nginx reads them."""
    argv = (*plan.gateway.at(str(where)), "-t")
    try:
        done = subprocess.run(
            argv, cwd=plan.gateway.cwd, env={name: os.environ[name] for name in os.environ if name != VARIABLE},
            stdin=subprocess.DEVNULL, capture_output=True, timeout=TEST_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return (Problem("nginx -t", f"no answer within {TEST_SECONDS:g} s", "does a name server answer?"),)
    if done.returncode == 0:
        return ()
    words = (done.stderr + done.stdout).decode("utf-8", "replace")
    return (objection(plan, words),)
