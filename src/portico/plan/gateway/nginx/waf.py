"""The firewall: ModSecurity, an nginx module, with the OWASP Core Rule Set.

The module inspects a request as soon as it enters a location, before any limit counts it. So a location of the app
has the other guards, and passes accepted requests to a named location that inspects and answers. Once an error page
is shown, the module writes its findings to the error log only, so this location has an error log of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from portico.errors import Problem
from portico.place.model import Place, RuleSet
from portico.plan.gateway.nginx.abilities import MODSECURITY
from portico.plan.gateway.nginx.log.text import refusing
from portico.plan.gateway.nginx.names import location, variable
from portico.plan.gateway.nginx.pages import PREFIX
from portico.plan.gateway.nginx.syntax import Directive, block, directive, entries
from portico.plan.paths import Paths
from portico.plan.web import refusals
from portico.plan.web.ability import Ability
from portico.plan.web.guards import Guard, Inspection
from portico.plan.web.model import Web
from portico.plan.web.mount import App, Elsewhere, Matching, Mount
from portico.plan.web.pages import ATTACK
from portico.plan.web.waf import (
    ARGUMENTS,
    BODIES,
    BODY_BYTES,
    FIRST_ID,
    LEFT_OUT,
    LONG,
    METHODS,
    PATTERN_STEPS,
    TOO_MANY,
    UNREADABLE,
    VERDICT,
    Waf,
    by_length,
)
from portico.site.pattern import escape
from portico.site.waf_exception import WafException

_CONNECTOR = "https://github.com/owasp-modsecurity/ModSecurity-nginx#usage"
_MANUAL = "https://github.com/owasp-modsecurity/ModSecurity/wiki/Reference-Manual-(v3.x)"
_REFUSED = 598
"""An otherwise unused status that nginx handles internally; no client sees it."""
_NOWHERE = "/-/inspected"
"""This file never exists: `try_files` falls through."""
_READABLE = re.compile(r"/[A-Za-z0-9_/.:-]*")
"""A path of `Include`: ModSecurity takes no other characters, in quotes neither."""


def waf_modules(place: Place, *, is_used: bool) -> list[Directive]:
    """At the top of the file: the dynamic module."""
    if not is_used or MODSECURITY not in place.gateway.loadable:
        return []
    why = "this nginx has ModSecurity as a module, and a site inspects requests"
    return [directive("load_module", place.gateway.loadable[MODSECURITY], why=why, cause="guard.waf")]


def no_waf(web: Web) -> list[Problem]:
    """Why the requested firewall is not possible."""
    if web.waf is None:
        return []
    if Ability.WAF not in web.abilities:
        what = f"nginx {web.place.gateway.described} has no ModSecurity"
    elif web.waf.rules is None:
        what = "the OWASP Core Rule Set is not installed"
    elif odd := [path for path in _paths(web.waf.rules) if not _READABLE.fullmatch(path)]:
        what, hint = f"ModSecurity cannot read the path {odd[0]!r}", "install the rules in another directory"
        return [Problem(web.waf.cause, what, hint)]
    else:
        return []
    return [Problem(web.waf.cause, what, _remedy(web.place))]


def _paths(rules: RuleSet) -> tuple[str, ...]:
    return (rules.setup, rules.rules, *([rules.unicode] if rules.unicode else []))


def _remedy(place: Place) -> str:
    if {"debian", "ubuntu"} & set(place.systems):
        packages = "nginx libnginx-mod-http-modsecurity modsecurity-crs"
        return f"apt install {packages}, and leave --nginx out or say --nginx system"
    return "install an nginx with the module ngx_http_modsecurity_module and the OWASP Core Rule Set, or leave waf out"


def waf_rules(web: Web) -> list[Directive]:
    """At `http` level: the rules, read once for all locations."""
    if web.waf is None:
        return []
    cause, exempt = web.waf.cause, variable(web, "exempt")
    made = [
        *_settings(web.waf),
        directive(
            "modsecurity_transaction_id", f"$request_id-{exempt if web.waf.exceptions else ''}",
            why="the firewall's log names the request as the log line does; behind it, the number of an exception",
            cause=cause, source=_CONNECTOR,
        ),
    ]  # fmt: skip
    return [*_exempt(web, web.waf), *made] if web.waf.exceptions else made


def _exempt(web: Web, waf: Waf) -> list[Directive]:
    table = [(_pattern(web, one), str(number)) for number, one in by_length(waf.exceptions)]
    why = "which exception of the firewall holds, by the path as nginx and the app read it, however it is spelled"
    return [
        entries(
            "map", "$uri", variable(web, "exempt"), table=[("default", ""), *table], why=why,
            cause=waf.exceptions_cause,
        )
    ]  # fmt: skip


def _pattern(web: Web, one: WafException) -> str:
    return f"~^{escape(web.prefix + one.path)}" + ("" if one.is_beginning else r"\z")


def refused_by_waf(web: Web) -> list[Directive]:
    """The target of refused requests, wherever the app's answers come from."""
    if web.waf is None or not web.waf.is_blocking:
        return []
    why = "what the firewall refuses gets a page of this site's; the app's own 403 pass untouched"
    return [directive("error_page", _REFUSED, "=", location(web, "attack"), why=why, cause=web.waf.cause)]


def waf_locations(web: Web, answers: Iterable[tuple[str, Sequence[Directive]]]) -> list[Directive]:
    """The locations that inspect; `answers` are their names and what each does after that."""
    if web.waf is None:
        return []
    made = [
        block(
            "location", name, why="the guards let the request through; the firewall inspects it, the app answers",
            cause=web.waf.cause, of=[*inspection(web), *of],
        )
        for name, of in answers
    ]  # fmt: skip
    if not web.waf.is_blocking:
        return made
    of = [
        directive(
            "error_page",
            403,
            f"{PREFIX}{ATTACK}.$portico_page",
            why="a page of this site's",
            cause=web.waf.cause,
        ),
        refusing(refusals.WAF),
        directive(
            "return", 403, why="its rules are in the firewall's report: portico waf", cause=web.waf.cause
        ),
    ]
    return [
        *made,
        block("location", location(web, "attack"), why="the firewall refused", cause=web.waf.cause, of=of),
    ]


def inspection(web: Web) -> list[Directive]:
    """In a location that passes requests to the app without another step."""
    if web.waf is None:
        return []
    cause, paths = web.waf.cause, Paths.of(web.place)
    return [
        directive("modsecurity", "on", why="asks the rules", cause=cause, source=_CONNECTOR),
        directive(
            "error_log", paths.waf_log, "info", cause=cause,
            why="each rule that matched, with the request's id; portico waf reads it",
        ),
        directive("error_log", paths.error_log, "error", why="nginx's complaints, as everywhere else"),
    ]  # fmt: skip


def handed_on(web: Web, mount: Mount) -> list[Directive]:
    """Passes a request there once the other guards let it through."""
    return [_hands_on(web, inspected_name(web, mount))]


def detour(
    web: Web, name: str, guards: Sequence[Guard], asked: Sequence[Directive], then: Sequence[Directive], *,
    why: str, cause: str = "",
) -> list[Directive]:  # fmt: skip
    """The named location of a detour: what is `asked`, the firewall, `then` the answer.

    No header of a client may bring its requests to the firewall before they are counted: if something is asked,
    another location inspects.
    """
    at = location(web, name)
    if not is_inspected(guards):
        return [block("location", at, why=why, cause=cause, of=[*asked, *then])]
    if not asked:
        return [block("location", at, why=why, cause=cause, of=[*inspection(web), *then])]
    behind = location(web, f"inspected_{name}")
    return [
        block("location", at, why=why, cause=cause, of=[*asked, _hands_on(web, behind)]),
        block(
            "location", behind, why="the same, behind the guards", cause=cause, of=[*inspection(web), *then]
        ),
    ]


def _hands_on(web: Web, name: str) -> Directive:
    return directive(
        "try_files", _NOWHERE, name, cause=web.waf.cause if web.waf else "",
        why="after the limits, which count first: no such file is there, so the request goes on to be inspected",
    )  # fmt: skip


def is_inspected(chain: Sequence[Guard]) -> bool:
    """Whether the firewall is the last guard of the chain."""
    return any(isinstance(guard, Inspection) for guard in chain)


def inspected_name(web: Web, mount: Mount) -> str:
    """The named location that inspects and answers what the mount lets through; mounts with the same answer share
    it.
    """
    if isinstance(mount.action, Elsewhere):
        return f"{location(web, 'inspected')}_r{mount.action.route.rule.number}"
    assert isinstance(mount.action, App)
    routed = mount.action.routed
    route = f"_{web.routed.index(routed)}" if routed else ""
    kept = "" if mount.action.is_cached else "_uncached"
    pattern = "_pattern" if isinstance(mount.match, Matching) else ""
    return f"{location(web, 'inspected')}{route}{kept}{pattern}"


def _settings(waf: Waf) -> Iterator[Directive]:
    """ModSecurity's settings, then the Core Rule Set, with the site's exceptions before its rules.

    Each line is a directive of its own: nginx accepts no word above 4 KiB, and the module resolves a relative file
    name from another directory than nginx.
    """
    rules = waf.rules
    assert rules is not None  # else `no_waf`
    yield from _engine(waf)
    if rules.unicode:
        yield _line(
            waf, f"SecUnicodeMapFile {rules.unicode} 20127", "characters in other encodings are decoded"
        )
    yield from _bodies(waf)
    yield from _core_rules(waf, rules)


def _engine(waf: Waf) -> Iterator[Directive]:
    """What ModSecurity does, and how much of a request it reads."""
    engine, why = (
        ("On", "refuses attacks") if waf.is_blocking else ("DetectionOnly", "reports attacks, no more")
    )
    yield _line(waf, f"SecRuleEngine {engine}", why)
    yield _line(waf, "SecRequestBodyAccess On", "forms and JSON are inspected, too")
    yield _line(waf, f"SecRequestBodyLimit {BODY_BYTES}", "so much of a body is inspected")
    yield _line(
        waf,
        "SecRequestBodyLimitAction ProcessPartial",
        "a longer body is not an attack: max_upload limits it",
    )
    yield _line(waf, f"SecArgumentsLimit {ARGUMENTS}", "more values than that cost more than they tell")
    yield _line(waf, f"SecPcreMatchLimit {PATTERN_STEPS}", "no request keeps a pattern busy for long")
    yield _line(waf, "SecResponseBodyAccess Off", "answers are not inspected: it would hold up streams")
    yield _line(
        waf, "SecAuditEngine Off", "nginx's log has every rule that matched; nothing would rotate another"
    )


def _bodies(waf: Waf) -> Iterator[Directive]:
    """How bodies are read, and the refusal of those that cannot be."""
    for body in BODIES:
        yield _body(waf, *body)
    for name, *words in LONG:
        text = " ".join((name, *(f'"{word}"' for word in words)))
        yield _line(waf, text, "the first part of such a body looks broken: the whole is not inspected")
    yield _refusal(
        waf, 'REQBODY_ERROR "!@eq 0"', *UNREADABLE,
        "what the firewall cannot read it cannot judge",
    )  # fmt: skip
    yield _refusal(waf, f'&ARGS "@ge {ARGUMENTS}"', *TOO_MANY, "those beyond would not be inspected")


def _core_rules(waf: Waf, rules: RuleSet) -> Iterator[Directive]:
    """The Core Rule Set: its setup, the site's exceptions, its rules."""
    yield _line(waf, f"Include {rules.setup}", f"the setup of the Core Rule Set {rules.version}")
    yield _line(
        waf, f"SecAction \"id:{FIRST_ID},phase:1,nolog,pass,t:none,setvar:'tx.allowed_methods={' '.join(METHODS)}'\"",
        "which methods a path takes is the app's to say",
    )  # fmt: skip
    for number, one in enumerate(waf.exceptions):
        yield _exception(waf, number, one)
    yield _line(waf, f"Include {rules.rules}/*.conf", "the rules")
    for left_out, why in LEFT_OUT.items():
        yield _line(waf, f"SecRuleRemoveById {left_out}", why)
    yield _line(
        waf, f'SecRuleUpdateActionById {VERDICT} "deny,status:{_REFUSED}"',
        "a request whose score is too high is refused: leads to the page of this site, never to the client",
    )  # fmt: skip


def _line(waf: Waf, text: str, why: str) -> Directive:
    return directive("modsecurity_rules", text, why=why, cause=waf.cause, source=_MANUAL)


def _body(waf: Waf, number: int, pattern: str, kind: str) -> Directive:
    actions = f"id:{number},phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor={kind}"
    text = f'SecRule REQUEST_HEADERS:Content-Type "{pattern}" "{actions}"'
    return _line(waf, text, f"reads the values in a body of {kind}")


def _refusal(waf: Waf, found: str, number: int, message: str, why: str) -> Directive:
    return _line(
        waf, f"SecRule {found} \"id:{number},phase:2,t:none,log,deny,status:{_REFUSED},msg:'{message}'\"", why
    )


def _exception(waf: Waf, number: int, one: WafException) -> Directive:
    removed = [f"ctl:ruleRemoveById={rule}" for rule in one.rules] or ["ctl:ruleEngine=Off"]
    actions = f"id:{FIRST_ID + 1 + number},phase:1,t:none,nolog,pass,{','.join(removed)}"
    return directive(
        "modsecurity_rules", f'SecRule UNIQUE_ID "@endsWith -{number}" "{actions}"',
        why=f"{one.path}{'*' if one.is_beginning else ''} is excepted" + ("" if one.rules else " from every rule"),
        cause=waf.exceptions_cause, source=_MANUAL,
    )  # fmt: skip
