"""What the packages of a Python tell about the app's: what they need in turn, and which were compiled here."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from importlib.metadata import Distribution, distributions

from portico.project.image.requirements import normalised

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TAG = re.compile(r"^Tag: \S+-\S+-(\S+)$", re.MULTILINE)


def with_dependencies(names: Collection[str], path: Sequence[str]) -> frozenset[str]:
    """These packages and those that they need, as far as they are installed in the directories of `path`."""
    known = {normalised(one.name): one for one in distributions(path=list(path)) if one.name}
    seen, wanted = set[str](), set(names)
    while wanted:
        name = wanted.pop()
        seen.add(name)
        if name in known:
            wanted |= set(_needed(known[name])) - seen
    return frozenset(seen)


def compiled(names: Collection[str], path: Sequence[str]) -> tuple[str, ...]:
    """Those of them that were compiled on this machine: PyPI has no wheel that fits it."""
    return tuple(
        sorted(
            normalised(one.name)
            for one in distributions(path=list(path))
            if one.name and normalised(one.name) in names and _is_compiled(one)
        )
    )


def _needed(one: Distribution) -> Iterator[str]:
    for requirement in one.requires or ():
        if "extra ==" not in requirement and (match := _NAME.match(requirement)):
            yield normalised(match[0])


def _is_compiled(one: Distribution) -> bool:
    """Wheels of PyPI say which C library they need (manylinux, musllinux); one that pip built says just Linux."""
    return any(tag.startswith("linux_") for tag in _TAG.findall(one.read_text("WHEEL") or ""))
