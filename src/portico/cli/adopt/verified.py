"""The table of `portico adopt --verify`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from portico.cli import output
from portico.errors import DONE, FAILED
from portico.project.adopt.adopt import Result

if TYPE_CHECKING:
    from portico.check.adopted.verify import Verified

_COLOURS = {"same": output.faint, "better": output.good, "differs": output.warned}


def verify_all(result: Result, *, is_json: bool) -> int:
    """Prints the tables; returns the exit code: 1 if a site could not be compared. Raises PorticoError."""
    from portico.check.adopted.verify import verify

    found = verify(result)
    if is_json:
        output.result(output.as_json({"verified": found}))
    else:
        for one in found:
            output.results(list(_table(one)))
    return FAILED if any(one.problem for one in found) or not found else DONE


def _table(one: Verified) -> Iterator[str]:
    yield ""
    yield output.strong(f"{one.name}: the original, and Portico, side by side")
    if one.problem:
        yield output.bad("  it does not start with this configuration")
        yield from (f"    {line}" for line in one.problem.splitlines())
        return
    width = max((len(row.question) for row in one.rows), default=0)
    for row in one.rows:
        status = row.before if row.before == row.after else f"{row.before} -> {row.after}"
        why = f"  {row.why}" if row.why else ""
        yield f"  {_COLOURS[row.judgement](f'{row.judgement:8}')}{row.question.ljust(width)}  {status}{why}"
    counts = Counter(str(row.judgement) for row in one.rows)
    yield f"  {', '.join(f'{counts[name]} {name}' for name in _COLOURS if counts[name])}"
    yield "  a stand-in answered for the app on both sides: your app was not run"
