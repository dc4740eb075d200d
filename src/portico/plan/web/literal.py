"""Texts that a gateway's configuration can contain literally."""

from __future__ import annotations

import re

CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def is_literal(text: str) -> bool:
    """Whether it can: a `$` begins a variable in every configuration, and a control character is never allowed."""
    return "$" not in text and not CONTROL.search(text)
