"""Files that the app has nginx send: the internal locations of the roots of [downloads]."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portico.plan import downloads as names
from portico.plan.gateway.nginx.files.compression import uncompressed
from portico.plan.gateway.nginx.headers import of_download
from portico.plan.gateway.nginx.names import header_word
from portico.plan.gateway.nginx.pages import PREFIX, any_body, error_pages, no_such_part
from portico.plan.gateway.nginx.syntax import Directive, block, directive, literal
from portico.plan.web.app.downloads import DownloadRoot
from portico.plan.web.model import Web

_ACCEL = "https://nginx.org/en/docs/http/ngx_http_uwsgi_module.html#uwsgi_ignore_headers"
_RANGE = "a range of a compressed file would be another range"


def downloads(web: Web) -> list[Directive]:
    """One location, with two inside for each root."""
    if not web.downloads.roots:
        return []
    inside = [
        made
        for number, root in enumerate(web.downloads.roots)
        for made in (
            _files(names.whole(number), root),
            _files(names.part(number), root, uncompressed(web.place, _RANGE)),
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
                *of_download(web),
                *_carried(web),
                directive(
                    "error_page", 403, "=404", f"{PREFIX}404.$portico_page",
                    why="a file that was removed at this moment is a 404",
                ),
                *error_pages(404),
                no_such_part(),
                *inside,
            ],
        )
    ]  # fmt: skip


def _internal() -> Directive:
    return directive("internal", why="only the worker leads here, never a client")


def _files(url: str, root: DownloadRoot, of_part: Sequence[Directive] = ()) -> Directive:
    folder = literal(root.folder, root.cause).rstrip("/") + "/"
    why = "the same where a range was asked for" if of_part else "the files of one root"
    return block(
        "location", "^~", url, why=why, cause=root.cause, source=_ACCEL,
        of=[
            _internal(),
            directive("alias", folder, why="where the files are", cause=root.cause),
            directive(
                "disable_symlinks", "on", f"from={root.fence}",
                why="the worker gives real paths; a link put there meanwhile is not followed", cause=root.cause,
            ),
            *of_part,
        ],
    )  # fmt: skip


def _carried(web: Web) -> Iterator[Directive]:
    removed = {name.lower() for name in web.headers.removed}
    for name in (name for name in names.CARRIED if name.lower() not in removed):
        variable = "$upstream_http_" + header_word(name)
        yield directive(
            "add_header", name, variable, why="what the app said; empty, and not sent, when it said nothing"
        )
