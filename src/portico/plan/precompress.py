"""Which files are compressed ahead of time, how, and where the copies are. Values and decisions only.

nginx finds the copy of `/static/app.css` at ROOT/br/static/app.css: the same name gives the same type.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from portico.place.model import Place
from portico.plan.paths import Paths
from portico.plan.subjects import Precompressed
from portico.plan.web.files.mime import COMPRESSIBLE, TYPES
from portico.plan.web.literal import is_literal

CODINGS = ("br", "zstd", "gzip")
"""The names of Accept-Encoding, the better one first: on a front-end bundle brotli (11) is smallest."""
LEAST_BYTES = 1024
"""A smaller file fits one packet anyway, and nginx's gzip skips it, too."""
MOST_BYTES = 16 << 20
"""A larger file would keep a core busy for minutes."""
MOST_ZOPFLI_BYTES = 2 << 20
"""Zopfli takes some 2 s a MB for 4 % less than zlib's best; larger files get zlib."""
MOST_FILES = 20_000
"""The limit of files in all folders; a folder with more contains uploads, not a front end."""
SUFFIXES = frozenset(
    f".{suffix}" for kind, *suffixes in TYPES for suffix in suffixes if kind in (*COMPRESSIBLE, "text/html")
)
"""Names of files that compress well."""
_LEAST_GAIN = 0.05
_LEAST_GAIN_BYTES = 128


def precompressed(place: Place, folders: Mapping[str, str]) -> tuple[Precompressed, ...]:
    """Where the copies of these folders (by the URI that nginx sees) are; none for a path that nginx cannot express."""
    parent = Paths.of(place).precompressed
    if not is_literal(parent):
        return ()
    return tuple(
        Precompressed(url, folder, f"{parent}/{_key(url, folder)}") for url, folder in folders.items()
    )


def is_candidate(name: str, size: int) -> bool:
    """Whether a file should be compressed."""
    return LEAST_BYTES <= size <= MOST_BYTES and is_compressible(name)


def is_compressible(name: str) -> bool:
    """Whether files with that name compress well."""
    return name[name.rfind(".") :].lower() in SUFFIXES if "." in name else False


def is_worth(size: int, smaller: int) -> bool:
    """Whether the copy saves enough: decompression costs the client, too."""
    return size - smaller >= max(_LEAST_GAIN_BYTES, size * _LEAST_GAIN)


def kept(size: int, sizes: Mapping[str, int]) -> tuple[str, ...]:
    """Which codings of a file are stored, given these sizes.

    nginx's ETag is the time and the length. No two copies of a file may share it, so of two equally long copies the
    better coding is stored.
    """
    found: list[str] = []
    for coding in CODINGS:
        taken = {sizes[other] for other in found}
        if coding in sizes and is_worth(size, sizes[coding]) and sizes[coding] not in taken:
            found.append(coding)
    return tuple(found)


def _key(url: str, folder: str) -> str:
    return hashlib.sha256(f"{url}\0{folder}".encode("utf-8", "surrogateescape")).hexdigest()[:12]
