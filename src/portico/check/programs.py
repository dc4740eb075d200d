"""Are the programs of [release] and [processes] there?"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from portico.check.model import Finding, fault, warning
from portico.place.tools import with_programs
from portico.plan.files import Process
from portico.plan.model import Plan


def program_findings(planned: Plan) -> Iterator[Finding]:
    """Only those that are not found. A release fails without its `before`, and serves without the others."""
    if planned.before and (hint := _missing(planned.before)):
        yield fault("[release] before", _what(planned.before), hint, "program")
    others = {f"[processes] {name}": process for name, process in planned.background.items()}
    if planned.after:
        others["[release] after"] = planned.after
    for subject, process in others.items():
        if hint := _missing(process):
            yield warning(subject, _what(process), hint, "program")


def _what(process: Process) -> str:
    return f"{process.argv[0]} cannot be started"


def _missing(process: Process) -> str:
    """What to do about a program that is not there, or may not be run; empty if it is found."""
    program = process.argv[0]
    if "/" in program:
        path = Path(process.cwd, program)
        if not path.is_file():
            return f"there is no file {path}"
        return "" if os.access(path, os.X_OK) else f"make it executable: chmod +x {path}"
    path_variable = process.secrets.get("PATH") or with_programs(os.environ, process.python)["PATH"]
    if shutil.which(program, path=path_variable):
        return ""
    return f"no such program in {Path(process.python).parent} or in PATH: install it, or give its path"
