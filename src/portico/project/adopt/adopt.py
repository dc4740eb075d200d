"""A configuration's path, and what stands beside it, as one portico.toml for each site."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from portico.errors import PorticoError, Problem, UsageError
from portico.explain.adopted import Adopted, AdoptedSite, Remark
from portico.explain.finding import Backend, Finding
from portico.explain.language import Language
from portico.explain.languages import LANGUAGES, first_file, language_of_file
from portico.explain.node import Node
from portico.link.app.error import AppError
from portico.link.app.find.find import find
from portico.place.owner import NOBODY
from portico.project.adopt.app_server import AppServer
from portico.project.adopt.beside import SYSTEM, beside
from portico.project.adopt.combine import vanished, with_app, with_named_app, with_rule
from portico.project.adopt.toml import toml_of
from portico.project.adopt.valid import without_broken
from portico.reading import Reader, as_user, doubt

_NOT_A_CONFIGURATION = (".bak", ".orig", ".dpkg-dist", ".dpkg-old", ".rpmsave", ".swp", "~", ".md", ".py", ".ini",
                        ".service", ".socket", ".toml", ".yml", ".yaml", ".txt", ".sh", ".html")  # fmt: skip
_MOST_FILES = 500


class Made(Struct, frozen=True):
    """One portico.toml: its text, the directory of its app (else empty), and the site that it is made from."""

    site: AdoptedSite
    text: str
    directory: str = ""


class Result(Struct, frozen=True):
    """Everything about a configuration."""

    path: Path
    language: Language
    root: Node
    sites: tuple[Made, ...]
    remarks: tuple[Remark, ...]
    problems: tuple[Problem, ...]
    findings: tuple[Finding, ...] = ()
    """The faults of the original, the worst first."""
    app_here: str = ""
    """An app in the current directory, if no file says what listens at the address of the one site."""


def adopt(path: Path, app: str | None = None, *, system: Sequence[Path] = SYSTEM) -> Result:
    """The sites of a file or directory. Raises PorticoError if it is no configuration of a known web server."""
    reader = Reader(author_of(path))
    language, root, problems = as_user(reader.user, lambda: _read(path.absolute()))
    adopted = language.adopted(root)
    if not adopted.sites and not adopted.remarks:
        what = "there is no server in it"
        raise PorticoError(
            *problems,
            Problem(
                str(path), what, "expected a configuration of nginx or Apache httpd, or a directory of such"
            ),
        )
    here = path.absolute() if path.is_dir() else path.absolute().parent
    servers = beside([here, Path.cwd(), *system], reader)
    sites = _once(_sites(adopted, servers, app))
    made = [_made(site, str(path), server.directory if server else site.directory) for site, server in sites]
    found = language.findings(root, backends=_backends(sites))
    here_app = "" if reader.user else _app_here(sites)
    return Result(path, language, root, tuple(made), adopted.remarks, problems, tuple(found), here_app)


def _app_here(sites: Sequence[tuple[AdoptedSite, AppServer | None]]) -> str:
    """The app of the current directory, for `--app`. Nothing is imported."""
    if len(sites) != 1 or sites[0][1] is not None:
        return ""
    servers = sites[0][0].value("upstream", "servers")
    if not isinstance(servers, tuple) or not all(re.search(r"\b127\.|unix:|\[::1\]", one) for one in servers):
        return ""
    try:
        found = find("", Path.cwd())
    except AppError:
        return ""
    return f"{found.module}:{found.expression}" if found.expression else found.module


def _backends(sites: Sequence[tuple[AdoptedSite, AppServer | None]]) -> tuple[Backend, ...]:
    """The app server, if it is the one of every site: findings compare it with every line that passes requests."""
    servers = [server for _, server in sites]
    first = servers[0] if servers else None
    return first.limits if first is not None and all(one == first for one in servers) else ()


def author_of(path: Path) -> str:
    """The user whose rights apply to the files that a configuration includes: its author's, if root reads that of
    another. Empty for the current user.
    """
    if os.geteuid() != 0 or not doubt(path):
        return ""
    for step in (path.absolute(), *path.absolute().parents):
        try:
            uid = step.lstat().st_uid
            if uid != 0:
                return pwd.getpwuid(uid).pw_name
        except (OSError, KeyError):
            continue
    return NOBODY


def _read(path: Path) -> tuple[Language, Node, tuple[Problem, ...]]:
    if not path.is_dir():
        language = language_of_file(path)
        return language, *language.read_partly(path)
    if (main := first_file(path)) != path:
        language = language_of_file(main)
        return language, *language.read_partly(main)
    return _read_each(path)


def _read_each(path: Path) -> tuple[Language, Node, tuple[Problem, ...]]:
    """A directory of sites, such as sites-enabled."""
    try:
        names = sorted(one.name for one in path.iterdir())[:_MOST_FILES]
    except OSError as error:
        raise UsageError(Problem(str(path), f"cannot be read: {error.strerror}")) from None
    files = [
        path / name for name in names if not name.startswith(".") and not name.endswith(_NOT_A_CONFIGURATION)
    ]
    files = [file for file in files if file.is_file() and _is_recognised(file)]
    if not files:
        hint = "name the file: portico adopt /etc/nginx/nginx.conf"
        raise UsageError(Problem(str(path), "there is no configuration of a web server in it", hint))
    language = language_of_file(files[0])
    nodes, problems = list[Node](), list[Problem]()
    for file in files:
        root, found = language.read_partly(file)
        nodes += root.children or ()
        problems += found
    return language, Node("", (), str(path), 0, tuple(nodes)), tuple(problems)


def _is_recognised(file: Path) -> bool:
    try:
        text = file.read_text("utf-8", "replace")
    except OSError:
        return False
    return any(language.recognised.search(text) for language in LANGUAGES)


def _sites(
    adopted: Adopted, servers: Sequence[AppServer], app: str | None
) -> list[tuple[AdoptedSite, AppServer | None]]:
    if app is not None and len(adopted.sites) != 1:
        names = ", ".join(one.name for one in adopted.sites)
        raise UsageError(
            Problem("--app", f"there are {len(adopted.sites)} sites: {names}", "name the file of one of them")
        )
    if app is not None:
        refused = adopted.sites[0]
        site = replace(
            refused,
            refused=""
            if refused.mount_stripped or "passes no request" in refused.refused
            else refused.refused,
        )
        return [with_named_app(site, app, str(Path.cwd()))]
    made = list[tuple[AdoptedSite, AppServer | None]]()
    for site in adopted.sites:
        new, server = with_app(site, servers)
        made.append((with_rule(new) if server is None else new, server))
    return made


def _once(sites: list[tuple[AdoptedSite, AppServer | None]]) -> list[tuple[AdoptedSite, AppServer | None]]:
    """Without a second copy of lines that nginx takes once for all sites."""
    made = list(sites)
    for at, kept in vanished([site for site, _ in sites]):
        site, server = made[at]
        made[at] = (replace(site, kept=tuple(one for one in site.kept if one is not kept)), server)
    return made


def _made(site: AdoptedSite, source: str, directory: str) -> Made:
    if site.refused:
        return Made(site, "", directory)
    valid = without_broken(site)
    return Made(valid, "" if valid.refused else toml_of(valid, source), directory)
