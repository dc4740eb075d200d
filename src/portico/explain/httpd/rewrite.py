"""What RewriteRule makes of a request, as far as its request line decides it (mod_rewrite.c)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct, field

from portico.explain.httpd.blocks import every, inside, is_on, last
from portico.explain.httpd.known import Known, holds
from portico.explain.node import Node
from portico.explain.pcre import found, groups

_REDIRECTS = {"permanent": "301", "temp": "302", "seeother": "303"}
_ABSOLUTE = re.compile(r"(?i)[a-z][a-z0-9+.-]*://|mailto:|ldap:|news:")
_BACK = re.compile(r"\\(.)|([$%])(\d)|\$\{[^}]*\}|%\{[^}]*\}")
_NUMBERS = {"-eq": "==", "-ne": "!=", "-lt": "<", "-le": "<=", "-gt": ">", "-ge": ">="}
_MOST_ROUNDS = 20
"""Of [N]; a loop is not this module's concern."""


class Rule(Struct, frozen=True):
    """A RewriteRule with its conditions. Flags are in capitals: R, L, P ..., with their values."""

    node: Node
    conditions: tuple[Node, ...]
    pattern: str
    substitution: str
    flags: dict[str, str]
    env: tuple[tuple[str, str | None], ...] = ()
    """The variables that it sets, or removes (None)."""

    @classmethod
    def of(cls, node: Node, conditions: tuple[Node, ...]) -> Rule:
        pattern, substitution = (*node.args, "", "")[:2]
        flags = (*node.args, "")[2] if node.args[2:] else ""
        return cls(node, conditions, pattern, substitution, flags_of(flags), tuple(_env_of(flags)))


class Rewritten(Struct):
    """What became of a path. `how` is "" (nothing), "redirect", "refused", "proxy", "through" ([PT]) or "path"."""

    how: str
    uri: str
    args: str = ""
    node: Node | None = None
    status: str = ""
    undecided: list[Node] = field(default_factory=list)
    """Rules whose conditions cannot be known: taken as if they did not hold."""
    failed: dict[Node, str] = field(default_factory=dict)
    """Why each of the other rules did nothing."""
    env: dict[str, str] = field(default_factory=dict)
    """The variables that are known, as the rules so far have set them."""


_LONG = {
    "redirect": "R", "last": "L", "proxy": "P", "passthrough": "PT", "forbidden": "F", "gone": "G", "nocase": "NC",
    "chain": "C", "skip": "S", "next": "N", "qsappend": "QSA", "qsdiscard": "QSD", "ornext": "OR", "end": "END",
    "handler": "H", "noescape": "NE", "env": "E", "cookie": "CO", "type": "T", "nosubreq": "NS",
}  # fmt: skip


def flags_of(text: str) -> dict[str, str]:
    """`[R=301,L]`."""
    made = {}
    for flag in text.strip().removeprefix("[").removesuffix("]").split(","):
        name, _, value = flag.strip().partition("=")
        if name:
            made[_LONG.get(name.lower(), name.upper())] = value.strip()
    return made


def _env_of(text: str) -> Iterator[tuple[str, str | None]]:
    """`[E=NAME:value,E=!OTHER]`."""
    for one in re.finditer(r"(?i)(?:^\[?|,)\s*(?:E|env)=(!?)([^:,\]]*)(?::([^,\]]*))?", text.strip()):
        yield one[2], None if one[1] else one[3] or ""


def rules_of(block: Node) -> list[Rule]:
    """The rules of a block in order, each with its conditions."""
    made, conditions = list[Rule](), list[Node]()
    for node in inside(block):
        if node.name == "RewriteCond":
            conditions.append(node)
        elif node.name == "RewriteRule" and node.args:
            made.append(Rule.of(node, tuple(conditions)))
            conditions = []
    return made


def is_on_in(block: Node) -> bool:
    return is_on(last(block, "RewriteEngine"))


def rules_for(servers: list[Node]) -> list[Rule]:
    """The rules outside of directories: a virtual host has its own, and the main server's only if it inherits them."""
    own = servers[-1]
    if not is_on_in(own):
        return []
    made = rules_of(own)
    if len(servers) > 1:
        options = [word.lower() for node in every(own, "RewriteOptions") for word in node.args]
        if "inheritbefore" in options:
            made = [*rules_of(servers[0]), *made]
        elif "inherit" in options:
            made = [*made, *rules_of(servers[0])]
    return made


def variables(rules: list[Rule], servers: list[Node]) -> dict[str, str]:
    """The variables that these rules set and no other line does: they are empty at first."""
    others = {word.partition("=")[0].lstrip("!") for server in servers for word in _set_elsewhere(server)}
    return dict.fromkeys((name for rule in rules for name, _ in rule.env if name not in others), "")


def _set_elsewhere(server: Node) -> Iterator[str]:
    for child in inside(server):
        if child.name.startswith(("SetEnv", "BrowserMatch", "PassEnv")):
            yield from child.args
        elif child.children:
            yield from _set_elsewhere(child)


def rewritten(rules: list[Rule], uri: str, known: Known, base: str = "") -> Rewritten:
    """The outcome for a path; below a directory `uri` is without it, and `base` is put before the new path."""
    state = Rewritten("", uri, known.value("QUERY_STRING") or "", env=dict(known.env))
    for _ in range(_MOST_ROUNDS):
        if not _round(rules, state, known, base):
            break
    if state.how == "path" and "PT" in (
        flags_of(state.node.args[2]) if state.node and state.node.args[2:] else {}
    ):
        state.how = "through"
    return state


def _round(rules: list[Rule], state: Rewritten, known: Known, base: str) -> bool:
    """One pass; True if [N] asks for another."""
    skips = 0
    chain = True
    for rule in rules:
        if skips:
            skips -= 1
            continue
        if not chain:  # the rest of a chain whose link failed
            state.failed.setdefault(rule.node, "belongs to a chain that ended before")
            chain = "C" not in rule.flags
            continue
        match = _applies(rule, state, known.with_env(state.env))
        if match is None:
            if rule.node in state.undecided:
                for name, _ in rule.env:
                    state.env.pop(name, None)
            chain = "C" not in rule.flags
            continue
        _set(rule, state, known, match)
        _apply(rule, state, known, match, base)
        if rule.flags.keys() & {"L", "END", "F", "G", "P", "PT"} or state.how in ("refused", "proxy"):
            return False
        if "N" in rule.flags:
            return True
        skips = int(rule.flags["S"]) if rule.flags.get("S", "").isdigit() else 0
    return False


def _set(rule: Rule, state: Rewritten, known: Known, match: _Match) -> None:
    for name, text in rule.env:
        value = "" if text is None else filled(text, match.rule, match.condition, known.with_env(state.env))
        if value is None:
            state.env.pop(name, None)
        else:
            state.env[name] = value


class _Match(Struct, frozen=True):
    rule: tuple[str, ...]
    condition: tuple[str, ...]


def _applies(rule: Rule, state: Rewritten, known: Known) -> _Match | None:
    """The groups of pattern and conditions; None if the rule does nothing, with the reason in `state`."""
    is_negated, pattern = rule.pattern.startswith("!"), rule.pattern.removeprefix("!")
    one = found(pattern, state.uri, re.I if "NC" in rule.flags else 0)
    if (one is None) != is_negated:
        state.failed.setdefault(rule.node, f"the pattern does not match {state.uri or 'the empty path'}")
        return None
    own = tuple(groups(one)) if one and not is_negated else ()
    answer, backs, why = _conditions(rule, state, known, own)
    if answer is None:
        if rule.node not in state.undecided and not _asks_for_state(rule, known):
            state.undecided.append(rule.node)
        state.failed.setdefault(rule.node, f"whether {why} holds is not known: taken as if it did not")
    elif not answer:
        state.failed.setdefault(rule.node, f"{why} does not hold")
    return _Match(own, backs) if answer else None


def _asks_for_state(rule: Rule, known: Known) -> bool:
    """Whether the state of a site of Portico's decides: closed, starting, down."""
    tested = (word for condition in rule.conditions for word in condition.args[:1])
    return bool(known.state) and any(word.startswith(f"{known.state}/") for word in tested)


def _conditions(
    rule: Rule, state: Rewritten, known: Known, own: tuple[str, ...]
) -> tuple[bool | None, tuple[str, ...], str]:
    """All of them, with [OR] between some; the groups of the last that held, and the one that decided."""
    backs, why = tuple[str, ...](), ""
    group: bool | None = False
    for node in rule.conditions:
        answer, new = _condition(node, state, known, own, backs)
        backs, why = (new or backs) if answer else backs, why if group else node.text
        group = True if group or answer else None if None in (group, answer) else False
        if "OR" in _flags(node):
            continue
        if not group:
            return group, backs, why or node.text
        group = False
    return True, backs, ""


def _flags(node: Node) -> dict[str, str]:
    return flags_of(node.args[2]) if node.args[2:] else {}


def _condition(
    node: Node, state: Rewritten, known: Known, own: tuple[str, ...], backs: tuple[str, ...]
) -> tuple[bool | None, tuple[str, ...]]:
    test, pattern = (*node.args, "", "")[:2]
    if test.lower() == "expr":
        return holds(pattern, known), ()
    here = known.with_(REQUEST_FILENAME=state.uri, SCRIPT_FILENAME=state.uri, QUERY_STRING=state.args)
    value = filled(test, own, backs, here)
    is_negated, pattern = pattern.startswith("!"), pattern.removeprefix("!")
    answer, new = _compares(pattern, value, re.I if "NC" in _flags(node) else 0)
    return (None if answer is None else answer != is_negated), () if is_negated else new


def _compares(pattern: str, value: str | None, flags: int) -> tuple[bool | None, tuple[str, ...]]:
    if value is None or re.fullmatch(r"-[dfFhHlLsUx]", pattern):
        return None, ()
    for op, name in _NUMBERS.items():
        if pattern.startswith(op):
            left, right = value.strip(), pattern[len(op) :].strip()
            if not (left.isdigit() and right.isdigit()):
                return None, ()
            a, b = int(left), int(right)
            return {"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[name], ()
    if pattern[:1] in ("=", "<", ">"):
        op = pattern[:2] if pattern[1:2] == "=" and pattern[0] != "=" else pattern[0]
        other = pattern[len(op) :].removeprefix('"').removesuffix('"')
        left, right = (value.lower(), other.lower()) if flags else (value, other)
        return {
            "=": left == right, "<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right
        }[op], ()  # fmt: skip
    one = found(pattern, value, flags)
    return one is not None, tuple(groups(one)) if one else ()


def filled(text: str, own: tuple[str, ...], backs: tuple[str, ...], known: Known) -> str | None:
    """A text with `$1`, `%1` and `%{VARIABLE}`; None if a part is unknown (maps, files, headers)."""
    made, at = list[str](), 0
    for one in _BACK.finditer(text):
        made.append(text[at : one.start()])
        at = one.end()
        if one[1] is not None:
            made.append(one[1])
        elif one[2]:
            source = own if one[2] == "$" else backs
            made.append(source[int(one[3])] if int(one[3]) < len(source) else "")
        elif one[0].startswith("%"):
            value = known.filled(one[0])
            if value is None or value == one[0]:
                return None
            made.append(value)
        else:
            return None
    return "".join([*made, text[at:]])


def _apply(rule: Rule, state: Rewritten, known: Known, match: _Match, base: str) -> None:
    flags = rule.flags
    status = flags.get("R", "") or "302"
    if "F" in flags or "G" in flags:
        state.how, state.node, state.status = "refused", rule.node, "410" if "G" in flags else "403"
        return
    if "R" in flags and status.isdigit() and not 300 <= int(status) < 400:
        state.how, state.node, state.status = "refused", rule.node, status
        return
    if rule.substitution == "-":
        state.failed.setdefault(rule.node, "matches, and changes nothing")
        if flags.keys() & {"P", "R", "PT"}:
            _end(rule, state, state.uri, status)
        return
    here = known.with_(QUERY_STRING=state.args)
    new = filled(rule.substitution, match.rule, match.condition, here)
    if new is None:
        state.undecided.append(rule.node)
        new = rule.substitution
    new, mark, args = new.partition("?")
    if mark:
        old = state.args if "QSA" in flags else ""
        state.args = "&".join(part for part in (args, old) if part)
    elif "QSD" in flags:
        state.args = ""
    if base and not new.startswith("/") and not _ABSOLUTE.match(new):
        new = f"{base.rstrip('/')}/{new}"
    _end(rule, state, new, status)


def _end(rule: Rule, state: Rewritten, new: str, status: str) -> None:
    state.node, state.uri = rule.node, new
    if "P" in rule.flags:
        state.how = "proxy"
    elif "R" in rule.flags or _ABSOLUTE.match(new):
        state.how, state.status = "redirect", _REDIRECTS.get(status.lower(), status)
    elif state.how != "redirect":
        state.how = "path"
