"""Whose requests they are: servers behind ProxyPass, or an app of mod_wsgi."""

from __future__ import annotations

import posixpath
import re

from portico.explain.adopted import Fate
from portico.explain.httpd.adopt.rules import ruled
from portico.explain.httpd.adopt.view import Target
from portico.explain.httpd.adopt.work import Work
from portico.explain.httpd.blocks import every, last
from portico.explain.httpd.sources import document_root
from portico.explain.node import Node

_NOTHING = "404"
_OF_FILES = frozenset({
    "AllowOverride", "Options", "DirectoryIndex", "ServerName", "ServerAlias", "ServerAdmin", "DocumentRoot",
    "ErrorLog", "CustomLog", "LogLevel", "LogFormat", "Directory", "Require", "FallbackResource", "ServerTokens",
    "ServerSignature", "Listen", "Redirect", "Alias", "Location", "AuthType", "AuthName", "AuthUserFile", "IfModule",
    "Protocols", "Timeout", "KeepAlive", "LoadModule", "FileETag",
})  # fmt: skip
"""What may stand in a virtual host that sends files: options of Portico's, or nothing that an answer depends on."""
_METHODS = {"bybusyness": "least_conn"}


def adopt_main(work: Work) -> None:
    """Finds the app of a site. A site without one is refused."""
    targets = [one for one in work.view.targets() if one.scheme not in ("ws", "wss")]
    main = next((one for one in targets if one.prefix == "/"), None)
    apps = work.view.apps()
    if main is None and apps:
        _wsgi(work, next((one for one in apps if one.args[:1] == ("/",)), apps[0]))
    elif main or targets:
        _proxied(work, main or targets[0])
    else:
        _refuse(work)
    if work.draft.refused and not any(one.fate is Fate.LOST for one in work.draft.remarks):
        work.lost(work.view.mark, work.draft.refused, "name the app: --app module:app")
    _files_beside(work)


def _files_beside(work: Work) -> None:
    """Files of DocumentRoot answer what is not below the prefix of the app."""
    mount, folder = work.draft.options.get(("mount",)), _files(work)
    node = last(work.view.node, "DocumentRoot")
    if mount and folder and node and not work.draft.refused:
        why = f"files of {folder} answered elsewhere than below {mount.value}, where there is nothing now"
        work.lost(node, why, 'name its folders in [static], such as "/assets/"')


def _proxied(work: Work, target: Target) -> None:
    work.target = target
    if target.problem:
        work.draft.refused = target.problem
        work.lost(target.node, target.problem)
        return
    prefix = target.prefix.rstrip("/")
    if prefix and target.scheme == "fastcgi":
        _fastcgi_below(work, target)
        return
    if prefix and (fallback := last(work.view.node, "FallbackResource")) and _files(work):
        work.option(("spa",), _files(work), fallback)
    elif prefix:
        work.option(("mount",), prefix, target.node)
    own = target.uri.rstrip("/")
    if own not in ("", prefix):
        work.draft.refused = f"its server gets paths below {own}: Portico passes paths on as they came"
    elif prefix and not own and target.uri in ("/", ""):
        if ("spa",) in work.draft.options and (to := ruled(target)):
            work.route(f"{prefix}/", to, target.node, strips=True)
            work.route("/", _NOTHING, target.node)
            return
        if ("spa",) in work.draft.options:
            only = "a [[route]] strips it for one HTTP server alone"
            work.draft.refused = f"its server gets paths without {prefix}: {only}"
        else:
            work.draft.mount_stripped = prefix
    _servers(work, target)


def _fastcgi_below(work: Work, target: Target) -> None:
    """A FastCGI server below a prefix: a rule tells it the whole path, as httpd does; `mount` would tell it in part."""
    to, prefix = ruled(target), target.prefix.rstrip("/")
    if not to:
        work.draft.refused = (
            f"what answers below {prefix} is one FastCGI server with settings or paths of its own"
        )
        work.lost(target.node, work.draft.refused, "make [[route]] of it yourself: docs/routing.md")
        return
    if files := last(work.view.node, "FallbackResource") and _files(work):
        work.option(("spa",), files, target.node)
    work.route(f"{prefix}/", to, target.node, differs=target.told)
    work.route("/", _NOTHING, target.node)


def _servers(work: Work, target: Target) -> None:
    differs = target.told
    if "localhost" in target.line.target and any("127.0.0.1" in text for text in target.servers):
        differs = "localhost is written as 127.0.0.1: httpd tried ::1, too, where few app servers listen"
    work.option(("upstream", "servers"), target.servers, target.node, differs)
    balancer = target.balancer
    words = dict(target.words)
    for node in every(balancer, "ProxySet") if balancer else []:
        words |= dict(word.partition("=")[::2] for word in node.args)
        work.seen.add(node)
    for node in every(balancer, "BalancerMember") if balancer else []:
        work.seen.add(node)
    if balancer:
        work.seen.add(balancer)
    method = words.get("lbmethod", "byrequests")
    if method in _METHODS:
        work.option(("upstream", "method"), _METHODS[method], balancer or target.node)
    if sticky := words.get("stickysession"):
        name = sticky.partition("|")[0]
        why = "Portico's own cookie names the server; the app's route is not read"
        work.option(("upstream", "sticky"), name, balancer or target.node, why)
    if words.get("timeout", "").isdigit():
        work.option(("request_timeout",), f"{words['timeout']}s", target.node)


def _refuse(work: Work) -> None:
    handler = last(work.view.node, "FallbackResource") or document_root(work.view.levels[::-1])
    if folder := _files(work):
        why = _files_alone(work, folder)
        if not why:
            return
        work.draft.refused = f"it sends the files of {folder} alone, and {why}"
    else:
        work.draft.refused = "it passes no request to an app"
    hint = "leave this virtual host to httpd, or name an app: --app module:app"
    work.lost(handler or work.view.mark, work.draft.refused, hint)


def _files_alone(work: Work, folder: str) -> str:
    """A site of files: rules, and a single-page app. Returns why it is none; empty if it is one."""
    outer = [level for level in work.view.levels if level is not work.view.node]
    around = [one for level in outer for one in every(level, "Directory") if _is_around(one, folder)]
    for level in (work.view.node, *around):
        for node, _ in level.walk():
            if why := _not_files(node):
                return why
            if node.name == "AllowOverride":
                work.built_in(node, "Portico reads no .htaccess")
    fallback = last(work.view.node, "FallbackResource")
    source = last(work.view.node, "DocumentRoot") or work.view.mark
    if fallback is None:
        work.route("/", f"{folder}/", source)
    elif fallback.args == ("/index.html",):
        work.option(("spa",), folder, fallback)
        work.route("/", _NOTHING, fallback)
    else:
        return f"{fallback.text} answers what is no file"
    return ""


def _is_around(directory: Node, folder: str) -> bool:
    path = directory.args[0].rstrip("/") if directory.args else ""
    return path != "" and f"{folder}/".startswith(f"{path}/")


def _not_files(node: Node) -> str:
    words = [word.lower().lstrip("+") for word in node.args]
    if node.name == "AllowOverride" and words != ["none"]:
        return "its folders may have .htaccess files, which are not read"
    if node.name == "Options" and {"indexes", "all"} & set(words):
        return "shows lists of them (Options Indexes), which Portico does not"
    if node.name == "DirectoryIndex" and words != ["index.html"]:
        return f"{node.text} is another page of a folder than index.html"
    is_known = node.name in _OF_FILES or node.name.startswith(("SSL", "Header", "Expires"))
    return "" if is_known else f"{node.text} has no place beside a folder"


def _files(work: Work) -> str:
    node = last(work.view.node, "DocumentRoot")
    return node.args[0].rstrip("/") if node and node.args and node.args[0].startswith("/") else ""


# mod_wsgi ---------------------------------------------------------------------------------------------------


def _wsgi(work: Work, node: Node) -> None:
    """The app of a WSGIScriptAlias: its file, and the processes that run it."""
    if len(node.args) < 2 or node.name.endswith("Match"):
        work.draft.refused = "its path is a pattern: Portico serves an app below one prefix"
        work.lost(node, work.draft.refused)
        return
    prefix, file = node.args[0].rstrip("/"), posixpath.normpath(node.args[1])
    words = dict[str, str]()
    for daemon in _daemons(work, node):
        words = dict(word.partition("=")[::2] for word in daemon.args[1:])
        _daemon(work, daemon, words)
    if prefix:
        work.option(("mount",), prefix, node)
    folder = _folder(file, [*words.get("python-path", "").split(":"), words.get("home", "")])
    work.draft.directory = folder
    stem, kind = posixpath.splitext(file.removeprefix(folder).lstrip("/"))
    if kind == ".py" and re.fullmatch(r"\w+(?:/\w+)*", stem):
        app = f"{stem.replace('/', '.')}:{_callable(work)}"
        work.option(("app",), app, node, f"portico.toml belongs in {folder}")
    else:
        work.draft.refused = f"{file} is no module: Portico imports an app by the name of its module"
        name = posixpath.basename(stem)
        work.lost(node, work.draft.refused, f"rename it to {name}.py, or name its app: --app module:app")
    why = "the app runs in processes of its own: a new release replaces them without losing a request"
    work.improved(node, why)


def _folder(file: str, folders: list[str]) -> str:
    """The folder from which the module of a file is imported: of these, the first above it, or its own."""
    above = (one.rstrip("/") for one in folders if one.startswith("/"))
    return next((one for one in above if file.startswith(f"{one}/")), posixpath.dirname(file))


def _callable(work: Work) -> str:
    node = work.view.setting("WSGICallableObject")
    return node.args[0] if node and node.args else "application"


def _daemons(work: Work, node: Node) -> list[Node]:
    """The WSGIDaemonProcess of an app: named in its line, or by WSGIProcessGroup."""
    group = next((word.partition("=")[2] for word in node.args if word.startswith("process-group=")), "")
    if not group:
        blocks = (work.view.node, *work.view.blocks("Location", "Directory", "Files"))
        found = next((one for block in blocks for one in every(block, "WSGIProcessGroup")), None)
        group = found.args[0] if found and found.args else ""
        work.seen.update({found} if found else set())
    all_of_them = [one for level in work.view.levels for one in every(level, "WSGIDaemonProcess")]
    named = [one for one in all_of_them if one.args[:1] == (group,)]
    return named or (all_of_them if len(all_of_them) == 1 else [])


def _daemon(work: Work, node: Node, words: dict[str, str]) -> None:
    work.seen.add(node)
    if words.get("processes", "").isdigit():
        work.option(("workers", "count"), int(words["processes"]), node)
    if words.get("threads", "").isdigit():
        work.option(("workers", "threads"), int(words["threads"]), node)
    elif "processes" in words or words:
        work.option(("workers", "threads"), 15, node, "15 is what mod_wsgi starts where threads is not set")
    if user := words.get("user"):
        work.option(("user",), user, node)
    if words.get("maximum-requests", "0") not in ("", "0"):
        work.option(("workers", "max_requests"), int(words["maximum-requests"]), node)
    if words.get("request-timeout", "").isdigit():
        work.option(("request_timeout",), f"{words['request-timeout']}s", node)
    if home := words.get("python-home"):
        work.option(("python",), home, node)
