"""Portico itself as a wheel, made of the files that run now: what an image installs is what wrote its files.

An index is no source: it may have another Portico, or none. https://peps.python.org/pep-0427/
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from msgspec import Struct

import portico
from portico import DISTRIBUTION
from portico.errors import PorticoError, Problem

_WHEEL = "Wheel-Version: 1.0\nGenerator: portico\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_COPIED = ("METADATA", "entry_points.txt", "top_level.txt")
_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""Of every file in it: the same Portico makes the same bytes, and so the same layer of an image."""
_MODE = 0o644


class Wheel(Struct, frozen=True):
    name: str
    content: bytes


def own_wheel() -> Wheel:
    """Raises PorticoError if Portico is not installed as a package."""
    try:
        made = distribution(DISTRIBUTION)
    except PackageNotFoundError:
        hint = "install it: pip install DIRECTORY, with the directory of its pyproject.toml"
        raise PorticoError(Problem("portico", "its packaging data are missing", hint)) from None
    # https://packaging.python.org/en/latest/specifications/binary-distribution-format/#escaping-and-unicode
    stem = f"{DISTRIBUTION.replace('-', '_')}-{made.version}"
    info = f"{stem}.dist-info"
    files = {**dict(_modules()), **dict(_metadata(made, info))}
    record = "".join(f"{name},{_hash(content)},{len(content)}\n" for name, content in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    return Wheel(f"{stem}-py3-none-any.whl", _zipped(files))


def _modules() -> Iterator[tuple[str, bytes]]:
    top = Path(portico.__file__).parent
    for path in sorted(top.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            yield f"portico/{path.relative_to(top).as_posix()}", path.read_bytes()


def _metadata(made: Distribution, info: str) -> Iterator[tuple[str, bytes]]:
    for name in _COPIED:
        if text := made.read_text(name):
            yield f"{info}/{name}", text.encode()
    yield f"{info}/WHEEL", _WHEEL.encode()


def _hash(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _zipped(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _EARLIEST)
            entry.external_attr = _MODE << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return made.getvalue()
