"""Which rule with conditions takes a request: the first that matches puts its number into a variable."""

from __future__ import annotations

from collections.abc import Iterator

from portico.plan.gateway.httpd.names import RULE
from portico.plan.gateway.httpd.syntax import Directive, directive, regex
from portico.plan.web.model import Web
from portico.plan.web.routing.model import Route
from portico.site.routing import Conditions, is_below

_NO_VARY = "[NV]"
_DIGITS = 8
"""Hexadecimal digits of the hash that are compared."""
_EXPR = "https://httpd.apache.org/docs/2.4/expr.html"


def choice_rules(web: Web) -> list[Directive]:
    """In a virtual host, before the rules of every mount. A rule without conditions and a longer path is stronger: it
    takes the request away again.
    """
    made = list[Directive]()
    for one in web.routing.conditional:
        why, cause = "the first rule whose conditions the request meets takes it", one.rule.cause
        made += [
            directive("RewriteCond", f"%{{ENV:{RULE}}}", "^$", why=why, cause=cause),
            *_conditions(one),
            directive(
                "RewriteRule", path_of(one), "-", f"[E={RULE}:{one.rule.number}]", why=why, cause=cause
            ),
        ]
    for plain in web.routing.plain:
        made += _stronger(web, plain)
    return made


def path_of(one: Route) -> str:
    """The paths of a rule, but Portico's own."""
    return "^/(?!-/)" if one.rule.path == "/" else f"^{regex(one.rule.path)}(?:/|$)"


def taken(one: Route, path: str) -> Directive:
    """The first rule for a rule without conditions at these paths; what a guard refuses names it, too."""
    why = "the log names the rule"
    return directive("RewriteRule", path, "-", f"[E={RULE}:{one.rule.number}]", why=why, cause=one.rule.cause)


def _stronger(web: Web, plain: Route) -> list[Directive]:
    path, cause = plain.rule.path, plain.rule.cause
    weaker = [one for one in web.routing.conditional if not is_below(one.rule.path, path)]
    numbers = "|".join(str(one.rule.number) for one in weaker if is_below(path, one.rule.path))
    if not numbers:
        return []
    why = "a rule with a longer path comes before those with conditions"
    return [
        directive("RewriteCond", f"%{{ENV:{RULE}}}", f"^(?:{numbers})$", why=why, cause=cause),
        directive("RewriteRule", path_of(plain), "-", f"[E={RULE}:]", why=why, cause=cause),
    ]


def _conditions(one: Route) -> Iterator[Directive]:
    cause = one.rule.cause
    for what, pattern, flags, why in _tests(one.rule.conditions):
        yield directive("RewriteCond", what, pattern, *([flags] if flags else []), why=why, cause=cause)
    if one.rule.conditions.share:
        why = "the client's address decides, so that a client stays where it is; each rule draws anew"
        drawn = f"md5('%{{REMOTE_ADDR}}/{one.rule.number}') < '{_bound(one.rule.conditions.share)}'"
        yield directive("RewriteCond", "expr", drawn, why=why, cause=cause, source=_EXPR)


def _tests(asked: Conditions) -> Iterator[tuple[str, str, str, str]]:
    """What is compared, with which pattern and flags, and why."""
    if asked.hosts:
        yield "%{SERVER_NAME}", rf"^(?:{'|'.join(map(regex, asked.hosts))})\.?$", "[NC]", "one of these names"
    if asked.methods:
        yield "%{REQUEST_METHOD}", f"^(?:{'|'.join(map(regex, asked.methods))})$", "", "one of these methods"
    for name, value in asked.headers:
        yield f"%{{HTTP:{name}}}", _is(value), _NO_VARY, "a header with this value"
    for name, value in asked.cookies:
        yield (
            "%{HTTP:Cookie}",
            _cookie(name, value),
            _NO_VARY,
            "a cookie with this value; the first of that name",
        )


def _is(value: str) -> str:
    return "." if value == "*" else f"^{regex(value)}$"


def _cookie(name: str, value: str) -> str:
    named = rf"(?i:{regex(name)})[ \t]*=[ \t]*"
    wanted = "[^; \\t]" if value == "*" else rf"{regex(value)}[ \t]*(?:;|$)"
    return rf"^[ \t]*(?:(?!{named})[^;]*;[ \t]*)*+{named}{wanted}"


def _bound(share: float) -> str:
    return f"{round(16**_DIGITS * share / 100):0{_DIGITS}x}"
