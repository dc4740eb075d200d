"""Compression: of the app's answers on the fly, of files ahead of time."""

from __future__ import annotations

import re

from portico.place.model import Build
from portico.plan.gateway.httpd.entry.trust import setting
from portico.plan.gateway.httpd.modules import has
from portico.plan.gateway.httpd.names import CODING
from portico.plan.gateway.httpd.syntax import Directive, directive
from portico.plan.web.files.mime import COMPRESSIBLE

_NEGOTIATION = "https://www.rfc-editor.org/rfc/rfc9110.html#name-accept-encoding"
_Q = r"(?:;[ \t]*q=(?:0[.][0-9]*[1-9][0-9]*|1(?:[.]0*)?)[ \t]*)?"
"""A weight above 0. Any other form is refused, because it may mean 0."""
_REFUSED = r"(?i)(?:^|,)[ \t]*[a-z*-]+[ \t]*;[ \t]*q=0(?:[.]0*)?[ \t]*(?=,|$)"
CODINGS = ("br", "zstd", "gzip")


def compression(build: Build) -> list[Directive]:
    """What httpd compresses on the fly: the app's answers, and files without a copy."""
    filters = [
        name for name, word in (("BROTLI_COMPRESS", "brotli"), ("DEFLATE", "deflate")) if has(build, word)
    ]
    if not filters:
        return []
    why = "what compresses; not images, and not text/event-stream, whose events a compressor would hold back"
    types = "|".join(re.escape(name) for name in ("text/html", *COMPRESSIBLE))
    unless = "an app keeps a page with a secret from being compressed by Content-Encoding: identity"
    condition = f"resp('Content-Encoding') != 'identity' && %{{CONTENT_TYPE}} =~ m#^(?:{types})(?:;|$)#"
    made = [directive("FilterDeclare", name, why=why) for name in map(_chained, filters)]
    made += [directive("FilterProvider", _chained(name), name, condition, why=unless) for name in filters]
    made.append(
        directive("FilterChain", *map(_chained, filters), why="brotli first: gzip leaves its answers alone")
    )
    if "DEFLATE" in filters:
        made += [
            directive(
                "DeflateCompressionLevel", 5, why="most of the gain for a third of the time of level 9"
            ),
            directive("DeflateAlterETag", "AddSuffix", why="another form has another version"),
        ]
    if "BROTLI_COMPRESS" in filters:
        made += [
            directive("BrotliCompressionQuality", 4, why="about the time of gzip 5, and smaller"),
            directive("BrotliAlterETag", "AddSuffix", why="another form has another version"),
        ]
    why = "a browser asks with the version of its form: the file and the app know the one without a suffix"
    pattern, versions = r'"(([^"]*)-(?:gzip|br))"', '"$1", "$2"'
    made.append(directive("RequestHeader", "edit*", "If-None-Match", pattern, versions, why=why))
    why = "the compressors take a coding with the weight 0 for one that the client takes"
    return [
        *made,
        directive("RequestHeader", "edit*", "Accept-Encoding", _REFUSED, "", why=why, source=_NEGOTIATION),
        directive(
            "RequestHeader",
            "edit",
            "Accept-Encoding",
            "^[ \\t,]+",
            "",
            why="they read none behind an empty one, which a refused one at the front leaves",
        ),
    ]


def _chained(name: str) -> str:
    """The filter that decides whether the compressor of that name runs."""
    return f"IF_{name}"


def coding_settings() -> list[Directive]:
    """In a virtual host: the smallest form of a file that this client takes."""
    why = (
        "the smallest form of a file that this client takes; q=0 and what cannot be understood count as a no"
    )
    rows = [("gzip", "(?:x-)?gzip"), ("zstd", "zstd"), ("br", "br")]
    takes = "req_novary('Accept-Encoding') =~ m#(?:^|,)[ \\t]*(?:{})[ \\t]*{}(?:,|$)#i"
    any_but_it = f"{takes.format('[*]', _Q)} && req_novary('Accept-Encoding') !~ m#gzip#i"
    return [
        setting(any_but_it, f"{CODING}=gzip", why),
        *(setting(takes.format(names, _Q), f"{CODING}={coding}", why) for coding, names in rows),
    ]
