"""The check of a client by another party: a service elsewhere, or a view of the app."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from portico.errors import Problem
from portico.site.access.rule import AccessRule, Check
from portico.site.access.spelling import holding
from portico.site.facts import AppFacts, Route
from portico.site.options.access import Access
from portico.site.pattern import head, is_fixed

HEADERS = (
    "Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email", "X-Auth-Request-User", "X-Auth-Request-Email",
    "X-Auth-Request-Groups", "X-Auth-Request-Preferred-Username",
)  # fmt: skip
"""The response headers of Authelia (https://www.authelia.com/integration/trusted-header-sso/) and oauth2-proxy."""
_URL = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?(/[A-Za-z0-9._~/@:+%?=&-]*)?")
_PATH = re.compile(r"/[A-Za-z0-9._~/@:+%?=&-]*")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}")
_FOREIGN = (
    "host",
    "connection",
    "content-length",
    "content-type",
    "transfer-encoding",
    "cookie",
    "authorization",
)
"""Headers that say nothing about the client."""


def check(
    said: Access,
    rule: AccessRule,
    causes: Mapping[str, str],
    facts: AppFacts,
    problems: list[Problem],
) -> Check | None:
    """The check of these values, None for none. Adds a problem for each value that cannot be used."""
    for key, what, hint in _broken(said):
        where = causes.get(key, causes.get("auth", f"access.{rule.what}")).partition(": ")[0]
        problems.append(Problem(where, f"{rule.what}: {key}: {what}", hint))
    if said.auth is None:
        return None
    url = said.auth if "://" in said.auth else ""
    path = "" if url else said.auth if said.auth.startswith("/") else _of_endpoint(said.auth, facts.routes)
    cause = causes.get("auth", "")
    if not url and not path and facts.is_known:
        hint = "expected http://HOST:PORT/PATH, a path such as /auth, or the endpoint of a view without placeholders"
        what = f'{rule.what}: auth: the app has no view "{said.auth}" with a path of its own'
        problems.append(Problem(cause.partition(": ")[0], what, hint))
    headers = HEADERS if said.auth_headers is None else tuple(dict.fromkeys(said.auth_headers))
    return Check(path, url, said.sign_in or "", headers, cause)


def loops(rules: Sequence[AccessRule]) -> Iterator[Problem]:
    """Sign-in pages that only signed-in users may open."""
    for rule in rules:
        if rule.check is None or not rule.check.sign_in.startswith("/"):
            continue
        page = rule.check.sign_in.partition("?")[0]
        if any(one.check for one in holding((one for one in rules if one.check or one.anybody), page)):
            where = rule.causes.get("sign_in", rule.check.cause).partition(": ")[0]
            what = f"{rule.what}: sign_in: only signed-in users may open {page}"
            yield Problem(where, what, f'open it and its files: [access."{page}"] anybody = true')


def _of_endpoint(name: str, routes: Sequence[Route]) -> str:
    paths = [head(route.pattern) for route in routes if route.endpoint == name and is_fixed(route.pattern)]
    return min(paths, key=len, default="")


def _broken(said: Access) -> Iterator[tuple[str, str, str]]:
    if said.auth is None:
        for key in ("sign_in", "auth_headers"):
            if getattr(said, key) is not None:
                yield key, "nobody decides here", "add auth, or leave it out"
        return
    if "://" in said.auth and not _URL.fullmatch(said.auth):
        yield "auth", f'"{said.auth}" is not a URL', "expected http://HOST:PORT/PATH"
    if said.auth.startswith("/") and not _PATH.fullmatch(said.auth):
        yield "auth", f'"{said.auth}" is not a path', "expected a path such as /auth"
    if said.sign_in is not None and not (_URL.fullmatch(said.sign_in) or _PATH.fullmatch(said.sign_in)):
        yield "sign_in", f'"{said.sign_in}" is not a URL', "expected a path such as /login?next=, or a URL"
    for name in said.auth_headers or ():
        if not _HEADER.fullmatch(name) or name.lower() in _FOREIGN:
            yield (
                "auth_headers",
                f'"{name}" says nothing about a client',
                "expected a header such as Remote-User",
            )
