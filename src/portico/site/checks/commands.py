"""Rules for commands that Portico runs: [release] and [processes]."""

from __future__ import annotations

import re
import shlex

from portico.site.checks.env import NAME
from portico.site.checks.rule import Broken, Rules
from portico.site.options import Options

_OF_SHELLS = frozenset({"&&", "||", ";", "|", "&", ">", ">>", "<", "2>", "2>&1"})
_PROCESS = re.compile(r"[a-z0-9]([a-z0-9-]{0,29}[a-z0-9])?")


def _before(options: Options) -> Broken:
    if command := options.release.before:
        yield from _broken(command, "flask db upgrade")


def _after(options: Options) -> Broken:
    if command := options.release.after:
        yield from _broken(command, "python tell_chat.py")


def _processes(options: Options) -> Broken:
    for name, command in options.processes.items():
        if not _PROCESS.fullmatch(name):
            yield (
                f"{name!r} cannot name a process",
                "expected lower-case letters, digits and -, at most 31, such as worker or mail-queue",
            )
        for what, hint in _broken(command, "celery -A shop worker"):
            yield f"{name}: {what}", hint


def _broken(command: str, example: str) -> Broken:
    """What makes it no command line, and what to do."""
    try:
        words = shlex.split(command)
    except ValueError:
        yield f"{command!r}: a quotation mark has no other", f"expected a command line, like {example}"
        return
    if not words or not words[0]:
        yield "names no program", f"expected a command line, like {example}; or remove it"
    first = words[0] if words else ""
    if NAME.fullmatch(first.partition("=")[0]) and "=" in first:
        yield (
            f"{first.partition('=')[0]}=... names no program: a shell reads that, and none does here",
            (f"write env in front of it: env {first.partition('=')[0]}=... COMMAND; or set it in [env]"),
        )
    for word in sorted(_OF_SHELLS.intersection(words)):
        yield f"{word!r} is for a shell, and none reads this", f"write: sh -c {shlex.quote(command)}"


COMMAND_RULES: Rules = {"processes": _processes, "release.before": _before, "release.after": _after}
