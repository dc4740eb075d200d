"""Files of `name = value` settings with a reason each: the format of Gunicorn's Python configuration."""

from __future__ import annotations

from msgspec import Struct

from portico.plan.files import Line


class Setting(Struct, frozen=True):
    """One setting; `value` is a plain Python value."""

    name: str
    value: object
    why: str
    cause: str = ""
    source: str = ""


def as_python(settings: list[Setting]) -> tuple[Line, ...]:
    """The settings as Python source; repr does the quoting."""
    return tuple(
        Line(f"{item.name} = {item.value!r}", item.why, item.source, item.cause) for item in settings
    )
