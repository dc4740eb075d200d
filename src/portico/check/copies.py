"""Which static files have no compressed copy, so that nginx compresses them at each request?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from portico.check.model import Finding, warning
from portico.plan.model import Plan
from portico.plan.precompress import MOST_BYTES, MOST_FILES
from portico.run.precompress.scan import scan
from portico.values import Size

_MOST_NAMES = 3


def copy_findings(planned: Plan) -> Iterator[Finding]:
    """Compressible files that are too large or too many; none if there are no such files."""
    for copy in planned.precompressed:
        found = scan(copy.folder)
        if found.too_large:
            yield warning(
                f"copies of {copy.url}",
                f"{_files(copy.folder, found.too_large)}: larger than {Size(MOST_BYTES)}, so not compressed ahead; "
                f"{planned.gateway.name} compresses it by gzip at each request, some 30 ms of a core for each MiB",
                "offer it in parts, or in a compressed form (.zip, .parquet)",
                "copies",
            )
        if found.left_out:
            yield warning(
                f"copies of {copy.url}",
                f"{found.left_out} files after the first {MOST_FILES} are not looked at and have no compressed copies",
                "keep uploads in a folder of their own, outside of the static ones",
                "copies",
            )


def _files(folder: str, names: list[str]) -> str:
    shown = [f"{name} ({_size(Path(folder, name))})" for name in names[:_MOST_NAMES]]
    return ", ".join(shown) + (f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else "")


def _size(path: Path) -> str:
    try:
        return f"{path.stat().st_size / (1 << 20):.0f} MiB"
    except OSError:
        return "gone"
