"""The child process that asks the app: loads it, collects its facts, writes one line of JSON, ends.

site/discover.py starts it with ANSWER LIFELINE PARENT TIMEOUT DIRECTORY REFERENCE REACHED SALT. The first two are
descriptors: the answer has its own because apps print, the lifeline closes when the parent is gone. REACHED is
JSON: how clients reach the site. SALT is for digests of the app's secret keys, empty for none.
"""

from __future__ import annotations

import faulthandler
import fcntl
import json
import os
import sys
from pathlib import Path
from typing import Any

from portico.link.app.error import AppError
from portico.link.app.facts.facts import facts
from portico.link.app.load import load
from portico.link.app.statics.stranger import Reached
from portico.link.gunicorn.report import resident

CLOSED = 97
"""The exit code if the app has closed the answer's descriptor; as in site.discover, which this process does not
import.
"""


def main() -> None:
    """Answers, then ends at once: threads that the app started at import would delay a normal exit."""
    answer_to, lifeline, parent = map(int, sys.argv[1:4])
    timeout, directory, reference, reached, salt = sys.argv[4:]
    _end_with_parent(lifeline, parent)
    os.set_inheritable(answer_to, False)
    way = _identity(answer_to)
    faulthandler.enable()
    faulthandler.dump_traceback_later(float(timeout), exit=True, file=answer_to)
    _look_like_a_server()
    answer = _ask(reference, Path(directory), reached, salt)
    faulthandler.cancel_dump_traceback_later()
    if _identity(answer_to) != way:
        os._exit(CLOSED)  # whatever the descriptor is now, it belongs to the app
    _send(answer, answer_to)
    os._exit(0)


def _identity(descriptor: int) -> tuple[int, int] | None:
    """The file behind a descriptor, None for none."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _end_with_parent(lifeline: int, parent: int) -> None:
    """Makes the kernel end this process group (SIGIO) as soon as the other end of the pipe is closed.

    PR_SET_PDEATHSIG would need ctypes, and fires when the parent's *thread* ends.
    """
    os.set_inheritable(lifeline, False)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if os.getppid() != parent:
        os._exit(1)


def _look_like_a_server() -> None:
    """Makes Flask ignore an `app.run()` outside of `if __name__ == "__main__"` instead of serving here."""
    os.environ.setdefault("FLASK_RUN_FROM_CLI", "true")
    del sys.argv[1:]


def _ask(reference: str, directory: Path, reached: str, salt: str) -> dict[str, Any]:
    hosts, scheme, prefix = json.loads(reached)
    try:
        loaded = load(reference, directory)
        memory = resident()
        return {"facts": facts(loaded, Reached(tuple(hosts), scheme, prefix), salt), "memory": memory}
    except AppError as error:
        problem = {"where": error.where, "what": error.what, "hint": error.hint, "quote": error.quote}
        return {"problem": problem, "is_import": error.is_import}


def _send(answer: dict[str, Any], answer_to: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass  # the app closed or replaced it
    rest = json.dumps(answer).encode() + b"\n"
    while rest:
        rest = rest[os.write(answer_to, rest) :]
