"""The form of every error: where, what, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

DONE, FAILED, USAGE, UNHEALTHY, IMPORT_FAILED = 0, 1, 2, 3, 4
"""Exit codes of every command; a command ended by signal n exits with 128 + n."""


@dataclass(frozen=True)
class Problem:
    """One problem.

    `where` is a place that a reader can go to ("portico.toml:14", "--listen"), `what` one sentence without a
    capital or a full stop, `hint` what to do about it, `quote` another program's own words (nginx's, the app's
    traceback), printed indented and unchanged.
    """

    where: str
    what: str
    hint: str = ""
    quote: str = ""

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        lines += [f"    {line}".rstrip() for line in self.quote.splitlines()]
        lines += [f"  {line}" for line in self.hint.splitlines()]
        return "\n".join(lines)


class PorticoError(Exception):
    """Portico cannot do what was asked; contains every problem of the stage that failed."""

    exit_code = FAILED

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class UsageError(PorticoError):
    """The command line or the configuration is wrong."""

    exit_code = USAGE


class UnhealthyError(PorticoError):
    """The app did not become healthy in time."""

    exit_code = UNHEALTHY


class ImportFailedError(PorticoError):
    """The app could not be imported; the app's own traceback is the quote."""

    exit_code = IMPORT_FAILED
