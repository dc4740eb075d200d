"""The location that answers what no other does: whose requests they are, and which files lie at the root."""

from __future__ import annotations

from portico.explain.adopted import Fate
from portico.explain.nginx.adopt import access, fastcgi
from portico.explain.nginx.adopt.locations import first_pass, named_target
from portico.explain.nginx.adopt.passes import Target, target_of
from portico.explain.nginx.adopt.statics import folder_of
from portico.explain.nginx.adopt.upstream import adopt_upstream
from portico.explain.nginx.adopt.work import Work
from portico.explain.nginx.families import PASSES
from portico.explain.nginx.locations import rule
from portico.explain.node import Node

_NOTHING = "404"
_SINGLE_PAGE = ("/index.html", "/index.html?$args", "/index.html?$query_string")


def adopt_main(work: Work) -> None:
    """Finds the app of a site. A site without one is refused."""
    _find(work)
    if work.draft.refused and not any(one.fate is Fate.LOST for one in work.draft.remarks):
        work.lost(work.view.main or work.view.node, work.draft.refused, "name the app: --app module:app")


def _find(work: Work) -> None:
    found = _own_pass(work) or _behind_files(work) or _below_a_prefix(work)
    if found is None:
        _refuse(work)
        return
    location, target = found
    work.target = target
    if target.scheme == "fastcgi" and not work.is_ruled and fastcgi.is_php(work.view, location):
        work.draft.refused = "its requests go to PHP, and Portico runs apps in Python"
        work.lost(target.node, work.draft.refused, "leave this server to nginx")
        return
    if work.is_ruled:
        work.route("/", _NOTHING, location)
        work.seen.discard(location)
        return
    if target.problem:
        work.draft.refused = target.problem
        work.lost(target.node, target.problem)
        return
    if ("spa",) not in work.draft.options:
        work.main = location
    _path(work, location, target)
    adopt_upstream(work, location, target)


def _own_pass(work: Work) -> tuple[Node, Target] | None:
    """`location / { proxy_pass ...; }`, also by way of a named location."""
    main = work.view.main
    if main is None:
        return _of_name(work, work.view.node)
    target = target_of(main, work.view.above[0])
    return (main, target) if target else _of_name(work, main)


def _of_name(work: Work, level: Node) -> tuple[Node, Target] | None:
    """`try_files $uri @app`: files first, then the app."""
    node, found = level.first("try_files"), named_target(work, level)
    if node is None or found is None:
        return None
    location, target = found
    work.seen.update((node, location))
    root = work.view.first("root", level if level is not work.view.node else None)
    if any(word.startswith("$uri") for word in node.args[:-1]) and root is not None:
        work.draft.public = (root.args[0], node.place)
        work.lost(
            node, f"Portico has no folder at the root of a site: files of {root.args[0]} are asked of the app",
            'name its folders in [static], such as "/assets/"',
        )  # fmt: skip
    return location, target


def _behind_files(work: Work) -> tuple[Node, Target] | None:
    """A built single-page app at the root, and an API below a prefix."""
    main = work.view.main
    level = main if main is not None else work.view.node
    folder = folder_of(work, main) if main is not None else _root(work)
    found = first_pass(work, [one for one in work.view.locations if one is not main])
    if not folder or found is None or (main is not None and main.first("return", *PASSES)):
        return None
    tries = level.first("try_files")
    differs = (
        ""
        if tries and tries.args[-1] in _SINGLE_PAGE
        else "a page that nothing answers is index.html, not 404"
    )
    work.option(("spa",), folder, tries or level, differs)
    if found[1].uri not in ("", rule(found[0]).pattern):
        work.is_ruled = True
    return found


def _root(work: Work) -> str:
    node = work.view.first("root")
    return (
        node.args[0].rstrip("/")
        if node and node.args and "$" not in node.args[0] and node.args[0].startswith("/")
        else ""
    )


def _below_a_prefix(work: Work) -> tuple[Node, Target] | None:
    """Nothing at the root, and an app below a prefix, also by way of a named location."""
    main = work.view.main
    others = [one for one in work.view.locations if one is not main]
    found = first_pass(work, others)
    if found is not None and not _is_about_files(work, found):
        work.is_ruled = found[1].scheme == "fastcgi"
        return found
    for one in others:
        named = named_target(work, one)
        if named is None or rule(one).kind not in ("", "^~"):
            continue
        if named[1].scheme == "fastcgi":
            work.is_ruled = True
        else:
            work.seen.update((one, *one.all("try_files"), named[0]))
            work.option(("mount",), rule(one).pattern.rstrip("/") or "/", one)
        return named
    return found


def _is_about_files(work: Work, found: tuple[Node, Target]) -> bool:
    """Whether a location runs PHP, beside which an app may be."""
    return found[1].scheme == "fastcgi" and fastcgi.is_php(work.view, found[0])


def _path(work: Work, location: Node, target: Target) -> None:
    """The prefix of the app."""
    pattern, has_files = rule(location).pattern, ("spa",) in work.draft.options
    if location is work.view.main or rule(location).kind in ("@", "~", "~*"):
        if target.uri not in ("", "/"):
            work.draft.refused = (
                f"its server gets every path below {target.uri}: Portico passes paths on as they came"
            )
        elif target.uri == "/":
            work.improved(
                target.node,
                "with a path here nginx decoded and encoded the client's: now it arrives byte for byte",
            )
        return
    if has_files:
        return
    prefix = pattern.rstrip("/")
    work.option(("mount",), prefix or "/", location)
    if target.uri in ("/", "//") and prefix:
        work.draft.mount_stripped = prefix
    elif target.uri not in ("", pattern):
        what = f"its server gets paths below {target.uri} instead of {pattern}"
        work.draft.refused = f"{what}: Portico passes them on as they came"


def _refuse(work: Work) -> None:
    main = work.view.main
    level = main if main is not None else work.view.node
    if folder := folder_of(work, main) if main is not None else _root(work):
        why = _files_alone(work, level, folder)
        if not why:
            return
        work.draft.refused = f"it sends the files of {folder} alone, and {why}"
    else:
        work.draft.refused = "it passes no request to an app"
    work.lost(level, work.draft.refused, "leave this server to nginx, or name an app: --app module:app")


def _files_alone(work: Work, level: Node, folder: str) -> str:
    """A site of files: rules, and a single-page app. Returns why it is none; empty if it is one."""
    tries = level.first("try_files")
    last = tries.args[-1] if tries and tries.args else "=404"
    if any(one.args == ("on",) for one in work.view.inherited("autoindex", work.view.main)):
        return "shows lists of them (autoindex), which Portico does not"
    if work.view.main is not None and work.view.main.first("return", "rewrite", "if", "error_page"):
        return "answers some paths in another way"
    if last not in (*_SINGLE_PAGE, "=404", "$uri/", "$uri"):
        return f"{last} answers what is no file"
    patterns = [one for one in work.view.locations if rule(one).kind in ("~", "~*")]
    if last not in _SINGLE_PAGE and (
        other := next((one for one in patterns if not _says_of_files(one)), None)
    ):
        return f"{other.text} comes before them: where Portico sends a folder, no pattern is tried"
    work.is_ruled = True
    if tries:
        work.seen.add(tries)
    index = work.view.first("index", work.view.main)
    is_known = index is None or index.args == ("index.html",)
    differs = "" if is_known else "the page of a folder is index.html alone"
    if last in _SINGLE_PAGE:
        work.option(("spa",), folder, tries or level)
        work.route("/", _NOTHING, tries or level)
    else:
        work.route(
            "/", f"{folder.rstrip('/')}/", work.view.first("root", work.view.main) or level, differs=differs
        )
    return ""


def _says_of_files(location: Node) -> bool:
    return all(
        one.name in ("expires", "add_header", "access_log", "log_not_found")
        for one in location.children or ()
    )


def adopt_main_access(work: Work) -> None:
    """Who may come to the site: the rules of the server, or of `/`."""
    for level in (work.view.main, work.view.node, *reversed(work.view.above)):
        if level is not None and access.has_rules(level):
            if not access.adopt_access(work, level, "/"):
                for one in level.children or ():
                    if one.name in access.NAMES:
                        work.keep(one)
            return
