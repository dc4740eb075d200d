"""nginx's errors about its files, found without serving them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from portico.errors import Problem
from portico.plan.blame import objection
from portico.plan.model import Plan
from portico.site.variables import without

TEST_SECONDS = 30.0
"""nginx -t resolves the names of upstream servers: an unresponsive resolver must not block a reload forever."""
VARIABLE = "NGINX"
"""The variable with inherited sockets, which nginx itself uses when it replaces its binary,
https://nginx.org/en/docs/control.html#upgrade"""


def objections(plan: Plan, where: Path) -> tuple[Problem, ...]:
    """The errors about the plan's files in that directory; blocks while nginx reads them."""
    argv = (*plan.gateway.at(str(where)), "-t")
    environ = {name: value for name, value in without(os.environ).items() if name != VARIABLE}
    try:
        done = subprocess.run(
            argv, cwd=plan.gateway.cwd, env=environ, stdin=subprocess.DEVNULL, capture_output=True,
            timeout=TEST_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return (Problem("nginx -t", f"no answer within {TEST_SECONDS:g} s", "does a name server answer?"),)
    if done.returncode == 0:
        return ()
    words = (done.stderr + done.stdout).decode("utf-8", "replace")
    return (objection(plan, words),)
