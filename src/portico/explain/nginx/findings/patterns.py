"""What a regular expression lets through, as far as that can be seen."""

from __future__ import annotations

import re

_ENDS = re.compile(r"\\\.(?:\((?:\?:)?([\w|?]+)\)|(\w+))\$$")
_CLASS = re.compile(r"\[\^((?:\\.|[^\]\\])*)\]|\[((?:\\.|[^\]\\])+)\]|\\[sSWDHN]|\(\?s\)")


def endings(pattern: str) -> list[str]:
    """File endings that the pattern asks for: `\\.(css|js)$` gives .css and .js; a bare one if it asks for none."""
    found = _ENDS.search(pattern)
    if found:
        return [f".{word.replace('?', '')}" for word in (found[1] or found[2]).split("|")]
    return [] if pattern.startswith("^") else ["", pattern.strip("^$").replace("\\", "")]


def takes_newlines(pattern: str) -> bool:
    """Whether a part of it may match a line's end: `[^/]*` does, and `.*` does not."""
    for found in _CLASS.finditer(pattern):
        inside = found[1]
        if inside is not None and not re.search(r"\\[nsr]|\\x0a|\n", inside, re.IGNORECASE):
            return True
        if inside is None and found[2] is not None and re.search(r"\\[sSWDn]", found[2]):
            return True
        if inside is None and found[2] is None and found[0] != r"\S" and found[0] != r"\N":
            return True
    return False
