r"""The firewall: ModSecurity 2, a module of httpd, with the OWASP Core Rule Set.

The module reads a request twice: its head before every rule of the virtual host (phase 1), its body and the rest
behind all of them (phase 2). The second is for requests that a mount has marked, and only it refuses.

Facts, tested with 2.9.7: JSON or a form of parts that ends too early is 500, in a dry run, too. A body that cannot be
read otherwise is refused by rule. Phase 1 knows no variable of a rule, so there the path must be as it is written.
Variables that `setenv` sets reach the error page and the log line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from portico.errors import Problem
from portico.place.model import RuleSet
from portico.plan.gateway.httpd.access import is_set
from portico.plan.gateway.httpd.modules import has
from portico.plan.gateway.httpd.names import GUARD, URI
from portico.plan.gateway.httpd.pages import FORBIDDEN
from portico.plan.gateway.httpd.syntax import Directive, directive, section
from portico.plan.paths import Paths
from portico.plan.web import refusals
from portico.plan.web.guards import Inspection
from portico.plan.web.model import Web
from portico.plan.web.pages import ATTACK
from portico.plan.web.waf import (
    ARGUMENTS,
    BODIES,
    BODY_BYTES,
    FIRST_ID,
    LARGEST_UPLOAD,
    LEFT_OUT,
    LONG,
    METHODS,
    PATTERN_STEPS,
    REQUEST_ID,
    TOO_MANY,
    UNREADABLE,
    VERDICT,
    Waf,
    by_length,
)
from portico.site.pattern import escape
from portico.site.waf_exception import WafException

MODULE = "security2"
_MANUAL = "https://github.com/owasp-modsecurity/ModSecurity/wiki/Reference-Manual-(v2.x)"
_INSPECTED, _EXEMPT = "PORTICO_INSPECTED", "PORTICO_EXEMPT"
"""1 where a mount has marked the request; the number of the exception that holds for the path."""
_FOUND = "portico_found"
_HEAD_ID = FIRST_ID + 10_000
"""Exceptions of the first phase."""
_PLAIN = re.compile(r"[A-Za-z0-9/_.~-]+")
_NO_MEMORY = {
    "901321": "keeps a file of all clients, which only rules read that are off",
}
"""More rules that are off with httpd."""


def waf_problems(web: Web) -> list[Problem]:
    """Why the requested firewall is not possible."""
    if web.waf is None:
        return []
    if not has(web.place.gateway, MODULE):
        what = f"{web.place.gateway.path} has no mod_security2"
    elif web.waf.rules is None:
        what = "the OWASP Core Rule Set is not installed"
    else:
        return []
    return [
        Problem(web.waf.cause, what, "apt install libapache2-mod-security2 modsecurity-crs, or leave waf out")
    ]


def waf_notes(web: Web) -> list[str]:
    """What it does beside its rules."""
    if web.waf is None:
        return []
    what = "with Apache httpd, ModSecurity itself answers JSON and forms of parts that end too early with 500"
    return [f"{web.waf.cause}: {what}"]


def waf_modules(web: Web) -> list[str]:
    """The module, if a site inspects requests."""
    return [MODULE] if web.waf else []


def waf_limits(cause: str) -> list[Directive]:
    """In the server configuration, where a site inspects requests: what all virtual hosts share."""
    why = "no request keeps a pattern busy for long"
    return [
        directive(name, PATTERN_STEPS, why=why, cause=cause, source=_MANUAL)
        for name in ("SecPcreMatchLimit", "SecPcreMatchLimitRecursion")
    ]


def exempt_choice(web: Web) -> list[Directive]:
    """Before the rules of the mounts: which exception holds for the path. The last rule that matches counts."""
    if web.waf is None:
        return []
    why, cause = (
        "which exception of the firewall holds, by the path as the app reads it",
        web.waf.exceptions_cause,
    )
    twice = "a path as it is written: httpd makes one slash of the first ones"
    made = list[Directive]()
    for number, one in reversed(by_length(web.waf.exceptions)):
        pattern = f"^{escape(web.prefix + one.path)}" + ("" if one.is_beginning else r"\z")
        made.append(is_set(URI, "!^//", twice, cause))
        made.append(directive("RewriteRule", pattern, "-", f"[E={_EXEMPT}:{number}]", why=why, cause=cause))
    return made


def inspects(guard: Inspection) -> list[Directive]:
    """The rules of a mount: the last guard marks what is inspected."""
    why = "every other guard lets the request through: its rules are asked"
    return [directive("RewriteRule", "^", "-", f"[E={_INSPECTED}:1]", why=why, cause=guard.waf.cause)]


def waf_rules(web: Web) -> list[Directive]:
    """In a virtual host: ModSecurity's settings, the site's exceptions and the Core Rule Set."""
    if web.waf is None or web.waf.rules is None:
        return []
    waf, why = web.waf, "no guard has let it through: it is not inspected, and its body is not read"
    off = _line(waf, why, "SecRuleEngine", "Off")
    return [
        *_engine(web, waf, web.waf.rules),
        *_bodies(waf),
        *_core_rules(web, waf, web.waf.rules),
        section("If", f"reqenv('{_INSPECTED}') != '1'", of=[off], why=why, cause=waf.cause),
    ]


def _engine(web: Web, waf: Waf, rules: RuleSet) -> Iterator[Directive]:
    yield _line(waf, "finds attacks; a rule below turns refusing on", "SecRuleEngine", "DetectionOnly")
    if rules.unicode:
        yield _line(
            waf, "characters in other encodings are decoded", "SecUnicodeMapFile", rules.unicode, 20127
        )
    yield _line(waf, "forms and JSON are inspected, too", "SecRequestBodyAccess", "On")
    for name in ("SecRequestBodyLimit", "SecRequestBodyInMemoryLimit"):
        yield _line(waf, "so much of a body is inspected, in memory", name, BODY_BYTES)
    why = "a longer body is not an attack: max_upload limits it"
    yield _line(waf, why, "SecRequestBodyLimitAction", "ProcessPartial")
    yield _line(waf, why, "SecRequestBodyNoFilesLimit", int(LARGEST_UPLOAD))
    yield _line(waf, "more values than that cost more than they tell", "SecArgumentsLimit", ARGUMENTS)
    yield _line(waf, "answers are not inspected: it would hold up streams", "SecResponseBodyAccess", "Off")
    why = "a line of JSON for each request in which a rule matched; portico waf reads it"
    yield _line(waf, why, "SecAuditEngine", "RelevantOnly")
    yield _line(waf, why, "SecAuditLogType", "Serial")
    yield _line(waf, why, "SecAuditLogFormat", "JSON")
    yield _line(waf, "the rules, and no headers: those have passwords", "SecAuditLogParts", "AHZ")
    yield _line(waf, why, "SecAuditLog", Paths.of(web.place).waf_log)


def _bodies(waf: Waf) -> Iterator[Directive]:
    for number, pattern, kind in BODIES:
        actions = f"id:{number},phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor={kind}"
        why = f"reads the values in a body of {kind}"
        yield _line(waf, why, "SecRule", "REQUEST_HEADERS:Content-Type", pattern, actions)
    why = "the first part of such a body looks broken: the whole is not inspected"
    for name, *words in LONG:
        yield _line(waf, why, name, *words)
    if waf.is_blocking:
        actions = f"id:{FIRST_ID + 9_000},phase:2,t:none,nolog,pass,ctl:ruleEngine=On"
        yield _line(waf, "from here on attacks are refused", "SecAction", actions)
    for found, wrong, (number, message), why in (
        ("REQBODY_ERROR", "!@eq 0", UNREADABLE, "what the firewall cannot read it cannot judge"),
        ("&ARGS", f"@ge {ARGUMENTS}", TOO_MANY, "those beyond would not be inspected"),
    ):
        actions = f"id:{number},phase:2,t:none,log,{_refusal(waf)},setvar:tx.{_FOUND}=1,msg:'{message}'"
        yield _line(waf, why, "SecRule", found, wrong, actions)


def _core_rules(web: Web, waf: Waf, rules: RuleSet) -> Iterator[Directive]:
    yield _line(waf, f"the setup of the Core Rule Set {rules.version}", "Include", rules.setup)
    methods = f"id:{FIRST_ID},phase:1,nolog,pass,t:none,setvar:'tx.allowed_methods={' '.join(METHODS)}'"
    yield _line(waf, "which methods a path takes is the app's to say", "SecAction", methods)
    yield from _head_exceptions(web, waf)
    for number, one in enumerate(waf.exceptions):
        found = ("SecRule", f"ENV:{_EXEMPT}", f"@streq {number}")
        removed = _removed(one) or "ctl:ruleEngine=Off"
        actions = f"id:{FIRST_ID + 1 + number},phase:2,t:none,nolog,pass,{removed}"
        yield _line(waf, _excepted(one), *found, actions, cause=waf.exceptions_cause)
    yield _line(
        waf, "the rules for requests: answers are not inspected", "Include", f"{rules.rules}/REQUEST-*.conf"
    )
    for left_out, why in (LEFT_OUT | _NO_MEMORY).items():
        yield _line(waf, why, "SecRuleRemoveById", left_out)
    why = "a request whose score is too high is refused, with a page of this site's"
    yield _line(waf, why, "SecRuleUpdateActionById", VERDICT, _refusal(waf))
    scores = f"TX:anomaly_score|TX:blocking_inbound_anomaly_score|TX:{_FOUND}"
    actions = (
        f"id:{REQUEST_ID},phase:5,t:none,log,auditlog,pass,msg:'%{{REQUEST_METHOD}} %{{REQUEST_FILENAME}}'"
    )
    yield _line(waf, "the line says which request it was", "SecRule", scores, "@gt 0", actions)


def _head_exceptions(web: Web, waf: Waf) -> Iterator[Directive]:
    """Exceptions from rules that look at the head alone, for paths as they are written. The last one that matches
    counts. Where one of the paths needs more letters, none is: such a rule then finds more than it would.
    """
    if not any(one.rules for one in waf.exceptions):
        return
    if not all(_PLAIN.fullmatch(web.prefix + one.path) for one in waf.exceptions):
        return
    ordered = list(reversed(by_length(waf.exceptions)))
    for at, (number, one) in enumerate(ordered):
        path = escape(web.prefix + one.path)
        rest = r"(?:(?!//|\.\.|(?i:%2e|%2f|%5c))[^?])*" if one.is_beginning else ""
        actions = f"id:{_HEAD_ID + at},phase:1,t:none,nolog,pass,setvar:tx.portico_exempt={number}"
        found = ("SecRule", "REQUEST_URI", rf"@rx ^{path}{rest}(?:\?|$)", actions)
        yield _line(waf, _excepted(one), *found, cause=waf.exceptions_cause)
    for at, (number, one) in enumerate(ordered, len(ordered)):
        if one.rules:
            actions = f"id:{_HEAD_ID + at},phase:1,t:none,nolog,pass,{_removed(one)}"
            found = ("SecRule", "TX:portico_exempt", f"@streq {number}", actions)
            yield _line(waf, _excepted(one), *found, cause=waf.exceptions_cause)


def _removed(one: WafException) -> str:
    return ",".join(f"ctl:ruleRemoveById={rule}" for rule in one.rules)


def _excepted(one: WafException) -> str:
    return f"{one.path}{'*' if one.is_beginning else ''} is excepted" + (
        "" if one.rules else " from every rule"
    )


def _refusal(waf: Waf) -> str:
    """A dry run leaves the log line alone."""
    said = f",setenv:{GUARD}={refusals.WAF},setenv:{FORBIDDEN}={ATTACK}" if waf.is_blocking else ""
    return f"deny,status:403{said}"


def _line(waf: Waf, why: str, name: str, *args: object, cause: str = "") -> Directive:
    return directive(name, *args, why=why, cause=cause or waf.cause, source=_MANUAL)
