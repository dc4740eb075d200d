"""Compression: of the app's answers on the fly, of files ahead of time.

Files have copies compressed at the best level by brotli, zstd and gzip (`plan.precompress`). Both builds of nginx
find them by a variable, because the embedded one lacks gzip_static, brotli_static and zstd_static.
"""

from __future__ import annotations

from portico.place.model import Place
from portico.plan.gateway.nginx.abilities import HEADERS_MORE
from portico.plan.gateway.nginx.syntax import Directive, directive, entries
from portico.plan.web.files.mime import COMPRESSIBLE

BROTLI = "brotli_filter"
BROTLI_PAGE = "https://github.com/google/ngx_brotli"
_NEGOTIATION = "https://www.rfc-editor.org/rfc/rfc9110.html#name-accept-encoding"
_Q = r"(?:;[ \t]*q=(?:0\.\d*[1-9]\d*|1(?:\.0*)?)[ \t]*)?"
"""A weight above 0. Any other form is refused, because it may mean 0."""


def _accepts(names: str) -> str:
    return rf"~*(?:^|,)[ \t]*(?:{names})[ \t]*{_Q}(?:,|$)"


def compression(place: Place) -> list[Directive]:
    """What nginx compresses on the fly: the app's answers, and files without a copy."""
    made = [
        directive("gzip", "on", why="text leaves at a third of its size; an answer that is compressed already "
        "stays as it is"),
        directive("gzip_comp_level", 5, why="most of the gain for a third of the time of level 9"),
        directive("gzip_min_length", 1024, why="below that the head outweighs the gain"),
        directive("gzip_vary", "on", why="a cache in between must keep both forms apart"),
        directive("gzip_proxied", "any", why="also when the client comes through a proxy"),
        directive("gzip_types", *COMPRESSIBLE, why="what compresses; not images, and not text/event-stream, "
                  "whose events a compressor would hold back"),
    ]  # fmt: skip
    return made + (_brotli() if can_brotli(place) else [])


def can_brotli(place: Place) -> bool:
    """Whether this nginx compresses answers with brotli, too."""
    return BROTLI in place.gateway.loadable


def uncompressed(place: Place, why: str) -> list[Directive]:
    """Turns compression off in a location."""
    made = [directive("gzip", "off", why=why)]
    if can_brotli(place):
        made.append(directive("brotli", "off", why=why, source=BROTLI_PAGE))
    return made


def modules(place: Place) -> list[Directive]:
    """At the top of the file: the dynamic modules that every site uses."""
    known = {BROTLI: "brotli", HEADERS_MORE: "headers-more"}
    return [
        directive("load_module", file, why=f"this nginx has {known[name]} as a module", cause=place.gateway.path)
        for name, file in place.gateway.loadable.items()
        if name in known
    ]  # fmt: skip


def _brotli() -> list[Directive]:
    source = f"{BROTLI_PAGE}#configuration-directives"
    return [
        directive("brotli", "on", why="a seventh less than gzip, for clients that take it", source=source),
        directive("brotli_comp_level", 4, why="about the time of gzip 5, and smaller", source=source),
        directive("brotli_min_length", 1024, why="below that the head outweighs the gain", source=source),
        directive("brotli_types", *COMPRESSIBLE, why="the same as gzip_types", source=source),
    ]  # fmt: skip


def copy_maps() -> list[Directive]:
    """At `http` level: variables that choose a copy."""
    return [
        entries(
            "map", "$http_accept_encoding", "$portico_coding",
            table=[
                ("default", ""),
                ("gzip, deflate, br, zstd", "br"),
                ("gzip, deflate, br", "br"),
                ("gzip, deflate", "gzip"),
                ("gzip", "gzip"),
                ("identity", ""),
                (_accepts("br"), "br"),
                (_accepts("zstd"), "zstd"),
                (_accepts("(?:x-)?gzip"), "gzip"),
                (r"~*(?:x-)?gzip", ""),
                (_accepts(r"\*"), "gzip"),
            ],
            why="the smallest form of a file that this client takes: what browsers send word for word first, then any "
            "other; q=0 and what cannot be understood count as a no",
        ),
        entries(
            "map", "$status:$portico_coding", "$portico_content_encoding",
            table=[("default", ""), *((f"{status}:{coding}", coding) for status in (200, 206)
                                      for coding in ("br", "zstd", "gzip"))],
            why="sent with the bytes; an answer without them (304) has none",
        ),
    ]  # fmt: skip


def copy_headers() -> list[Directive]:
    """The headers of an answer from a copy."""
    return [
        directive("add_header", "Content-Encoding", "$portico_content_encoding", why="how the copy was compressed",
                  source=_NEGOTIATION),
        directive("add_header", "Vary", "Accept-Encoding", why="a cache in between must keep the forms apart",
                  source=_NEGOTIATION),
    ]  # fmt: skip
