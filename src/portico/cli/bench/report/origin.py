"""What a report says about where its figures come from: the command, and the versions of what was measured."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit, urlunsplit

from portico import __version__
from portico.link.trace import Tracer
from portico.project.gathered import Gathered

_HIDDEN = "***"
_ENV = "--env"


def masking(found: Gathered | None) -> Callable[[str], str]:
    """Hides secrets of a URL's query, as traces do, and the password before its host."""
    hide = Tracer(None, tuple(found.site.options.trace.mask) if found else ()).url
    return lambda text: hide(_without_password(text))


def command(words: Sequence[str], mask: Callable[[str], str]) -> str:
    """As it was typed, for a shell; what `--env` gives the app is nobody else's business."""
    made, is_value = list[str](), False
    for word in words:
        name, equals, value = word.partition("=")
        if is_value:
            made.append(f"{name}={_HIDDEN}" if equals else word)
        elif name == _ENV and equals:
            made.append(f"{_ENV}={value.partition('=')[0]}={_HIDDEN}")
        else:
            made.append(mask(word))
        is_value = word == _ENV
    return shlex.join(["portico", *made])


def versions(found: Gathered | None) -> str:
    made = [f"Portico {__version__}"]
    if found is not None:
        place, facts, plan = found.place, found.site.facts, found.plan
        made.append(f"{plan.gateway.name} {place.gateway.number}")
        server = plan.app_server.name
        made.append(f"{server} {place.app_servers.get(server, '')}".rstrip())
        made.append(f"Python {place.python_version}")
        if facts.version:
            made.append(f"{facts.kind} {facts.version}")
    return ", ".join(made)


def _without_password(text: str) -> str:
    try:
        parts = urlsplit(text)
    except ValueError:
        return text
    before, at, host = parts.netloc.rpartition("@")
    if not at or ":" not in before:
        return text
    return urlunsplit(parts._replace(netloc=f"{before.partition(':')[0]}:{_HIDDEN}@{host}"))
