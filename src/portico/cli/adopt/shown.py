"""What `portico adopt` says: understood, improved, kept, and not kept."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from portico.cli import output
from portico.explain.adopted import Fate, Remark
from portico.project.adopt.adopt import Made, Result
from portico.project.adopt.names import short
from portico.project.adopt.toml import value_of
from portico.values import counted

_WIDTH = 110


def lines(result: Result, files: Sequence[Path]) -> list[str]:
    """For people; `files` are those that were written, in the order of the sites that can be served."""
    served = [one for one in result.sites if one.text]
    what = f"{counted(len(result.sites), 'site')}" + (
        f", {len(served)} of them for Portico" if len(served) != len(result.sites) else ""
    )
    made = [f"{output.strong(str(result.path))}  {result.language.name}, {what}"]
    for one in result.sites:
        made += ["", *_site(one)]
    made += _remarks(result.remarks)
    made += _faults(result)
    if result.problems:
        made += [
            "",
            output.strong("not read"),
            *(output.warned(f"  {one.where}: {one.what}") for one in result.problems),
        ]
    for one in served if not files else ():
        made += [
            "",
            output.strong(f"portico.toml of {one.site.name}"),
            *(f"  {line}".rstrip() for line in one.text.splitlines()),
        ]
    return [*made, "", *_next(result, files, served)]


_FAULTS = ("breaks", "hole", "loss")
"""The kinds of harm that are listed; the others are counted."""


def _faults(result: Result) -> Iterator[str]:
    """What was wrong in the original: Portico's own configurations have none of it, kept lines may."""
    if not result.findings:
        return
    yield ""
    yield output.strong("faults of the original")
    for one in result.findings:
        if one.severity in _FAULTS:
            yield f"  {short(one.place)}  {one.what}"
            yield from _wrapped(one.harm)
    more = sum(one.severity not in _FAULTS for one in result.findings)
    yield f"  {f'{more} more, and ' if more else ''}how to mend each: portico explain {result.path}"


def _next(result: Result, files: Sequence[Path], served: Sequence[Made]) -> Iterator[str]:
    if result.app_here and len(served) == 1:
        servers = served[0].site.value("upstream", "servers")
        where = ", ".join(servers) if isinstance(servers, tuple) else ""
        yield f"no file here starts what listens on {where}; this folder has an app: {result.app_here}"
        first = f"remove {files[0]}, then " if files else ""
        yield f"  to let Portico run it: {first}portico adopt {result.path} --app {result.app_here} --write"
    if files:
        yield from (output.good(f"written: {path}") for path in files)
        yield (
            f"next: portico check --config {files[0]}"
            if len(files) == 1
            else "next: portico check FILE for each"
        )
    elif served:
        yield f"nothing was written: portico adopt {result.path} --write"


def _site(one: Made) -> Iterator[str]:
    site = one.site
    yield f"{output.strong(site.name)}  {output.faint(site.cause)}"
    if site.refused:
        yield output.bad(f"  not adopted: {site.refused}")
    elif site.options:
        yield output.strong("  understood")
        for option in site.options:
            cause = output.faint(_from(option.cause, option.text))
            yield f"    {'.'.join(option.key)} = {value_of(option.value)}  {cause}"
            if option.differs:
                yield from _wrapped(f"differs: {option.differs}")
    if site.kept and not site.refused:
        yield output.strong("  kept as it is")
        for kept in site.kept:
            first, *rest = kept.text.splitlines()
            yield f"    {first}{' ...' if rest else ''}  {output.faint(short(kept.cause))}"
    yield from _remarks(site.remarks)


def _remarks(remarks: Sequence[Remark]) -> Iterator[str]:
    for fate, title in ((Fate.IMPROVED, "improved"), (Fate.BUILT_IN, "built in"), (Fate.LOST, "not kept")):
        found = [one for one in remarks if one.fate is fate]
        if found:
            yield output.strong(f"  {title}")
            yield from _grouped(found)


def _grouped(found: Iterable[Remark]) -> Iterator[str]:
    """Lines with one reason share it."""
    groups = dict[tuple[str, str], list[Remark]]()
    for one in found:
        groups.setdefault((one.why, one.do), []).append(one)
    for (why, do), group in groups.items():
        for one in group[:_MOST]:
            yield f"    {_from(one.cause, one.text)}"
        if len(group) > _MOST:
            yield f"    ... and {len(group) - _MOST} more"
        yield from _wrapped(why)
        if do:
            yield from _wrapped(f"to do: {do}")


_MOST = 4


def _from(cause: str, text: str) -> str:
    return f"{short(cause)}  {text}" if cause else text


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="        ", subsequent_indent="        ")


def to_json(result: Result) -> dict[str, Any]:
    """The same for programs."""
    return {
        "path": str(result.path),
        "gateway": result.language.name,
        "sites": [{"site": one.site, "toml": one.text, "directory": one.directory} for one in result.sites],
        "remarks": result.remarks,
        "findings": result.findings,
        "not_read": result.problems,
    }
