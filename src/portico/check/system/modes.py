"""Who else on this machine may read the site's secrets, change its code, or download its database?"""

from __future__ import annotations

import grp
import os
import pwd
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from portico.check.model import Finding, Mode, warning
from portico.place.model import Place
from portico.place.untrusted import content
from portico.site.model import Site
from portico.site.secrets import secret_files

_NAMES = rb"SECRET|PASSW|TOKEN|PRIVATE|API_?KEY|DATABASE_URL|DSN"
_SECRET = re.compile(rb"(?mi)^\s*(?:export\s+)?(\w*(?:%s)\w*)\s*=\s*\S" % _NAMES)
_MOST_FILES = 5000
_MOST_NAMED = 3
_LONGEST = 1 << 18


def mode_findings(site: Site, place: Place, databases: Mapping[str, str]) -> Iterator[Finding]:
    """`databases`: files that the app keeps its data in, and where it names them."""
    yield from _readable(site, place)
    yield from _writable(site, place)
    for path, named in databases.items():
        yield from _served(site, path, named)


def _readable(site: Site, place: Place) -> Iterator[Finding]:
    secrets = {**secret_files(site), **dict(_env_files(Path(site.directory)))}
    for path, what_it_is in secrets.items():
        if not _may_anybody(Path(path), stat.S_IROTH):
            continue
        what = f"any user of this machine can read {what_it_is}"
        if group := _group_to_let_in(Path(path), place):
            hint = f"chgrp {group} {path}, then chmod 640 {path}: the app reads it as '{place.app_user}'"
            yield warning(path, what, hint, "secret-mode")
        else:
            yield warning(path, what, f"chmod o-r {path}", "secret-mode", [Mode(path, "o-r")])


def _group_to_let_in(path: Path, place: Place) -> str:
    """The group of the app's user, who reads it as everybody does; empty where that user has rights of its own."""
    if not place.app_user:
        return ""
    user, found = pwd.getpwnam(place.app_user), path.stat()
    is_in_group = found.st_gid in os.getgrouplist(user.pw_name, user.pw_gid) and found.st_mode & stat.S_IRGRP
    return "" if found.st_uid == user.pw_uid or is_in_group else grp.getgrgid(user.pw_gid).gr_name


def _env_files(directory: Path) -> Iterator[tuple[str, str]]:
    """Those beside the app that hold a secret by its name; no value is shown."""
    for path in sorted(directory.glob(".env*"))[:20]:
        try:
            found = _SECRET.search(content(path, _LONGEST))
        except OSError:
            continue
        if found:
            yield str(path), found[1].decode("ascii", "replace")


def _may_anybody(path: Path, bit: int) -> bool:
    """Whether users who are nobody in particular may do that: the file's mode, and the way to it."""
    try:
        steps = [each.stat().st_mode for each in path.resolve().parents]
        return bool(path.stat().st_mode & bit) and all(mode & stat.S_IXOTH for mode in steps)
    except OSError:
        return False


def _writable(site: Site, place: Place) -> Iterator[Finding]:
    file = Path(site.origin if site.origin.endswith(".toml") else f"{site.directory}/portico.toml")
    if _may_anybody(file, stat.S_IWOTH):
        what = "any user of this machine can change what Portico does"
        yield warning(str(file), what, f"chmod o-w {file}", "code-mode", [Mode(str(file), "o-w")])
    found = [path for path in _code(site, place) if _may_anybody(path, stat.S_IWOTH) and not _is_shared(path)]
    if found:
        shown = ", ".join(map(str, found[:_MOST_NAMED])) + (
            f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
        )
        top = os.path.commonpath(found)
        fixes = [Mode(str(path), "o-w") for path in found]
        what = f"any user of this machine can change what the app runs: {shown}"
        yield warning(shown if len(found) == 1 else top, what, f"chmod -R o-w {top}", "code-mode", fixes)


def _is_shared(path: Path) -> bool:
    """A folder like /tmp, where everybody may write, and change what is one's own."""
    try:
        return bool(path.lstat().st_mode & stat.S_ISVTX)
    except OSError:
        return False


def _code(site: Site, place: Place) -> Iterator[Path]:
    """The app's own files and folders, and where its packages are. No link is followed.

    The app says where its module is; that counts below the site's folder alone.
    """
    count, where = 0, os.path.realpath(site.directory)
    own = os.path.realpath(site.facts.directory) if site.has_app else where
    for top, folders, files in os.walk(own if f"{own}/".startswith(f"{where}/") else where):
        folders[:] = [one for one in folders if one not in ("node_modules", ".git", "__pycache__")]
        yield Path(top)
        for name in files:
            if name.endswith((".py", ".so", ".html", ".jinja2", ".j2")) and not Path(top, name).is_symlink():
                yield Path(top, name)
        count += len(files) + 1
        if count > _MOST_FILES:
            break
    prefix = Path(place.runs_app).parent.parent
    yield from (prefix, prefix / "bin", *sorted(prefix.glob("lib/python3*/site-packages")))


def _served(site: Site, path: str, named: str) -> Iterator[Finding]:
    """A database in a folder whose files the gateway sends to anybody."""
    for folder in site.static:
        if not path.startswith(f"{folder.folder.rstrip('/')}/") or not Path(path).is_file():
            continue
        below = path[len(folder.folder.rstrip("/")) + 1 :]
        if not any(part.startswith(".") for part in below.split("/")):  # never sent
            url = f"{site.prefix}{folder.url}{below}"
            what = f"the database ({named}) is in a folder that the gateway serves: anybody downloads it at {url}"
            yield warning(path, what, f"move it out of {folder.folder}", "served-database")
