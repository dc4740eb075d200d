"""An nginx configuration with other servers behind it, and other certificates, to run beside the original."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from portico.explain.nginx.families import PASSES
from portico.explain.nginx.written import alone
from portico.explain.node import Node
from portico.explain.sandbox import Exists, Files, Sandbox, StandIn
from portico.plan.web.files.mime import TYPES

_LEFT_OUT = frozenset({
    "user", "pid", "ssl_dhparam", "ssl_trusted_certificate", "ssl_stapling", "ssl_stapling_verify", "ssl_crl",
    "load_module", "worker_priority", "worker_cpu_affinity", "daemon", "master_process", "ssl_session_ticket_key",
    "error_log", "access_log", "log_format",
})  # fmt: skip
"""What the answers do not depend on, and what may not be there."""


def relocated(root: Node, stand_in: StandIn, files: Files, exists: Exists) -> Node:
    """The configuration with stand-ins, and one `listen` for each port; `exists` says whether a file is there."""
    schemes = dict(_schemes(root))
    return _relocated(root, stand_in, files, exists, schemes)


def _schemes(root: Node) -> Iterator[tuple[str, str]]:
    """Each upstream's name, and the protocol in which requests are passed to it."""
    for node, _ in root.walk():
        if node.name in ("proxy_pass", "uwsgi_pass") and node.args:
            name = node.args[0].partition("://")[2] if node.name == "proxy_pass" else node.args[0]
            yield name.partition("/")[0], "http" if node.name == "proxy_pass" else "uwsgi"


def _relocated(node: Node, stand_in: StandIn, files: Files, exists: Exists, schemes: dict[str, str]) -> Node:
    made, listens = list[Node](), set[tuple[str, ...]]()
    for child in node.children or ():
        if child.name in _LEFT_OUT and child.children is None:
            continue
        if child.name in ("stream", "mail"):
            continue
        new = _one(child, node, stand_in, files, exists, schemes)
        if child.name == "listen":
            if new.args[:1] in listens:
                continue
            listens.add(new.args[:1])
        made.append(new if new.children is None else _relocated(new, stand_in, files, exists, schemes))
    if node.name == "server" and not node.first("listen") and node.children is not None:
        made.insert(0, Node("listen", ("80",), node.file, node.line))
    return replace(node, children=tuple(made))


def _one(
    node: Node,
    above: Node,
    stand_in: StandIn,
    files: Files,
    exists: Exists,
    schemes: dict[str, str],
) -> Node:
    if not node.args:
        return node
    match node.name:
        case "listen":
            return replace(node, args=_listen(node.args))
        case "proxy_pass":
            return replace(node, args=(_http(node.args[0], stand_in, schemes),))
        case "uwsgi_pass" if node.args[0] not in schemes or "/" in node.args[0] or ":" in node.args[0]:
            return replace(node, args=(stand_in("uwsgi", node.args[0]),))
        case "server" if above.name == "upstream":
            scheme = schemes.get(above.args[0] if above.args else "", "http")
            words = [word for word in node.args[1:] if word != "resolve"]
            return replace(node, args=(stand_in(scheme, node.args[0]), *words))
        case "ssl_certificate" | "ssl_client_certificate":
            return replace(node, args=(files.certificate,))
        case "ssl_certificate_key":
            return replace(node, args=(files.key,))
        case "auth_basic_user_file" if not exists(node.args[0]):
            return replace(node, args=(files.users,))
        case "root" | "alias" if node.args[0].startswith("/") and not exists(node.args[0]):
            return replace(node, args=(f"{files.folders}{node.args[0]}",))
        case _:
            return node


def _listen(args: tuple[str, ...]) -> tuple[str, ...]:
    where = args[0].removeprefix("[::]:").removeprefix("*:").removeprefix("0.0.0.0:")
    words = tuple(
        word for word in args[1:] if not word.startswith(("ipv6only", "reuseport", "backlog", "fastopen"))
    )
    return (where, *words)


def _http(text: str, stand_in: StandIn, schemes: dict[str, str]) -> str:
    scheme, _, rest = text.partition("://")
    if "$" in text:
        return text
    if rest.startswith("unix:"):
        path, _, uri = rest.removeprefix("unix:").partition(":")
        return f"http://{stand_in('http', f'unix:{path}')}{uri}"
    address, slash, uri = rest.partition("/")
    is_upstream = address in schemes and ":" not in address and "." not in address
    return f"http://{address if is_upstream else stand_in('http', address)}{slash}{uri}" if scheme else text


def lines(root: Node, directory: str, _modules: Mapping[str, str]) -> list[str]:
    """Temporary files are in that directory; a fragment gets the types that nginx.conf around it would have."""
    made = alone(root)
    at = next(n for n, line in enumerate(made) if line.startswith("http"))
    has_own = {line.split()[0] for line in made if line.strip()}
    kinds = ("client_body", "proxy", "uwsgi", "fastcgi", "scgi")
    rows = " ".join(f"{' '.join(row)};" for row in TYPES)
    inside = [f"    {kind}_temp_path {directory}/{kind};" for kind in kinds] + [f"    types {{ {rows} }}"]
    made[at + 1 : at + 1] = [line for line in inside if line.split()[0] not in has_own]
    return ["daemon off;", f"pid {directory}/nginx.pid;", f"error_log {directory}/error.log;", *made]


def paths(server: Node) -> list[str]:
    """A path for each location with a fixed prefix, and one below it."""
    found = list[str]()
    for node, _ in server.walk():
        if node.name != "location" or not node.args or node.args[0] in ("~", "~*"):
            continue
        path = node.args[-1].lstrip("=^~")
        if path.startswith("/") and path != "/":
            found += [path] if node.args[0].startswith("=") else [path, f"{path.rstrip('/')}/below"]
    return list(dict.fromkeys(found))


def passed(root: Node) -> list[str]:
    """The prefixes of locations that pass requests on."""
    found = [node for node, _ in root.walk() if node.name == "location" and node.first(*PASSES) and node.args]
    return [node.args[-1] for node in found if node.args[-1].startswith("/")]


def folders(root: Node) -> list[str]:
    """The arguments of `root` and `alias` without variables."""
    found = [node.args[0] for node, _ in root.walk() if node.name in ("root", "alias") and node.args]
    return [one for one in found if "$" not in one]


def pages(root: Node) -> list[str]:
    """The files of locations for one path."""
    found = list[str]()
    for node, _ in root.walk():
        source = node.first("alias", "root") if node.name == "location" and node.args[:1] == ("=",) else None
        if source is not None and source.args:
            found.append(source.args[0] if source.name == "alias" else f"{source.args[0]}{node.args[1]}")
    return [one for one in found if "$" not in one and not one.endswith("/")]


SANDBOX = Sandbox(relocated, lines, paths, passed, folders, pages)
