"""Files that the app sends and nginx carries: the internal locations of the roots of [downloads]."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portico.errors import Problem
from portico.place.model import Place
from portico.plan import downloads as names
from portico.plan.appserver.kind import Feature
from portico.plan.gateway.nginx.compression import uncompressed
from portico.plan.gateway.nginx.conf import Directive, block, directive, literal
from portico.plan.gateway.nginx.pages import PREFIX, any_body, error_pages
from portico.plan.web.literal import is_literal
from portico.plan.web.model import Web
from portico.site.model import Root

_ACCEL = "https://nginx.org/en/docs/http/ngx_http_uwsgi_module.html#uwsgi_ignore_headers"
_RANGE = "a range of a compressed file would be another range"


def given(web: Web) -> list[Root]:
    """The folders whose files nginx sends for the app: those it can read and name, and only for Portico's worker."""
    if not _has_worker(web):
        return []
    return [
        root
        for root in web.site.roots
        if root.is_declared or (web.place.serves(root.folder) and is_literal(root.folder))
    ]


def impossible(web: Web) -> list[Problem]:
    """Roots that were declared where nobody could hand a file over."""
    if web.site.options.downloads.roots and not _has_worker(web):
        hint = "leave them out, or run a WSGI app with Gunicorn and without other servers"
        return [
            Problem(web.site.cause("downloads.roots"), "only Portico's own worker hands files to nginx", hint)
        ]
    return []


def downloads(web: Web, headers: list[Directive]) -> list[Directive]:
    """One location, and in it two for each root. `headers` are those every location repeats."""
    roots = given(web)
    if not roots:
        return []
    inside = [
        made
        for number, root in enumerate(roots)
        for made in (
            _files(web.place, names.whole(number), root),
            _files(web.place, names.part(number), root, uncompressed(web.place, _RANGE)),
        )
    ]
    return [
        block(
            "location", "^~", names.PREFIX, source=_ACCEL,
            why="files that the app opened and sends: the worker names one here and is free, nginx carries the bytes",
            of=[
                _internal(),
                any_body(),
                directive("open_file_cache", "off", why="nginx sends the file that is there now"),
                directive("etag", "off", why="the app's ETag counts, not one of nginx's"),
                directive(
                    "if_modified_since", "off", why="the app has decided already that the client needs the file"
                ),
                *headers,
                *_carried(),
                directive(
                    "error_page", 403, "=404", f"{PREFIX}404.$portico_page",
                    why="a file that was removed at this moment is a 404",
                ),
                *error_pages(404),
                *inside,
            ],
        )
    ]  # fmt: skip


def _has_worker(web: Web) -> bool:
    """Whoever answers may lead to these files by X-Accel-Redirect, so nobody else may answer."""
    return Feature.DOWNLOADS in web.features


def _internal() -> Directive:
    return directive("internal", why="only the worker leads here, never a client")


def _files(place: Place, url: str, root: Root, of_part: Sequence[Directive] = ()) -> Directive:
    folder = literal(root.folder, root.origin).rstrip("/") + "/"
    why = "the same where a range was asked for" if of_part else "the files of one root"
    return block(
        "location", "^~", url, why=why, cause=root.origin, source=_ACCEL,
        of=[
            _internal(),
            directive("alias", folder, why="where the files are", cause=root.origin),
            directive(
                "disable_symlinks", "on", f"from={place.fence(folder)}",
                why="the worker gives real paths; a link put there meanwhile is not followed", cause=root.origin,
            ),
            *of_part,
        ],
    )  # fmt: skip


def _carried() -> Iterator[Directive]:
    for name in names.CARRIED:
        variable = "$upstream_http_" + name.lower().replace("-", "_")
        yield directive(
            "add_header", name, variable, why="what the app said; empty, and not sent, when it said nothing"
        )
