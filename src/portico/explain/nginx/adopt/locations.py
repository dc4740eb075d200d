"""Each location of a server: the app, files, or lines that stay as they are."""

from __future__ import annotations

from collections.abc import Sequence

from portico.explain.nginx.adopt import access
from portico.explain.nginx.adopt.own import keep_location
from portico.explain.nginx.adopt.passes import Target, target_of
from portico.explain.nginx.adopt.routes import adopt_elsewhere
from portico.explain.nginx.adopt.settings import Rules, adopt_setting
from portico.explain.nginx.adopt.statics import adopt_folder, is_about_caching, is_folder
from portico.explain.nginx.adopt.told import is_standard
from portico.explain.nginx.adopt.view import is_challenge
from portico.explain.nginx.adopt.work import Work
from portico.explain.nginx.families import PASSES
from portico.explain.nginx.locations import Rule, rule
from portico.explain.node import Node

_LIMITED = frozenset({"root", "index", "internal", "try_files"})
_ONLY_LOGS = frozenset({"access_log", "error_log", "log_not_found", "expires", "add_header", "try_files"})
_DECIDES = frozenset(("rewrite", "if", "return", "set", "location", "limit_except", "internal", "error_page"))
_UPGRADES = ("upgrade",)


def adopt_location(work: Work, location: Node) -> None:
    """One location beside the main one."""
    if location in work.seen or rule(location).kind == "@":
        return
    if location.first("stub_status") or location.first("status"):
        work.improved(location, "portico status and portico metrics have its numbers, and more")
    elif is_challenge(location):
        _challenge(work, location)
    elif is_folder(work, location):
        adopt_folder(work, location)
        _beside_rules(work, location)
    elif _goes_to_app(work, location):
        _routed(work, location)
        _beside_rules(work, location)
    elif _adds_the_slash(work, location):
        work.built_in(location, "below a prefix, the path without its slash leads to the one with it (308)")
    elif _says_nothing(work, location):
        work.improved(
            location, "no root is set, so that it sends files of nginx's own folder: the app answers"
        )
    elif adopt_elsewhere(work, location):
        _beside_rules(work, location)
    elif work.is_ruled and _only_caches(location):
        work.improved(
            location, "a file whose name has a fingerprint is kept for a year, any other is asked for again"
        )
    else:
        keep_location(work, location)


def _only_caches(location: Node) -> bool:
    """Whether a location says only how long files may be kept."""
    return all(
        one.name in ("expires", "access_log", "log_not_found")
        or (one.name == "add_header" and is_about_caching(one))
        for one in location.children or ()
    )


def _beside_rules(work: Work, location: Node) -> None:
    """Rules that stand in `location /` are for what no other location answers; those of [access] are for all below."""
    main = work.view.main
    if main is None or location in main.all("location") or not access.has_rules(main):
        return
    if not any(key[:2] == ("access", "/") for key in work.draft.options) and main.first("satisfy") is None:
        return
    path = rule(location).pattern.rstrip("/")
    if ("access", path, "anybody") in work.draft.options:
        return
    if access.has_rules(location):
        work.lost(location, "the rules of location / hold there, too, beside its own")
    else:
        why = "location / had rules for itself alone: here they hold for what is below, too"
        work.lost(location, why, f'[access."{path}"] anybody = true opens this path and all below it')


def is_same(work: Work, target: Target | None, pattern: str) -> bool:
    """Whether a pass reaches the app of the site with the client's own path."""
    ours = work.target
    if target is None or ours is None or target.problem:
        return False
    bare = [text.partition(" ")[0] for text in ours.servers]
    return [text.partition(" ")[0] for text in target.servers] == bare and target.uri in ("", pattern)


def _challenge(work: Work, location: Node) -> None:
    certs = work.draft.options.get(("https", "cert"))
    if work.view.is_tls or certs is not None or location.first("root", "alias", *PASSES):
        keep_location(work, location)
    else:
        work.built_in(location, "with email, Portico orders certificates itself")


def _goes_to_app(work: Work, location: Node) -> bool:
    """Whether it only has settings of its own; another location of the same app may need to stay as it is."""
    wanted = rule(location)
    is_ours = not work.is_ruled and is_same(work, target_of(location, work.view.above[0]), wanted.pattern)
    if not is_ours or wanted.kind not in ("", "^~", "="):
        return False
    return not any(one.name in _DECIDES or _is_its_own(one) for one in location.children or ())


def _is_its_own(node: Node) -> bool:
    """A header for the app that only this location sets, or something that a route has no option for."""
    return node.name in ("proxy_set_header", "uwsgi_param", "fastcgi_param") and not is_standard(node)


def _routed(work: Work, location: Node) -> None:
    """Settings in [routes], and rules in [access]."""
    work.seen.add(location)
    path = rule(location).pattern
    rules = rules_of(rule(location))
    upgrades = any(
        one.name == "proxy_set_header" and one.args[0].lower() in _UPGRADES for one in location.children or ()
    )
    settings = [one for one in location.children or () if one.name not in (*PASSES, *access.NAMES, *_LIMITED)]
    before = len(work.draft.options)
    for node in settings:
        if upgrades and node.name.endswith(("_read_timeout", "_send_timeout", "_buffering")):
            work.built_in(node, "a WebSocket may be silent for an hour, and is never buffered")
        else:
            adopt_setting(work, node, rules)
    if access.has_rules(location) and path and not path.endswith("/") and rule(location).kind != "=":
        what = f"its rules are those of {path} and all below it: {path}-x is as open as the site"
        work.lost(
            location.first(*access.NAMES) or location, what, f'add [access."{path}-x"] for each such path'
        )
    if access.has_rules(location) and not access.adopt_access(work, location, path.rstrip("/") or "/"):
        work.lost(location.first(*access.NAMES) or location, "the order of these rules has no place in [access]",
                  f'write [access."{path.rstrip("/")}"] yourself')  # fmt: skip
    if len(work.draft.options) == before:
        work.built_in(location, "WebSockets pass everywhere" if upgrades else "the app answers there anyway")
    elif path and not path.endswith("/") and rule(location).kind != "=":
        work.lost(
            location,
            f"its settings are those of {path} and all below it, not of other paths that begin with it",
        )


def rules_of(wanted: Rule) -> Rules:
    """The rules of [routes] for the paths of a location."""
    path = wanted.pattern
    if any(sign in path for sign in "<>"):
        return ()
    if wanted.kind == "=":
        return (path,)
    if path.endswith("/"):
        return (path, f"{path}<path:rest>")
    return (path, f"{path}/<path:rest>")


def _says_nothing(work: Work, location: Node) -> bool:
    """A location with cache headers or log settings alone, in a server that has no root."""
    names = {one.name for one in location.children or ()}
    has_name = named_target(work, location) is not None
    return names <= _ONLY_LOGS and work.view.first("root", location) is None and not has_name


def _adds_the_slash(work: Work, location: Node) -> bool:
    """`location = /shop { rewrite ^ /shop/ last; }` beside an app below /shop."""
    mount, [*lines] = work.draft.options.get(("mount",)), location.children or ()
    return (
        mount is not None
        and rule(location) == Rule("=", str(mount.value))
        and [one.name for one in lines] in (["rewrite"], ["return"])
        and f"{mount.value}/" in lines[0].args
    )


def named_target(work: Work, level: Node) -> tuple[Node, Target] | None:
    """The named location to which `try_files` leads, and whom it passes requests to; None if there is none."""
    node = level.first("try_files")
    name = node.args[-1] if node and node.args else ""
    location = next(
        (one for one in work.view.node.all("location") if name.startswith("@") and one.args == (name,)), None
    )
    target = target_of(location, work.view.above[0]) if location else None
    return None if location is None or target is None else (location, target)


def first_pass(work: Work, locations: Sequence[Node]) -> tuple[Node, Target] | None:
    """The first location that passes requests to servers that Portico can reach."""
    for one in locations:
        target = target_of(one, work.view.above[0])
        if target is not None and not target.problem and rule(one).kind in ("", "^~", "~", "~*"):
            return one, target
    return None
