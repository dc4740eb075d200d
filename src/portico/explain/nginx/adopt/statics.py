"""Locations that send files."""

from __future__ import annotations

from portico.explain.nginx.adopt import access
from portico.explain.nginx.adopt.work import Work
from portico.explain.nginx.families import PASSES
from portico.explain.nginx.locations import rule
from portico.explain.node import Node

_HARMLESS = frozenset({
    "root", "alias", "expires", "access_log", "error_log", "log_not_found", "try_files", "gzip", "gzip_static",
    "gzip_types", "sendfile", "tcp_nopush", "tcp_nodelay", "etag", "if_modified_since", "open_file_cache",
    "open_file_cache_valid", "charset", "open_file_cache_errors", "open_file_cache_min_uses", "index", "types",
    "default_type", "sendfile_max_chunk", "aio", "directio", "output_buffers", "gzip_vary", "brotli_static",
    "gunzip", "include", "autoindex", "disable_symlinks", "add_header", *access.NAMES,
})  # fmt: skip


def folder_of(work: Work, location: Node) -> str:
    """The folder whose files a location sends; empty if it sends none, or if its path is not a fixed one."""
    own = location.first("alias", "root")
    source = own or work.view.first("root", location)
    if source is None or not source.args or "$" in source.args[0] or not source.args[0].startswith("/"):
        return ""
    path = source.args[0].rstrip("/")
    return path or "/" if source.name == "alias" else f"{path}{rule(location).pattern}".rstrip("/")


def is_folder(work: Work, location: Node) -> bool:
    """Whether a location does nothing but send the files of a folder, in a way that [static] does, too."""
    wanted = rule(location)
    children = location.children or ()
    if location.first(*PASSES) or wanted.kind not in ("", "^~") or wanted.pattern in ("", "/"):
        return False
    if not folder_of(work, location) or any(one.name not in _HARMLESS for one in children):
        return False
    is_listed = any(one.args == ("on",) for one in location.all("autoindex"))
    return (
        not is_listed
        and all(is_about_caching(one) for one in location.all("add_header"))
        and not location.all("location")
    )


def is_about_caching(node: Node) -> bool:
    """Whether a header says how long a file may be kept, or nothing that a file of Portico's does not say."""
    return bool(node.args) and node.args[0].lower() in (
        "cache-control",
        "pragma",
        "expires",
        "vary",
        "x-content-type-options",
    )


def adopt_folder(work: Work, location: Node) -> None:
    """[static], and what else the location says."""
    pattern = rule(location).pattern
    url = f"{pattern.rstrip('/')}/"
    source = location.first("alias", "root") or work.view.first("root", location) or location
    work.seen.add(location)
    work.option(("static", url), folder_of(work, location), location, _differs(pattern, source))
    for node in location.children or ():
        _line(work, node)
    if access.has_rules(location) and not access.adopt_access(work, location, url.rstrip("/")):
        node = location.first(*access.NAMES) or location
        work.lost(
            node,
            "the order of these rules has no place in [access]",
            f'write [access."{url.rstrip("/")}"] yourself',
        )


def _differs(pattern: str, source: Node) -> str:
    if source.name == "alias" and not pattern.endswith("/") and source.args[0].endswith("/"):
        return f"only below {pattern}/: {pattern}../ led out of the folder"
    if source.name == "alias" and pattern.endswith("/") and not source.args[0].endswith("/"):
        return "the folder itself: without a slash at its end the alias glued names to it"
    return ""


def _line(work: Work, node: Node) -> None:
    if node.name in ("expires", "add_header"):
        why = "a file whose name has a fingerprint is kept for a year, any other is asked for again and answered 304"
        work.improved(node, why)
    elif node.name == "try_files" and node.args[-1] not in ("=404", "$uri", "$uri/"):
        work.lost(
            node,
            "a file that is missing in a static folder is 404",
            "leave the folder out, so that the app answers",
        )
    elif node.name not in access.NAMES:
        work.seen.add(node)
