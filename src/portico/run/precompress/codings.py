"""The codings at their highest compression: slow, which does not matter ahead of time."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Mapping

import brotli
import zopfli.gzip
import zstandard

from portico.plan.precompress import CODINGS, MOST_ZOPFLI_BYTES

_ZSTD_LEVEL = 19
"""With a larger window a browser would need more memory (RFC 9659 allows it 8 MiB)."""


def _gzip(content: bytes) -> bytes:
    if len(content) > MOST_ZOPFLI_BYTES:
        return gzip.compress(content, 9, mtime=0)
    made: bytes = zopfli.gzip.compress(content)
    return made


def _br(content: bytes) -> bytes:
    made: bytes = brotli.compress(content, quality=11)
    return made


def _zstd(content: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(content)


ENCODE: Mapping[str, Callable[[bytes], bytes]] = {"br": _br, "zstd": _zstd, "gzip": _gzip}
SUFFIXES = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}
"""The suffixes of copies that a build makes itself."""
assert tuple(ENCODE) == CODINGS


def holds(coding: str, packed: bytes, content: bytes) -> bool:
    """Whether a copy by another program contains exactly these bytes; unpacks no more than their length."""
    try:
        if coding == "br":
            return _unpacked_br(packed, len(content)) == content
        if coding == "zstd":
            reader = zstandard.ZstdDecompressor(max_window_size=8 << 20).stream_reader(packed)
            return bool(reader.read(len(content) + 1) == content)
        return zlib.decompressobj(31).decompress(packed, len(content) + 1) == content
    except (brotli.error, zstandard.ZstdError, zlib.error):
        return False


def _unpacked_br(packed: bytes, most: int) -> bytes:
    reader, found = brotli.Decompressor(), b""
    for at in range(0, len(packed), 1024):
        found += reader.process(packed[at : at + 1024])
        if len(found) > most:
            break
    return found if reader.is_finished() else b""
