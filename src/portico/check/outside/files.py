"""What must not be there: secrets, source and databases, by their names and around the corner of a static folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from portico.check.model import Finding
from portico.check.outside.client import Answer
from portico.check.outside.look import Look, links, own_path

Sign = Callable[[bytes], bool]


def _has(pattern: bytes) -> Sign:
    return lambda body: re.search(pattern, body, re.MULTILINE) is not None


_CODE = _has(rb"^(?:import \w|from [\w.]+ import |def \w+\(|class \w+[(:])")
_TOML = _has(rb"^\s*(?:\[[\w.\"/-]+\]|[\w-]+\s*=)")
_SETTINGS = _has(rb"^(?:export )?[A-Z][A-Z0-9_]*=")
FILES: dict[str, Sign] = {
    "/.env": _SETTINGS,
    "/.git/config": _has(rb"^\[core\]"),
    "/.git/HEAD": _has(rb"^ref: refs/|^[0-9a-f]{40}$"),
    "/.htpasswd": _has(rb"^[^:\s<]+:(?:\$|\{SHA)"),
    "/portico.toml": _TOML,
    "/pyproject.toml": _TOML,
    "/db.sqlite3": lambda body: body.startswith(b"SQLite format 3"),
    "/instance/app.db": lambda body: body.startswith(b"SQLite format 3"),
    "/app.py": _CODE,
    "/main.py": _CODE,
    "/wsgi.py": _CODE,
    "/manage.py": _CODE,
    "/settings.py": _CODE,
    "/config.py": _has(rb"^\w+ *= "),
    "/app.py~": _CODE,
    "/docker-compose.yml": _has(rb"^services:"),
    "/backup.sql": _has(rb"^(?:-- |CREATE |INSERT |DROP )"),
}
_PASSWD = _has(rb"^root:[^:]*:0:0:")
_UP = (
    "/..%2f..%2f..%2f..%2f..%2f..%2f",
    "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/",
    "/../../../../../../",
    "/..;/..;/..;/..;/",
)
_ASIDE = ("../", "..%2f", "/../", "/%2e%2e/", "/..%00/")
_BESIDE = ("app.py", ".env", "settings.py")
_COMMON = "/static"
_ALIAS = "nginx: end location and alias both with a slash, or use root; best serve nothing but a folder of public files"
_KEEP = "keep it out of the folder that is served, and refuse names with a leading dot"
_STATIC = (
    "[static] names folders of public files only: Portico never sends dotfiles, source or databases from them"
)


def file_findings(look: Look) -> Iterator[Finding]:
    """Each by its content: a site that answers every path with a page has none of them."""
    found = list(_named(look))
    yield from found
    if not found:
        yield look.ok(f"{len(FILES)} files that are often left open are not there", "url-files")


def _named(look: Look) -> Iterator[Finding]:
    for path, sign in FILES.items():
        if _is(look.client.get(path), sign):
            yield look.fault(path, "anybody can read it", _KEEP, "url-files", _STATIC)


def traversal_findings(look: Look) -> Iterator[Finding]:
    found = [*_out(look), *_aside(look)]
    yield from found
    if not found:
        folders = ", ".join(folders_of(look))
        yield look.ok(f"no spelling of .. leads out of {folders}", "url-traversal")


def folders_of(look: Look) -> list[str]:
    """Where the page has its files, and where most sites have them."""
    paths = [own_path(link, look.target) for link in links(look.page)]
    found = [
        path.rpartition("/")[0]
        for path in paths
        if re.search(r"\.(?:css|js|png|svg|ico|jpe?g|webp)(?:\?|$)", path)
    ]
    first = ["/" + folder.split("/")[1] for folder in found if folder]
    return list(dict.fromkeys([*first, _COMMON]))[:2]


def _out(look: Look) -> Iterator[Finding]:
    for folder in folders_of(look):
        for up in _UP:
            path = f"{folder}{up}etc/passwd"
            if _is(look.client.get(path), _PASSWD):
                what = "anybody can read every file that the server's user can"
                yield look.fault(path, what, _ALIAS, "url-traversal", _STATIC)
                return


def _aside(look: Look) -> Iterator[Finding]:
    """Files beside the folder: `location /static` with `alias /srv/app/static/` leads there by /static../."""
    for folder in folders_of(look):
        for aside in _ASIDE:
            for name in _BESIDE:
                sign = _SETTINGS if name == ".env" else _CODE
                if _is(look.client.get(f"{folder}{aside}{name}"), sign):
                    what = "anybody can read the files beside the folder, with source and secrets"
                    yield look.fault(f"{folder}{aside}{name}", what, _ALIAS, "url-traversal", _STATIC)
                    return


def _is(answer: Answer, sign: Sign) -> bool:
    return answer.status == 200 and not answer.is_html and sign(answer.body)
