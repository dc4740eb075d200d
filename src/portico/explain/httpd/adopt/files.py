"""Folders of files: Alias, and the blocks that are about them."""

from __future__ import annotations

from portico.explain.httpd.adopt import access
from portico.explain.httpd.adopt.work import Work, shown
from portico.explain.httpd.blocks import every, inside
from portico.explain.node import Node

_HARMLESS = frozenset(
    (
        *(
            "Options",
            "AllowOverride",
            "AllowOverrideList",
            "ExpiresActive",
            "ExpiresDefault",
            "ExpiresByType",
        ),
        *("FileETag", "DirectoryIndex", "EnableSendfile", "EnableMMAP", "AddType", "SetOutputFilter"),
        *(
            "AddOutputFilterByType",
            "SetHandler",
            "Header",
            "Files",
            "FilesMatch",
            "IndexOptions",
            "SetEnvIfNoCase",
        ),
        *(
            "DirectorySlash",
            "ForceType",
            "AddDefaultCharset",
            "AddEncoding",
            "WSGIProcessGroup",
            "WSGIApplicationGroup",
        ),
    )
)
_CACHING = (
    "a file whose name has a fingerprint is kept for a year, any other is asked for again and answered 304"
)
_OPEN = ("all", "granted")


def adopt_aliases(work: Work) -> None:
    """[static], from every Alias of a folder."""
    for node in every(work.view.node, "Alias"):
        if len(node.args) < 2 or not node.args[1].startswith("/"):
            work.lost(node, "its folder is not an absolute path")
        elif "acme-challenge" in node.args[0]:
            work.built_in(node, "with email, Portico orders certificates itself")
        elif _is_one_file(*node.args[:2]):
            why = "Portico serves folders: a single file is asked of the app"
            work.lost(node, why, "let the app send it, or put it into a folder of [static]")
        elif node.args[0].rstrip("/"):
            url = f"{node.args[0].rstrip('/')}/"
            work.option(("static", url), node.args[1].rstrip("/") or "/", node)
        else:
            work.lost(node, "Portico has no folder at the root of a site", "spa, or [static] for its folders")
    for node in every(work.view.node, "AliasMatch", "ScriptAlias", "ScriptAliasMatch"):
        what = "a pattern" if node.name == "AliasMatch" else "a folder of CGI programs"
        work.lost(node, f"Portico has no option for {what}", "let the app answer there")


def _is_one_file(url: str, file: str) -> bool:
    return not url.endswith("/") and "." in file.rpartition("/")[2] and "." in url.rpartition("/")[2]


def adopt_folders(work: Work) -> None:
    """<Directory> and <Files>: folders of files are open as they are; everything else is nobody's."""
    for block in work.view.blocks("Directory", "DirectoryMatch", "Files", "FilesMatch"):
        _folder(work, block)


def _folder(work: Work, block: Node) -> None:
    rules = [node for node in every(block, *access.NAMES) if node.args != _OPEN and not _is_idle(node, block)]
    url = _url_of(work, block)
    if block.name.startswith("Files") and all(
        node.args == ("all", "denied") for node in rules if node.name == "Require"
    ):
        work.built_in(block, "names that begin with a dot, and files outside of [static], are never sent")
    elif rules and url:
        access.adopt_access(work, block, url)
    elif rules and not url and not _is_everywhere(block):
        why = f"no address is known for {block.args[0]}, and who may come there is not kept"
        work.lost(rules[0], why, "write [access] for its path yourself")
        if not work.draft.refused and any(_closes(node) for node in rules):
            work.draft.refused = f"{why}: {shown(block)}"
    else:
        work.built_in(
            block, "Portico sends the files of [static] alone, without listings and without .htaccess"
        )
    for node in inside(block):
        _line_of_folder(work, node)


def _line_of_folder(work: Work, node: Node) -> None:
    if node.name in ("ExpiresActive", "ExpiresByType", "ExpiresDefault") or _is_caching(node):
        work.improved(node, _CACHING)
    elif node.name == "AllowOverride" and node.args[:1] != ("None",):
        why = ".htaccess files are not read: what they say is not known here"
        work.lost(node, why, "write it into this file, and adopt it again")
    elif node.name in _HARMLESS or node.name in access.NAMES:
        work.seen.add(node)
    elif node.name == "RewriteRule":
        work.lost(node, "rules of a folder have no option", "let the app answer there")
    elif not node.name.startswith("Rewrite"):
        work.lost(node, "a folder of [static] has no option for it")


def _is_idle(node: Node, block: Node) -> bool:
    """A line that does not restrict anybody by itself."""
    return (
        not every(block, "Require", "RequireAll", "RequireAny", "RequireNone", "Deny") and node.name != "Deny"
    )


def _closes(node: Node) -> bool:
    return node.name.startswith("Require") or node.name == "Deny"


def _is_caching(node: Node) -> bool:
    return node.name == "Header" and any(word.lower() in ("cache-control", "expires") for word in node.args)


def _is_everywhere(block: Node) -> bool:
    return block.args[:1] == ("/",)


def _url_of(work: Work, block: Node) -> str:
    """The path at which the files of a folder are; `/` for the folder of the app itself."""
    folder = block.args[0].rstrip("/") if block.args else ""
    for node in every(work.view.node, "Alias"):
        if len(node.args) > 1 and node.args[1].rstrip("/") == folder:
            return node.args[0].rstrip("/") or "/"
    if any(len(node.args) > 1 and node.args[1].rpartition("/")[0] == folder for node in work.view.apps()):
        return "/"
    return ""
