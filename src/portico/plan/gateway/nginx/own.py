"""The user's own directives beside Portico's: if both set the same, the user's wins.

A directive with one value may occur once in a block. Directives that may repeat are added; of those with a key (a
header, a parameter, a status), the one with the same key is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from portico.plan.gateway.nginx.reference import is_known
from portico.plan.gateway.nginx.syntax import Directive, directive, verbatim
from portico.plan.web.model import Web
from portico.site.own.model import Own, has_directive

_ADDED = re.compile(
    r"access_log|error_log|listen|server_name|include|rewrite|return|break|if|set|allow|deny|add_trailer|auth_request_set"
    r"|limit_conn|limit_req|log_format|set_real_ip_from|gzip_disable|sub_filter|ssl_certificate|ssl_certificate_key"
    r"|ssl_conf_command|env|load_module|js_import|js_set|more_\w+|\w+_zone|\w+_cache_path"
    r"|\w+_(?:hide_header|pass_header|cache_bypass|no_cache|cache_valid|cookie_\w+|store_access)|keyval"
)
"""They may repeat in a block, and each has an effect."""
_KEYED = re.compile(r"\w+_(?:set_header|param|set_body)|add_header")
"""The first argument is the key of what is set."""
_HTTP_ONLY = re.compile(
    r"(?:variables|server_names|map)_hash_\w+|log_format|map|geo|split_clients|\w+_zone|\w+_cache_path|upstream|server|match"
)
"""Directives that nginx accepts at `http` level only."""
_KEPT_HEADERS = frozenset({"vary", "content-encoding", "allow", "retry-after", "cache-status"})
"""Headers about one answer: the user's are added to Portico's."""
_HEADERS = ("add_header", "add_header_inherit")


def own_lines(owns: Iterable[Own], key: str) -> list[Directive]:
    """The user's directives, which nginx -t judges. `key` is the option, for lines whose place is unknown."""
    return [
        verbatim(one.text, one.causes or (key,), (one.name, *one.args) if one.is_simple else ())
        for one in owns
    ]


def in_server(web: Web) -> list[Directive]:
    """The user's lines of the site's server, without the headers: `own_headers` has those."""
    owns = [one for one in web.own.server if one.name != "add_header"]
    above = [one for one in web.own.above if one.name == "add_header_inherit"]
    return own_lines([*above, *owns], web.own.server_cause)


def in_http(web: Web) -> list[Directive]:
    """Those at `http` level, without headers and what belongs to them: they would have no effect there."""
    return own_lines([one for one in web.own.above if one.name not in _HEADERS], web.own.above_cause)


def own_headers(web: Web) -> list[Directive]:
    """The user's headers, repeated in each block with headers of Portico's, which would not inherit them."""
    owns = web.own.all
    made = own_lines([one for one in owns if one.name == "add_header"], web.own.server_cause)
    if has_directive(owns, "add_header_inherit"):
        why = "each block repeats the headers; merging would send them twice"
        made.append(directive("add_header_inherit", "on", why=why))
    return made


def let_in(web: Web, *, anybody: bool = False) -> list[Directive]:
    """In a location that must work without a password of the user's; with `anybody` from any address, too."""
    owns, made = web.own.all, list[Directive]()
    why = "your own directives restrict access, and a client of this path has no password"
    if has_directive(owns, "auth_basic"):
        made.append(directive("auth_basic", "off", why=why))
    if anybody and has_directive(owns, "auth_request"):
        made.append(directive("auth_request", "off", why=why))
    if anybody and has_directive(owns, "allow", "deny"):
        made.append(
            directive("allow", "all", why="your own directives allow some addresses; this path is for all")
        )
    return made


def limit_status(web: Web) -> list[Directive]:
    """At server level, if the user's own `limit_req` sets no status: nginx's default 503 has the page of a starting
    app.
    """
    if not web.own.say(r"\blimit_req\b"):
        return []
    if has_directive(web.own.above, "limit_req_status"):
        return []
    why = "429 Too Many Requests for your own limit_req; nginx's default is 503, whose page says that the app starts"
    return [directive("limit_req_status", 429, why=why)]


def settled(block: Iterable[Directive]) -> list[Directive]:
    """The directives of a block, without those of Portico's that the user's replace; nested blocks alike."""
    block = tuple(block)
    keys = {key for one in block if one.users for key in _keys(one.users)}
    replaced: set[tuple[str, str]] = set()
    made = list[Directive]()
    for one in block:
        mine = (
            set() if one.verbatim is not None or one.block is not None else set(_keys((one.name, *one.args)))
        )
        if mine and mine <= keys:
            replaced |= mine
        else:
            made.append(replace(one, block=tuple(settled(one.block or ()))) if _has_users(one) else one)
    return [_told(one, replaced) for one in made]


def moved(tree: Iterable[Directive]) -> tuple[list[Directive], list[Directive]]:
    """Splits one site's directives at `http` level of a shared gateway: the user's that can move into its servers,
    and the rest.
    """
    inner, rest = list[Directive](), list[Directive]()
    for one in tree:
        (
            inner if one.users and is_known(one.users[0]) and not _HTTP_ONLY.fullmatch(one.users[0]) else rest
        ).append(one)
    return inner, rest


def set_for_all(web: Web) -> tuple[str, ...]:
    """What the user's lines at `http` level set for every site of a gateway, where only one site may set it."""
    rest = [one.users[0] for one in moved(in_http(web))[1] if one.users]
    return tuple(name for name in rest if is_known(name) and not _ADDED.fullmatch(name))


def without(own: Iterable[Directive], taken: Iterable[Directive]) -> list[Directive]:
    """Those of the user's directives that later ones of the user's do not replace."""
    keys = {key for one in taken if one.users for key in _keys(one.users)}
    return [one for one in own if not (found := set(_keys(one.users))) or not found <= keys]


def _keys(words: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The settings of the directive that nothing else in its block may set."""
    name, *args = words
    if name == "error_page":
        yield from ((name, word) for word in args[:-1] if word.isdigit())
    elif _KEYED.fullmatch(name):
        key = args[0].lower() if args else ""
        if key not in _KEPT_HEADERS:
            yield name, key
    elif not _ADDED.fullmatch(name):
        yield name, ""


def _has_users(one: Directive) -> bool:
    return bool(one.block) and any(item.users or _has_users(item) for item in one.block or ())


def _told(one: Directive, replaced: set[tuple[str, str]]) -> Directive:
    if not one.users or not replaced.intersection(_keys(one.users)):
        return one
    return replace(one, why=f"yours, in the place of Portico's own {one.users[0]}")
