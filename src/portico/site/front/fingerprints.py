"""Patterns of file names: those that contain a hash of the content, and those that are never sent.

The content behind a hashed name never changes; a changed file gets another name.

Python and nginx (PCRE) read the patterns alike; they have no captures. A name that merely looks hashed must not be
cached for a year; an unrecognized hash costs one small revalidation a visit. In doubt, a name counts as not hashed.
"""

from __future__ import annotations

import re

_FRONT_END = "[cm]?js|css|map|wasm|svg|png|jpe?g|gif|webp|avif|ico|woff2?|ttf|otf|eot|mp4|webm|mp3|ogg|json|webmanifest"
"""File types that build tools hash. Pages are never among them, and uploads (pdf, zip) have all kinds of numbers."""
_HEX = r"(?=[a-f]+\d+[a-f]|\d+[a-f]+\d)(?:(?:[0-9a-f]{4}){2,5}|[0-9a-f]{10}|[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})"
"""webpack, Parcel, Django (12), Flask-Static-Digest (32). Digits and letters alternate at least twice: 20240101,
facade01 and 1080cafe do not count. 24 digits are a MongoDB ID.
"""
_RUNS = r"(?:[a-z]+(?![a-z])|[A-Z]+(?![A-Z])|\d+(?!\d))"
_BASE64 = rf"(?=[A-Za-z]*\d)(?=[A-Z0-9]*[a-z])(?=[a-z0-9]*[A-Z])(?={_RUNS}{{5}})[A-Za-z0-9]{{8}}"
"""Vite and Rollup. Digits, lower and upper case in at least five runs: iPhone15, mainView and Section2 do not count.
This misses half of the real hashes; a manifest lists all of them.
"""
_BASE32 = r"(?=(?:[A-Z]+(?![A-Z])|[2-7]+(?![2-7])){4})[A-Z2-7]{8}"
"""esbuild, Angular."""
PATTERN = (
    rf"[._-](?:(?<![0-9a-f]{{4}}.){_HEX}|(?<=[.-]){_BASE64}|(?<=-){_BASE32})"
    rf"(?:\.[A-Za-z0-9]+)?\.(?:{_FRONT_END})$"
)
"""Matches the end of a path. Four more hex digits before the hash would make it a UUID."""

_IN_MANIFEST = re.compile(r"[._-](?P<hash>[A-Za-z0-9_-]{6,64})(?:\.[A-Za-z0-9]+){1,3}$")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d{1,5}")
SOURCES = "py[cdio]?|j2|jinja2?|bak|orig|swp|br"
"""Suffixes of files that are never sent: Python and templates, editor backups, and `.br`, which is only ever a
compressed copy.
"""


def is_fingerprinted(name: str, source: str = "") -> bool:
    """Whether a file in a manifest has a hash in its name; `source` is the file that it was built from.

    A manifest may list unhashed files, too. A name equal to its source's has no hash, nor does a word of letters in
    one case.
    """
    base, original = name.rpartition("/")[2], source.rpartition("/")[2]
    if base == original:
        return False
    found = _IN_MANIFEST.search(base)
    if not found:
        return False
    return not _WORD.fullmatch(found["hash"].rpartition("-")[2] or found["hash"])
