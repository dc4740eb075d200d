"""Files that nginx serves itself: the app's static folders, each under its URL, and files at the root."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec.structs import replace

from portico.plan.gateway.nginx.access import refusal
from portico.plan.gateway.nginx.by_path import by_path
from portico.plan.gateway.nginx.entry.maintenance import shut_page
from portico.plan.gateway.nginx.files import compression
from portico.plan.gateway.nginx.files.open_files import open_files
from portico.plan.gateway.nginx.guards import guarded
from portico.plan.gateway.nginx.headers import is_said, of_nginx
from portico.plan.gateway.nginx.log.line import file_log
from portico.plan.gateway.nginx.names import location, variable
from portico.plan.gateway.nginx.pages import PREFIX, error_pages, no_such_part
from portico.plan.gateway.nginx.syntax import Directive, block, directive, entries, literal
from portico.plan.web.ability import Ability
from portico.plan.web.access import ByPath
from portico.plan.web.files.statics import (
    BEFORE,
    FOREVER,
    PRIVATE,
    File,
    Folder,
    Sent,
    is_for_caches,
)
from portico.plan.web.model import Web
from portico.plan.web.mount import App, Files, Mount, OneFile
from portico.site.front.fingerprints import PATTERN, SOURCES

_TEXT = (
    "text/css",
    "text/javascript",
    "text/plain",
    "text/csv",
    "text/markdown",
    "text/xml",
    "image/svg+xml",
)
_ALLOW = "https://www.rfc-editor.org/rfc/rfc9110#section-15.5.6"
_NOT_MODIFIED = "https://www.rfc-editor.org/rfc/rfc9110#section-15.4.5"
_LIFE = "https://www.rfc-editor.org/rfc/rfc8246.html"


def statics(web: Web, inside: Mapping[str, list[Directive]]) -> list[Directive]:
    """One location a folder, two after a release from another directory.

    `inside` has the locations of routes that come before the files, by the folder's URL.
    """
    made = []
    for mount in web.mounts:
        if isinstance(mount.action, OneFile):
            made.append(_root_file(web, mount, mount.action.file))
        elif isinstance(mount.action, Files):
            folder = mount.action.folder
            of_folder = _statics(web, mount, folder)
            if routes := inside.get(folder.url):
                of_folder[0] = _below_routes(web, folder, of_folder[0], routes)
            made += of_folder
    refuses = not all(mount.asked for mount in web.mounts if isinstance(mount.action, Files | OneFile))
    return [*made, _not_allowed(web)] if refuses else made


def asked_methods(web: Web) -> dict[str, App]:
    """The targets of methods other than GET and HEAD, for files that the app's own code also handles: a named
    location for the site's, and one for each route's.
    """
    return {_asked_method(web, mount.asked): mount.asked for mount in web.mounts if mount.asked}


def _asked_method(web: Web, asked: App) -> str:
    name = location(web, "method_of_the_app")
    return f"{name}_{web.routed.index(asked.routed)}" if asked.routed else name


def _not_allowed(web: Web) -> Directive:
    """The answer of a file to any method but GET and HEAD: RFC 9110 requires the list of allowed methods."""
    why = (
        "a file can only be read: OPTIONS is answered, every other method is refused, and both answers name "
        "the allowed methods"
    )
    return block(
        "location", _refused_method(web), why=why,
        of=[
            *of_nginx(web),
            directive("add_header", "Allow", "GET, HEAD, OPTIONS", "always", why=why, source=_ALLOW),
            block(
                "if", "(", "$request_method", "=", "OPTIONS", ")", why=why,
                of=[directive("return", 204, why="the answer is in the head")],
            ),
            directive("return", 405, why=why),
        ],
    )  # fmt: skip


def _refused_method(web: Web) -> str:
    return location(web, "method_of_a_file")


def _varied(web: Web) -> Directive:
    why = "nginx's own gzip says Vary with the bytes and forgets it with a 304, which must say the same"
    return directive("add_header", "Vary", variable(web, "not_modified_vary"), why=why, source=_NOT_MODIFIED)


def _methods(web: Web, mount: Mount, sent: Sent) -> Directive:
    if mount.asked:
        why = "the app's own code decides about these files: the app answers a CORS preflight"
        return directive("error_page", 405, "=", _asked_method(web, mount.asked), why=why, cause=sent.cause)
    return directive(
        "error_page", 405, "=", _refused_method(web),
        why="OPTIONS and methods that a file does not know are answered with an Allow header", source=_ALLOW,
    )  # fmt: skip


def static_maps(web: Web) -> list[Directive]:
    """At `http` level: variables of static files; none if there are no files."""
    if not web.statics.sent and web.spa is None:
        return []
    why = "what a 304 of a file says of the forms that the file has"
    table = [("default", ""), ("304", "Accept-Encoding")]
    return [*_lives(web), entries("map", "$status", variable(web, "not_modified_vary"), table=table, why=why)]


def _lives(web: Web) -> list[Directive]:
    """How long a browser may cache the file."""
    lives, closed = web.statics.lives, web.access.closed
    made = [
        entries(
            "map", f"$arg_{name}", variable(web, f"life_{name}"),
            table=[("default", FOREVER), ("", variable(web, f"life_{after}") if after else lives.short)],
            why="the app's own URLs of static files carry this argument, and it changes with the file",
            cause=f"url_for('static', ...) adds ?{name}=",
        )
        for name, after in zip(lives.versions, ["", *lives.versions], strict=False)
    ]  # fmt: skip
    return [
        *made,
        entries(
            "map", "$uri", variable(web, "life_of_file" if closed else "life"),
            table=[
                ("default", variable(web, f"life_{lives.versions[-1]}") if lives.versions else lives.short),
                *((url, FOREVER) for url in lives.forever),
                *((url, lives.short) for url in lives.changing),
                (f"~{PATTERN}", FOREVER),
            ],
            why="a name that holds a hash of the content (a build's manifest says so, or it looks like one without "
            "doubt) never gets other content: browsers cache it for a year without asking; any other file may "
            "change: browsers cache it and ask each time, and 304 has no bytes",
        ),
        *(_closed(web, closed) if closed else []),
    ]  # fmt: skip


def _closed(web: Web, closed: ByPath[bool]) -> list[Directive]:
    """The same where not everybody may come: no cache between the site and a browser keeps a file of there."""
    why = "where access is restricted, no cache on the way stores a file for others, and browsers revalidate"
    below = BEFORE if any(folder.before for folder in web.statics.folders) else ""
    words = {"life": variable(web, "life_of_file")}
    words |= {_word(web, text): text for text in _said_to_all(web) if text}
    made = [
        by_path(web, word, closed, {True: PRIVATE}, why, nothing=otherwise, below=below)
        for word, otherwise in words.items()
    ]
    return made + [
        by_path(web, _word(web, text), closed, {True: ""}, why, nothing=text, below=below)
        for text in _said_to_caches(web)
    ]


def _said_to_all(web: Web) -> list[str]:
    """What the app says of how long its files may be kept, by whatever cache."""
    return sorted({sent.cache_control for sent in web.statics.sent if _is_shared(sent.cache_control)})


def _said_to_caches(web: Web) -> list[str]:
    """The same in headers that only caches before the site read, and browsers do not."""
    found = {value for sent in web.statics.sent for name, value in sent.headers if is_for_caches(name)}
    return sorted(found - set(_said_to_all(web)))


def _is_shared(cache_control: str) -> bool:
    return bool(cache_control) and not re.search(r"\b(?:private|no-store)\b", cache_control, re.IGNORECASE)


def _word(web: Web, text: str) -> str:
    """Of the variable that is this text, but for where not everybody may come."""
    return f"life_said_{[*_said_to_all(web), *_said_to_caches(web)].index(text)}"


def _life(web: Web, text: str) -> str:
    """What is sent for that text of the app's."""
    is_told = web.access.closed is not None and text in [*_said_to_all(web), *_said_to_caches(web)]
    return variable(web, _word(web, text)) if is_told else text


def _statics(web: Web, mount: Mount, folder: Folder) -> list[Directive]:
    why = (
        "nginx sends these files itself, without a worker; ^~ keeps patterns from matching first, and both "
        "slashes keep /static../ from reading the directory above"
    )
    if not folder.before:
        return [_location(web, mount, folder, why, error_pages(404))]
    missing = directive(
        "error_page", 404, "=", f"{BEFORE}$uri",
        why="a page of the previous release may still ask for a file that only that release has", cause="reload --path",
    )  # fmt: skip
    internal = directive("internal", why="asked for by the location above, never by a client")
    before = replace(folder, url=BEFORE + folder.url, path=folder.before, fence=folder.before_fence)
    passed = replace(mount, guards=())
    return [
        _location(web, mount, folder, why, [missing]),
        _location(web, passed, before, "the same folder of the release before", [internal, *error_pages(404)]),
    ]  # fmt: skip


def _below_routes(web: Web, folder: Folder, files: Directive, routes: list[Directive]) -> Directive:
    """nginx tries patterns before it takes a prefix, so these come first: routes, then files that are never sent."""
    *of, never = files.block or ()
    pages = [item for item in of if item.name in ("access_log", "error_page", "log_not_found")]
    why = "every other path is a file"
    return replace(
        files,
        why=f"{files.why}; routes of the app below this URL come first",
        block=(
            *open_files(web),
            *routes,
            replace(never, block=(*pages, *(never.block or ()))),
            block("location", folder.url, why=why, cause=folder.sent.cause, of=of),
        ),
    )


def _location(web: Web, mount: Mount, folder: Folder, why: str, missing: list[Directive]) -> Directive:
    url, cause, has_index = folder.url, folder.sent.cause, folder.has_index
    root = literal(folder.path, cause).rstrip("/") + "/"
    said = _file_headers(web, folder.sent)
    return block(
        "location", "^~", url,
        why=why,
        cause=cause,
        of=[
            directive("alias", root, why="where the files are", cause=cause),
            *_safe(folder.fence, cause),
            *open_files(web),
            *file_log(web),
            *_charset(),
            *said,
            directive("log_not_found", "off", why="a missing file is in the access log already"),
            directive(
                "error_page", *([] if has_index else [301]), 403, "=404", f"{PREFIX}404.$portico_page",
                why="a folder, a link or a file that may not be read looks like one that is not there",
            ),
            *missing,
            *refusal(web, mount.guards),
            *shut_page(web, mount.guards),
            *guarded(web, mount.guards),
            _methods(web, mount, folder.sent),
            _varied(web),
            no_such_part(),
            *([] if has_index or Ability.CLEARS_HEADERS in web.abilities else [_no_folder()]),
            *_copy(web, url, said),
            block(
                "location", "~*", _refused(url, has_index=has_index),
                why="never sent: dotfiles (.git, .env), Python, templates, backups of editors"
                + ("" if has_index else "; and no folder has a page of its own, as with the app's static view"),
                of=[directive("return", 404, why="as if it did not exist")],
            ),
        ],
    )  # fmt: skip


def _no_folder() -> Directive:
    """Where nginx cannot withdraw the Location of a redirect that becomes a 404."""
    return block(
        "if", "(-d", "$request_filename)",
        why="nginx would redirect a folder's name to the one with a slash, and so show that it exists",
        of=[directive("return", 404, why="as if it did not exist")],
    )  # fmt: skip


def _refused(url: str, *, has_index: bool) -> str:
    """A short pattern, because each request is matched with it. It searches a dot below a URL that has one itself."""
    dotted = rf"^{re.escape(url)}(?:.*/)?\." if "/." in url else r"/\."
    return rf"{dotted}|(?:[~{'' if has_index else '/'}]|\.(?:{SOURCES}))$"


def _copy(web: Web, url: str, said: list[Directive]) -> list[Directive]:
    """Sends the compressed copy if there is one. The `if` blocks only set variables, and one of them is taken."""
    copy = next((copy for copy in web.statics.copies if copy.url == url), None)
    if copy is None:
        return []
    of = [
        directive("root", f"{copy.root}/$portico_coding", why="the copy has the file's own name, and so its type"),
        *compression.uncompressed(web.place, "it is compressed"),
        *said,
        *compression.copy_headers(),
    ]  # fmt: skip
    return [
        block(
            "if", "(", "$http_accept_encoding", "=", "", ")",
            why="a client that takes nothing compressed needs no test for a copy: a tenth of the cost of a file",
            of=[directive("break", why="no other if of this location is asked")],
        ),
        block(
            "if", "(-f", f"{copy.root}/$portico_coding$uri)", of=of,
            why="Portico compressed this file ahead of time in a form that the client takes; it removes the copy when "
            "the file changes",
        )
    ]  # fmt: skip


def _root_file(web: Web, mount: Mount, file: File) -> Directive:
    cause = file.sent.cause
    return block(
        "location", "=", file.url,
        why="browsers ask for this file at the root, and no route of the app answers it", cause=cause,
        of=[
            directive("alias", literal(file.path, cause), why="where the file is", cause=cause),
            *_safe(file.fence, cause),
            *open_files(web),
            *file_log(web),
            *_charset(),
            *_file_headers(web, file.sent),
            directive("log_not_found", "off", why="a missing file is in the access log already"),
            directive(
                "error_page", 403, "=404", f"{PREFIX}404.$portico_page",
                why="a link or a file that may not be read looks like one that is not there",
            ),
            *error_pages(404),
            *refusal(web, mount.guards),
            *shut_page(web, mount.guards),
            *guarded(web, mount.guards),
            _methods(web, mount, file.sent),
            _varied(web),
            no_such_part(),
        ],
    )  # fmt: skip


def _safe(root: str, origin: str) -> list[Directive]:
    return [
        directive(
            "disable_symlinks", "on", f"from={root}",
            why="nginx follows no link, so that none can lead out of the folder", cause=origin,
        )
    ]  # fmt: skip


def _charset() -> list[Directive]:
    return [
        directive("charset", "utf-8", why="text files are UTF-8, which browsers learn here"),
        directive("charset_types", *_TEXT, why="which files are text; text/html always is"),
    ]


def _file_headers(web: Web, sent: Sent) -> list[Directive]:
    nosniff = [
        directive(
            "add_header", "X-Content-Type-Options", "nosniff", "always",
            why="a file is what its type says, whatever its bytes look like",
        )
    ]  # fmt: skip
    return [
        *of_nginx(web, sent.headers),
        directive(
            "add_header", "Cache-Control", _life(web, sent.cache_control) or variable(web, "life"), source=_LIFE,
            why="a browser would not see two edits of it within a second" if web.statics.may_change
            else "what the app itself says with these files" if sent.cache_control
            else "how long browsers may cache the file without asking",
            cause=sent.cause if sent.cache_control else "",
        ),
        *([] if is_said(web, "X-Content-Type-Options") else nosniff),
        *(
            directive(
                "add_header", name, _life(web, value) if is_for_caches(name) else value, "always", cause=sent.cause,
                why="the app sends this header with each of these files, to every client, so nginx does, too",
            )
            for name, value in sent.headers
        ),
    ]  # fmt: skip
