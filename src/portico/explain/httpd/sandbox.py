"""A configuration of httpd with other servers behind it, and other certificates, to run beside the original."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from msgspec.structs import replace

from portico.explain.httpd.names import MODULE_OF
from portico.explain.httpd.servers import addresses_of, hosts_of, listens_of
from portico.explain.httpd.sources import ALIASES, PROXIES, WSGI
from portico.explain.httpd.written import alone
from portico.explain.node import Node
from portico.explain.sandbox import Exists, Files, Sandbox, StandIn
from portico.plan.web.files.mime import TYPES

_LEFT_OUT = frozenset({
    "User", "Group", "LoadModule", "ErrorLog", "CustomLog", "TransferLog", "GlobalLog", "PidFile", "Mutex",
    "ServerRoot", "DefaultRuntimeDir", "WSGISocketPrefix", "WSGIImportScript", "SSLCertificateChainFile",
    "SSLSessionCache", "SSLUseStapling", "SSLStaplingCache", "SSLOpenSSLConfCmd", "SecAuditLog", "SecDebugLog",
    "SSLCARevocationFile", "UndefMacro",
})  # fmt: skip
"""What the answers do not depend on, and what may not be there."""
_URL = re.compile(r"(?P<scheme>https?|wss?|uwsgi)://(?P<address>\[[^\]]*\](?::\d+)?|[^/?]*)(?P<rest>.*)")
_SOCKET = re.compile(r"(?P<address>unix:/[^|]*)\|(?P<scheme>http|ws|uwsgi):(?://[^/]*)?(?P<rest>/.*)?")
_OF_PYTHON = ("python-home", "python-path", "user", "group", "home", "umask", "socket-user", "display-name")
_BASE = (
    "mpm_event", "unixd", "authn_core", "authn_file", "authz_core", "authz_host", "authz_user", "auth_basic",
    "alias", "dir", "mime", "setenvif", "access_compat", "authz_groupfile", "filter", "deflate",
)  # fmt: skip
_WITH = {
    "proxy": ("proxy_http", "proxy_uwsgi", "proxy_fcgi", "proxy_wstunnel", "proxy_balancer", "slotmem_shm",
              "lbmethod_byrequests", "lbmethod_bybusyness", "lbmethod_bytraffic"),
    "ssl": ("socache_shmcb",),
    "security2": ("unique_id",),
}  # fmt: skip
"""Modules that have no directive, or need not be named, by the one that uses them."""
_FIRST = ("mpm_event", "unixd", "proxy", "unique_id", "slotmem_shm")
Change = Callable[[str], str]


def relocated(root: Node, stand_in: StandIn, files: Files, exists: Exists) -> Node:
    """The configuration with stand-ins; `exists` says whether a file is there."""

    def folder(path: str) -> str:
        return f"{files.folders}{path}" if path.startswith("/") and not exists(path) else path

    def change(node: Node) -> Node:
        made = replace(node, args=_words(node, lambda text: _url(text, stand_in), folder, files, exists))
        if node.children is None:
            return made
        kept = (one for one in node.children if one.name not in _LEFT_OUT or one.children is not None)
        return replace(made, children=tuple(change(one) for one in kept))

    return change(root)


def _words(node: Node, url: Change, folder: Change, files: Files, exists: Exists) -> tuple[str, ...]:
    args = node.args
    if not args:
        return args
    match node.name:
        case "BalancerMember" | "ProxyPass" | "ProxyPassMatch" | "ProxyPassReverse" | "ProxyRemote":
            return tuple(map(url, args))
        case "RewriteRule" if re.search(r"[\[,](?:P|proxy)[\],]", args[-1]):
            return (args[0], *map(url, args[1:]))
        case "SSLCertificateFile" | "SSLCACertificateFile":
            return (files.certificate,)
        case "SSLCertificateKeyFile":
            return (files.key,)
        case "AuthUserFile" if not exists(args[0]):
            return (files.users,)
        case "DocumentRoot" | "Directory":
            return tuple(map(folder, args))
        case "Alias" | "WSGIScriptAlias" if len(args) > 1:
            app = node.name in WSGI and not exists(args[1])
            return (args[0], files.app if app else folder(args[1]), *args[2:])
        case "WSGIDaemonProcess":
            return tuple(word for word in args if word.partition("=")[0] not in _OF_PYTHON)
        case _:
            return args


def _url(text: str, stand_in: StandIn) -> str:
    if match := _SOCKET.fullmatch(text) or _URL.fullmatch(text):
        scheme, rest = match["scheme"], match["rest"] or ""
        own = stand_in("uwsgi" if scheme == "uwsgi" else "http", match["address"])
        return f"{scheme.replace('https', 'http').replace('wss', 'ws')}://{own}{rest}"
    return text


def lines(root: Node, directory: str, modules: Mapping[str, str]) -> list[str]:
    """What is written is in that directory; `modules` are the files of those that can be loaded, by name."""
    made = alone(root)
    there = {one.port for one in listens_of(root)}
    wanted = {address.port or 80 for host in hosts_of(root) for address in addresses_of(host)}
    return [
        f"ServerRoot {directory}",
        f"PidFile {directory}/httpd.pid",
        f"DefaultRuntimeDir {directory}",
        f"ErrorLog {directory}/error.log",
        *(f"LoadModule {name}_module {modules[name]}" for name in _modules(root) if name in modules),
        *([f"WSGISocketPrefix {directory}/wsgi"] if "wsgi" in modules and "wsgi" in _modules(root) else []),
        "TypesConfig /dev/null",
        *(f"AddType {kind} {' '.join(endings)}" for kind, *endings in TYPES),
        "User #65534",
        "Group #65534",
        *(f"Listen {port}" for port in sorted(wanted - there or ({80} - there if not there else set()))),
        *made,
    ]


def _modules(root: Node) -> list[str]:
    """The modules whose directives stand there, with those that they use."""
    used = {MODULE_OF[node.name].removeprefix("mod_") for node, _ in root.walk() if node.name in MODULE_OF}
    every = {*_BASE, *used, *(more for name in used for more in _WITH.get(name, ()))}
    return sorted(every, key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name))


def paths(server: Node) -> list[str]:
    """A path for each fixed prefix, and one below it."""
    found = list[str]()
    for node, _ in server.walk():
        if node.name in ("Location", *ALIASES, *PROXIES, *WSGI) and node.args:
            path = node.args[0]
            if path.startswith("/") and path != "/" and not re.search(r"[*?\[]", path):
                found += [path, f"{path.rstrip('/')}/below"]
    return list(dict.fromkeys(found))


def passed(root: Node) -> list[str]:
    """The prefixes that are passed on, or that a WSGI app answers."""
    found = [(node, above) for node, above in root.walk() if node.name in (*PROXIES, *WSGI) and node.args]
    own = [node.args[0] for node, _ in found if node.args[0].startswith("/")]
    return own + [
        above[-1].args[0]
        for node, above in found
        if not node.args[0].startswith("/") and above[-1].name == "Location" and above[-1].args
    ]


def folders(root: Node) -> list[str]:
    """The folders of files."""
    return [path for path in _files(root) if not _is_page(path)]


def pages(root: Node) -> list[str]:
    """The files of aliases for one path."""
    return list(filter(_is_page, _files(root)))


def _files(root: Node) -> Iterator[str]:
    for node, _ in root.walk():
        if node.name in ("DocumentRoot", "Alias") and node.args:
            yield node.args[-1]


def _is_page(path: str) -> bool:
    return "." in path.rpartition("/")[2]


SANDBOX = Sandbox(relocated, lines, paths, passed, folders, pages)
