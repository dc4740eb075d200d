"""Texts that a gateway's configuration can contain literally."""

from __future__ import annotations

import re

from portico.site.facts import RootFile, StaticFolder

CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def is_literal(text: str) -> bool:
    """Whether it can: a `$` begins a variable in every configuration, and a control character is never allowed."""
    return "$" not in text and not CONTROL.search(text)


def is_sendable(file: StaticFolder | RootFile) -> bool:
    """Whether a gateway can repeat what the app says with the file. A `$` in a header would be a variable there."""
    said = [file.cache_control, *(word for header in file.headers for word in header)]
    return all(map(is_literal, said))
