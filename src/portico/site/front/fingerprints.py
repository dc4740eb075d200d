"""What the name of a file tells: that it holds a hash of the content, or that it is never sent.

A file with such a hash never changes, its name does.

The patterns are read by Python and by nginx (PCRE) alike and have no captures. A name that merely looks like that must
not be kept for a year, and a hash that is not recognised costs one small question a visit: in doubt it is none.
"""

from __future__ import annotations

import re

_FRONT_END = "[cm]?js|css|map|wasm|svg|png|jpe?g|gif|webp|avif|ico|woff2?|ttf|otf|eot|mp4|webm|mp3|ogg|json|webmanifest"
"""What build tools fingerprint; pages are never among them, and uploads (pdf, zip) carry all kinds of numbers."""
_HEX = r"(?=[a-f]+\d+[a-f]|\d+[a-f]+\d)(?:(?:[0-9a-f]{4}){2,5}|[0-9a-f]{10}|[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})"
"""webpack, Parcel, Django (12), Flask-Static-Digest (32). Digits and letters change twice at least: 20240101, facade01
and 1080cafe are none. 24 digits are a MongoDB id."""
_RUNS = r"(?:[a-z]+(?![a-z])|[A-Z]+(?![A-Z])|\d+(?!\d))"
_BASE64 = rf"(?=[A-Za-z]*\d)(?=[A-Z0-9]*[a-z])(?=[a-z0-9]*[A-Z])(?={_RUNS}{{5}})[A-Za-z0-9]{{8}}"
"""Vite and Rollup. Digits, small and capital letters, in five runs at least: iPhone15, mainView and Section2 are none.
Half of the real hashes are not recognised by this; with a manifest all are."""
_BASE32 = r"(?=(?:[A-Z]+(?![A-Z])|[2-7]+(?![2-7])){4})[A-Z2-7]{8}"
"""esbuild, Angular."""
PATTERN = (
    rf"[._-](?:(?<![0-9a-f]{{4}}.){_HEX}|(?<=[.-]){_BASE64}|(?<=-){_BASE32})"
    rf"(?:\.[A-Za-z0-9]+)?\.(?:{_FRONT_END})$"
)
"""Matches the end of a path. What stands before a hash is not four more hex digits: that would be a UUID."""

_IN_MANIFEST = re.compile(r"[._-](?P<hash>[A-Za-z0-9_-]{6,64})(?:\.[A-Za-z0-9]+){1,3}$")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d{1,5}")
SOURCES = "py[cdio]?|j2|jinja2?|bak|orig|swp|br"
"""Ends of names that are never sent: Python and templates, what editors leave behind, and `.br`, which is no file in
its own right."""


def is_fingerprinted(name: str, source: str = "") -> bool:
    """Whether a file that a manifest names has a hash in its name; `source` is what it was made from.

    A manifest names unhashed files, too, when the build is told so: what has the same name as its source has no hash,
    and no word of one kind of letters is one.
    """
    base, original = name.rpartition("/")[2], source.rpartition("/")[2]
    if base == original:
        return False
    found = _IN_MANIFEST.search(base)
    if not found:
        return False
    return not _WORD.fullmatch(found["hash"].rpartition("-")[2] or found["hash"])
