"""Who may come: allow and deny, passwords, and a service that is asked."""

from __future__ import annotations

from collections.abc import Sequence

from portico.explain.nginx.adopt.passes import target_of
from portico.explain.nginx.adopt.work import Work
from portico.explain.nginx.families import PASSES
from portico.explain.node import Node

NAMES = ("allow", "deny", "auth_basic", "auth_basic_user_file", "auth_request", "auth_request_set", "satisfy")


def has_rules(level: Node) -> bool:
    """Whether a block says who may come."""
    return level.first(*NAMES) is not None


def adopt_access(work: Work, level: Node, path: str) -> bool:
    """[access] for a path and everything below, from the directives of a block; False if they must stay as they are."""
    satisfy = level.first("satisfy")
    networks = [one for one in level.children or () if one.name in ("allow", "deny")]
    if satisfy is not None and satisfy.args == ("any",):
        return False
    split = _networks(networks)
    if split is None or not _can_ask(work, level):
        return False
    for key, nodes in split.items():
        for node in nodes:
            work.option(("access", path, key), (node.args[0],), node)
    work.seen.update(networks)
    if satisfy is not None:
        work.seen.add(satisfy)
    _passwords(work, level, path)
    _asked(work, level, path)
    return True


def _networks(nodes: Sequence[Node]) -> dict[str, list[Node]] | None:
    """Refused networks first, then those that may come, then the end for all; None for another order."""
    body, last = list(nodes), None
    if body and body[-1].args == ("all",):
        last = body.pop()
    if any(
        one.args == ("all",) or not one.args or one.args[0].startswith("unix:") or "$" in one.args[0]
        for one in body
    ):
        return None
    names = [one.name for one in body]
    if names != sorted(names, reverse=True):  # deny ... allow ...
        return None
    allowed, refused = (
        [one for one in body if one.name == "allow"],
        [one for one in body if one.name == "deny"],
    )
    if last is not None and last.name == "deny":
        return {"deny": refused, "allow": allowed} if allowed else None
    return {"deny": refused}


def _can_ask(work: Work, level: Node) -> bool:
    node = level.first("auth_request")
    return node is None or node.args == ("off",) or _service(work, node) is not None


def _service(work: Work, node: Node) -> str | None:
    """The URL that nginx asks, if it asks a server by HTTP."""
    for location in work.view.locations:
        if node.args and location.args in (("=", node.args[0]), (node.args[0],)):
            target = target_of(location, work.view.above[-1])
            pass_to = location.first(*PASSES)
            if target and pass_to and target.scheme in ("http", "https") and "$" not in pass_to.args[0]:
                text = pass_to.args[0]
                return (
                    None if "unix:" in text else text if target.uri else f"{text.rstrip('/')}{node.args[0]}"
                )
    return None


def _passwords(work: Work, level: Node, path: str) -> None:
    basic = level.first("auth_basic")
    file = level.first("auth_basic_user_file") or work.view.first("auth_basic_user_file")
    if basic is None:
        return
    if basic.args == ("off",):
        _opened(work, path, basic)
    elif file is None:
        work.lost(basic, "no file of passwords is named", f'[access."{path}"] users')
    else:
        differs = (
            "the realm is Portico's, guesses are limited, and the app gets REMOTE_USER, not the password"
        )
        work.option(("access", path, "users"), file.args[0], basic, differs)
        work.seen.add(file)


def _opened(work: Work, path: str, node: Node) -> None:
    """A path without the password, or the question, of the site: `anybody` would lift its other rules, too."""
    others = [
        one
        for one in ("allow", "deny", "auth_basic", "auth_request")
        if one != node.name and work.view.first(one)
    ]
    if others:
        work.lost(
            node,
            f"[access] anybody would lift {', '.join(others)} of the site, too",
            "the path is as protected as the site",
        )
    else:
        work.option(("access", path, "anybody"), True, node)


def _asked(work: Work, level: Node, path: str) -> None:
    node = level.first("auth_request")
    if node is None:
        return
    if node.args == ("off",):
        _opened(work, path, node)
        return
    url = _service(work, node)
    if url is not None:
        work.option(("access", path, "auth"), url, node)
    for page in level.all("error_page"):
        if page.args[:1] == ("401",) and page.args[-1].startswith(("/", "http")) and "$" not in page.args[-1]:
            _signed_in(work, path, page)
    for one in level.all("auth_request_set"):
        work.built_in(one, "the app gets the headers of auth_headers")


def _signed_in(work: Work, path: str, page: Node) -> None:
    """The page for those who are not signed in, which everybody must be able to open."""
    target = page.args[-1]
    inside = target.startswith("/") and f"{target}/".startswith(f"{path.rstrip('/')}/")
    others = [one for one in ("allow", "deny", "auth_basic") if work.view.first(one, work.view.main)]
    if inside and others:
        why = f"[access] would open {target} to everybody: {', '.join(others)} hold there, too"
        work.lost(page, why, "name a page elsewhere in sign_in")
        return
    differs = "browsers are sent to the page (302), instead of getting it in the place of the answer"
    work.option(("access", path, "sign_in"), target, page, differs if target.startswith("/") else "")
    if inside:
        work.option(("access", target.partition("?")[0], "anybody"), True, page)
