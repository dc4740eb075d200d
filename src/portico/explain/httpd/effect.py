"""What is in force where: what a virtual host and its blocks inherit, add to, and replace."""

from __future__ import annotations

from portico.explain.httpd.blocks import inside
from portico.explain.httpd.names import CONDITIONS, SECTIONS
from portico.explain.httpd.servers import title
from portico.explain.httpd.sources import SOURCES
from portico.explain.language import InForce
from portico.explain.node import Node

_ADDS = frozenset(
    (
        *SOURCES,
        *("AddCharset", "AddEncoding", "AddHandler", "AddInputFilter", "AddLanguage", "AddOutputFilter"),
        *(
            "AddOutputFilterByType",
            "AddType",
            "BrowserMatch",
            "BrowserMatchNoCase",
            "CacheDisable",
            "CacheEnable",
        ),
        *(
            "ErrorDocument",
            "ExpiresByType",
            "FilterDeclare",
            "FilterProvider",
            "Header",
            "Listen",
            "LogFormat",
            "PassEnv",
            "ProxyPassReverse",
        ),
        *(
            "ProxyPassReverseCookieDomain",
            "ProxyPassReverseCookiePath",
            "ProxySet",
            "RequestHeader",
            "SecRule",
        ),
        *(
            "SecAction",
            "SecRuleRemoveById",
            "ServerAlias",
            "SetEnv",
            "SetEnvIf",
            "SetEnvIfNoCase",
            "SetEnvIfExpr",
        ),
        *("UnsetEnv", "SSLCertificateFile", "SSLCertificateKeyFile", "WSGIDaemonProcess"),
    )
)
"""Directives whose lines are added to those above."""
_KEYED = {"ErrorDocument": 0, "SetEnv": 0, "AddType": 1, "AddHandler": 1, "ExpiresByType": 0}
"""Of those, the word of which only the innermost line counts."""
_TOGETHER = frozenset(("CustomLog", "TransferLog", "Require", "RewriteRule", "RewriteCond", "DirectoryIndex"))
"""Directives of which a level may have several, and one replaces all of those above."""
_NOT_INHERITED = frozenset(
    ("RewriteRule", "RewriteCond", "RewriteEngine", "RewriteMap", "ServerName", "ServerAlias")
)
"""Directives of a server that its virtual hosts do not have."""
_AT_START = frozenset(
    (
        *(
            "Define",
            "UnDefine",
            "Include",
            "IncludeOptional",
            "LoadModule",
            "LoadFile",
            "Macro",
            "Use",
            "ServerRoot",
        ),
        *("Listen", "User", "Group", "PidFile", "Mutex", "DefaultRuntimeDir", "StartServers", "ServerLimit"),
        *("MaxRequestWorkers", "ThreadsPerChild", "ThreadLimit", "MinSpareThreads", "MaxSpareThreads"),
        *("MaxConnectionsPerChild", "ScoreBoardFile", "WSGIDaemonProcess"),
    )
)
"""Directives of the program as a whole."""


def in_force(chain: tuple[Node, ...]) -> list[InForce]:
    """What is in force in the last block of `chain` (main server, <VirtualHost>, <Directory> ...)."""
    levels = _levels(chain)
    found: dict[str, list[InForce]] = {}
    for level in levels:
        own: dict[str, list[InForce]] = {}
        for node in inside(level):
            if node.children is None and (level is levels[-1] or _is_inherited(node, levels[-1])):
                own.setdefault(node.name, []).append(InForce(node, level))
        for name, lines in own.items():
            found[name] = _joined(name, found.get(name, []), lines)
    return [item for items in found.values() for item in items]


def _levels(chain: tuple[Node, ...]) -> list[Node]:
    """Conditions are no levels of their own, unless one is what was asked for."""
    return [one for number, one in enumerate(chain) if one.name not in CONDITIONS or number == len(chain) - 1]


def _is_inherited(node: Node, last: Node) -> bool:
    if node.name in _AT_START or node.name in _NOT_INHERITED:
        return False
    return not (last.name in SECTIONS and last.name != "VirtualHost" and node.name in SOURCES)


def _joined(name: str, above: list[InForce], own: list[InForce]) -> list[InForce]:
    if name in _KEYED:
        at = _KEYED[name]
        keys = {word for item in own for word in item.node.args[at:][: None if at else 1]}
        return [
            *(item for item in above if not keys.intersection(item.node.args[at:][: None if at else 1])),
            *own,
        ]
    if name in _ADDS:
        return [*above, *own]
    if name == "Options" and all(word[:1] in "+-" for item in own for word in item.node.args):
        return [*above, *own]
    return own if name in _TOGETHER else own[-1:]


def notes(node: Node, above: tuple[Node, ...]) -> list[str]:
    """Whether httpd skips it, and how it affects those of the same name above; `above` are its ancestors."""
    made = _state(node, above)
    if node.children is not None or node.holds is False or not above or node.name in _AT_START:
        return made
    levels = [one for one in above if one.name not in CONDITIONS]
    outer = [(level, [one for one in inside(level) if one.name == node.name]) for level in levels[:-1]]
    level, lines = next(((level, found) for level, found in reversed(outer) if found), (None, []))
    own = [one for one in inside(levels[-1]) if one.name == node.name] if levels else []
    if level is None or (own and node is not own[0]):
        return made
    return [*made, _effect(node, level, lines)]


def _effect(node: Node, level: Node, lines: list[Node]) -> str:
    where = f"{title(level)} ({lines[0].place})"
    what = f"all {len(lines)} {node.name} lines" if len(lines) > 1 else f"{node.name} line"
    if node.name in _NOT_INHERITED:
        return f"the {what} of {where} {'do' if len(lines) > 1 else 'does'} not hold here as well"
    if node.name in _KEYED or node.name in _ADDS:
        return f"is added to the {node.name} {'lines' if len(lines) > 1 else 'line'} of {where}"
    if node.name == "Options" and all(word[:1] in "+-" for word in node.args):
        return f"changes {lines[-1].text} of {where}"
    return f"replaces {what if node.name in _TOGETHER else lines[-1].text} of {where}"


_WHY = {
    "IfModule": ("the module is not loaded, or is", "whether the module is loaded is not in these files"),
    "IfDefine": ("the name is not defined, or is", ""),
    "IfVersion": ("no httpd 2.4 is meant", "it depends on the release of httpd"),
    "IfFile": ("the file is not there, or is", ""),
    "IfDirective": ("no loaded module has it, or one has", "whether a module has it is not in these files"),
    "IfSection": ("no loaded module has it, or one has", "whether a module has it is not in these files"),
}


def _state(node: Node, above: tuple[Node, ...]) -> list[str]:
    if node.name not in CONDITIONS or any(one.holds is False for one in above):
        return []
    skipped, unknown = _WHY[node.name]
    if node.holds is False:
        plain, negated = skipped.split(", or ") if ", or " in skipped else (skipped, skipped)
        subject = plain.rsplit(" is not", 1)[0] if ", or is" in skipped else ""
        why = f"{subject} {negated}" if node.args[0].startswith("!") and subject else plain
        return [f"httpd skips this block: {why}"]
    return [f"taken as if it held: {unknown}"] if node.holds is None else []
