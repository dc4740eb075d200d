"""`portico run nginx.conf`: the configuration becomes a portico.toml first, which is served then."""

from __future__ import annotations

from pathlib import Path

from portico.cli import output
from portico.errors import PorticoError, Problem, UsageError
from portico.project.adopt.recognised import is_configuration


def adopted_first(apps: tuple[str, ...], config: str | None) -> tuple[str, ...]:
    """The words, with each configuration replaced by the files that it became. Raises PorticoError."""
    return tuple(
        word for app in apps for word in (_adopted(app, config) if is_configuration(app) else (app,))
    )


def _adopted(word: str, config: str | None) -> list[str]:
    from portico.cli.adopt.shown import lines
    from portico.project.adopt.adopt import adopt
    from portico.project.adopt.written import write_all

    if config:
        raise UsageError(
            Problem("--config", f"{word} becomes a portico.toml of its own", "leave one of the two out")
        )
    result = adopt(Path(word))
    if not any(one.text for one in result.sites):
        reasons = [
            Problem(one.site.cause, f"{one.site.name} is not adopted: {one.site.refused}")
            for one in result.sites
        ]
        raise PorticoError(*reasons, *result.problems)
    files = write_all(result, None)
    for line in lines(result, files):
        output.say(line)
    return [str(path) for path in files]
