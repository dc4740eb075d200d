"""Options and facts become a Site: paths become absolute, the user's own files are read."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from portico.errors import Problem, UsageError
from portico.reading import OURS, Reader, as_user
from portico.site.access.rules import access_rules
from portico.site.crawlers import crawler_networks
from portico.site.environment import environment
from portico.site.error_pages import PAGE_NAMES, PAGES, is_page_like, wrong_pages
from portico.site.facts import AppFacts, StaticFolder
from portico.site.front.front import at_root, with_manifests
from portico.site.model import Root, Routed, Site
from portico.site.options import Options
from portico.site.options.https import HTTPS_FILES
from portico.site.own.tables import table_of
from portico.site.routed import routed
from portico.site.routing import RouteRule, ToFolder, ToPage, by_rank, rule

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e]*")
_SHORTEST_PASSWORD = 12
"""Wrong passwords are answered at once, so they can be tried quickly: only the length protects."""


def resolve(
    options: Options,
    facts: AppFacts,
    directory: Path,
    causes: Mapping[str, str],
    reader: Reader = OURS,
) -> Site:
    """The Site in `directory`. Raises UsageError with every path that cannot be read.

    `reader` is the user whose rights apply to the files that the options name.
    """
    problems = [
        *_named_files(options, directory, causes, reader),
        *_headers_file(options, directory, causes, reader),
    ]
    rules = tuple(_rules(options, directory, causes, problems, reader))
    pages = dict(_pages(options, directory, causes, problems, reader))
    with_settings = _routed(options, facts, causes, problems)
    site = Site(
        options=options,
        facts=facts,
        directory=str(directory.absolute()),
        name=options.name or site_name(directory),
        causes=causes,
        declared=(
            *_declared(options, facts, directory, causes, problems, reader),
            *_folders(rules, facts, directory, problems, reader),
        ),
        rules=by_rank(rules),
        pages={name: text for name, text in pages.items() if name in PAGES},
        unused_pages=tuple(sorted(pages.keys() - PAGES)),
        own=table_of(options).read(options, directory.absolute(), causes, reader, problems),
        roots=tuple(_roots(options, facts, directory, causes, problems)),
        password_file=_password_file(
            "dashboard", options.dashboard.password_file, directory, causes, problems, reader
        ),
        metrics_password_file=_password_file(
            "metrics", options.metrics.password_file, directory, causes, problems, reader
        ),
        routed=with_settings,
        crawler_networks=crawler_networks(options.crawlers, directory, causes, reader, problems),
        environment=environment(options, directory, causes, reader, problems),
        access=()
        if options.node.socket
        else access_rules(options, with_settings, facts, directory, causes, reader, problems),
        reader=reader,
    )
    site = at_root(site, _spa(options, facts, directory, causes, problems, reader))
    if problems:
        raise UsageError(*problems)
    return as_user(reader.user, lambda: with_manifests(site))


def _routed(
    options: Options, facts: AppFacts, causes: Mapping[str, str], problems: list[Problem]
) -> tuple[Routed, ...]:
    try:
        return routed(options, facts, causes)
    except UsageError as error:
        problems += error.problems
        return ()


def _password_file(
    section: str,
    wanted: str,
    directory: Path,
    causes: Mapping[str, str],
    problems: list[Problem],
    reader: Reader,
) -> str:
    if not wanted:
        return ""
    where = causes.get(f"{section}.password_file", f"{section}.password_file")
    path = directory / wanted
    text = _text(path, where, problems, reader)
    if text is not None and len(text.partition("\n")[0].strip()) < _SHORTEST_PASSWORD:
        what = f'the password in "{path}" can be guessed: its first line is short, or empty'
        hint = f"expected at least {_SHORTEST_PASSWORD} characters, such as: openssl rand -hex 16 > {path}"
        problems.append(Problem(where, what, hint))
    return str(path.absolute())


def _headers_file(
    options: Options, directory: Path, causes: Mapping[str, str], reader: Reader
) -> Iterator[Problem]:
    if not options.tracing.headers_file:
        return
    problems: list[Problem] = []
    where = causes.get("tracing.headers_file", "tracing.headers_file")
    path = directory / options.tracing.headers_file
    text = _text(path, where, problems, reader)
    yield from problems
    for number, line in enumerate((text or "").splitlines(), 1):
        if line.strip() and not _HEADER.fullmatch(line):
            yield Problem(where, f'"{path}", line {number}, is not a header', "expected Name: value")


def own_directory(directory: Path) -> Path:
    """The one path that identifies a site, however it is reached. Raises UsageError for a name that is not UTF-8.

    Links above the directory are followed. A link that is the directory itself stays: `current` remains the same site
    when a release is switched, and `portico reload` finds it.
    """
    path = directory.absolute()
    own = path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name
    try:
        str(own).encode()
    except UnicodeEncodeError:
        hint = "rename it: configuration files are written as UTF-8"
        raise UsageError(Problem("", f"the directory {str(own)!a} is not UTF-8", hint)) from None
    return own


def site_name(directory: Path) -> str:
    """A name made from the directory's, in characters that any file system and any shell accepts.

    A link named `current` (Capistrano's) points to a release: the site gets the name of the directory that contains
    it.
    """
    own = own_directory(directory)
    return word(own.parent.name if own.name == "current" and own.is_symlink() else own.name)


def word(text: str) -> str:
    """A text as the name of a site: accents are dropped; characters that a shell would not accept become a short
    hash.
    """
    plain = unicodedata.normalize("NFKD", text)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", "".join(c for c in plain if not unicodedata.combining(c)))
    if any(char.isalnum() and not char.isascii() for char in plain):
        name = f"{name.strip('-.')[:30] or 'site'}-{hashlib.sha256(text.encode()).hexdigest()[:4]}"
    return name.strip("-.")[:40] or "site"


def _declared(
    options: Options,
    facts: AppFacts,
    directory: Path,
    causes: Mapping[str, str],
    problems: list[Problem],
    reader: Reader,
) -> Iterator[StaticFolder]:
    where = causes.get("static", "static")
    for url, folder in options.static.items():
        try:
            path = _path(directory, folder)
            if not stat.S_ISDIR(path.stat().st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            _refuse_the_app_s(path, facts, directory)
        except (OSError, ValueError, RuntimeError) as error:
            what, hint = _why_not(error, directory / folder)
            problems.append(Problem(where, f'static: "{url}" = "{folder}": {what}', hint))
        else:
            yield StaticFolder(url, str(reader.real(path)), f"{where}: static")


def _folders(
    rules: Iterable[RouteRule], facts: AppFacts, directory: Path, problems: list[Problem], reader: Reader
) -> Iterator[StaticFolder]:
    """The folders of rules, which are served as those of [static]."""
    for one in rules:
        if isinstance(one.target, ToFolder):
            options = Options(static={f"{one.path.rstrip('/')}/": one.target.folder})
            where = one.cause.partition(": ")[0]
            yield from _declared(options, facts, directory, {"static": where}, problems, reader)


def _rules(
    options: Options, directory: Path, causes: Mapping[str, str], problems: list[Problem], reader: Reader
) -> Iterator[RouteRule]:
    for number, said in enumerate(options.route, 1):
        where = causes.get(f"route.{number}.to", "route")
        made = rule(number, said, f"{where}: route")
        if isinstance(made.target, ToPage) and made.target.file:
            text = _text(directory / made.target.file, where, problems, reader)
            made = replace(made, target=replace(made.target, text=text or ""))
        yield made


def _named_files(
    options: Options, directory: Path, causes: Mapping[str, str], reader: Reader
) -> Iterator[Problem]:
    """Files that cannot be read; `cert` and `key` of [https] are checked more closely when they are used."""
    named = {f"https.{name}": getattr(options.https, name) for name in HTTPS_FILES}
    if reader.user:
        named["upstream.ca"] = options.upstream.ca
    for name, text in named.items():
        path = directory / text
        try:
            reader.bytes(path) if text else b""
        except (OSError, ValueError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or str(error)
            what = f'{name}: "{text}" cannot be read{reader.as_whom(path)}: {why}'
            yield Problem(causes.get(name, name), what, "name a readable file")


def _spa(
    options: Options,
    facts: AppFacts,
    directory: Path,
    causes: Mapping[str, str],
    problems: list[Problem],
    reader: Reader,
) -> str:
    """The single-page app's directory, with an index.html in it, or None."""
    if not options.spa:
        return ""
    try:
        path = _path(directory, options.spa)
        _refuse_the_app_s(path, facts, directory)
        if stat.S_ISREG((path / "index.html").stat().st_mode):
            return str(reader.real(path))
        what, hint = "its index.html is not a file", "build the app, then start Portico"
    except FileNotFoundError:
        what, hint = (
            "there is no index.html in it",
            "build the app, or name the directory that the build writes",
        )
    except (OSError, ValueError, RuntimeError) as error:
        what, hint = _why_not(error, directory / options.spa)
    problems.append(Problem(causes.get("spa", "spa"), f'spa: "{options.spa}": {what}', hint))
    return ""


def _roots(
    options: Options, facts: AppFacts, directory: Path, causes: Mapping[str, str], problems: list[Problem]
) -> Iterator[Root]:
    """Real paths: the worker knows an open file by its real path."""
    if options.downloads.roots is None:
        said = {folder.folder: folder.origin for folder in facts.static}
        said |= {folder.folder: folder.origin for folder in facts.left} | facts.downloads
        found = {os.path.realpath(path): origin for path, origin in said.items() if Path(path).is_dir()}
        yield from (Root(path, origin) for path, origin in found.items())
        return
    where = causes.get("downloads.roots", "downloads.roots")
    for text in options.downloads.roots:
        try:
            path = _path(directory, text).resolve(strict=True)
            if not path.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        except (OSError, ValueError, RuntimeError) as error:
            what, hint = _why_not(error, directory / text)
            problems.append(Problem(where, f'downloads.roots: "{text}": {what}', hint))
        else:
            yield Root(str(path), f"{where}: downloads.roots", is_declared=True)


def _path(directory: Path, text: str) -> Path:
    """The path of a text in the configuration. Raises ValueError if it is not a valid path."""
    try:
        return directory / Path(text).expanduser()
    except RuntimeError:
        raise ValueError("there is no such user") from None


def _refuse_the_app_s(path: Path, facts: AppFacts, directory: Path) -> None:
    """Raises ValueError for a public folder that contains the app or portico.toml, and OSError."""
    published = path.resolve()
    if any(Path(own).resolve().is_relative_to(published) for own in (facts.directory, directory) if own):
        raise _PublishesTheAppError("it contains the app itself, with its settings and data")


class _PublishesTheAppError(ValueError):
    pass


def _why_not(error: OSError | ValueError | RuntimeError, path: Path) -> tuple[str, str]:
    if isinstance(error, FileNotFoundError):
        return "no such directory", f"create {path}, or name another"
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower(), "name a readable directory"
    if isinstance(error, _PublishesTheAppError):
        return str(error), "name the build's output directory, which contains only public files"
    return str(error), "name a directory that exists"


def _pages(
    options: Options, directory: Path, causes: Mapping[str, str], problems: list[Problem], reader: Reader
) -> Iterator[tuple[str, str]]:
    if not options.errors.pages:
        return
    where = causes.get("errors.pages", "errors.pages")
    try:
        folder = _path(directory, options.errors.pages)
        found = [folder / name for name in reader.names(folder) if is_page_like(name)]
    except (OSError, ValueError) as error:
        what, hint = _why_not(error, directory / options.errors.pages)
        problems.append(Problem(where, f'errors.pages: "{options.errors.pages}": {what}', hint))
        return
    problem = wrong_pages([path.name for path in found])
    if problem:
        problems.append(Problem(where, f'errors.pages: "{folder}" {problem}', PAGE_NAMES))
        return
    for path in found:
        text = _text(path, where, problems, reader) if path.name in PAGES else ""
        if text is not None:
            yield path.name, text


def _text(path: Path, where: str, problems: list[Problem], reader: Reader) -> str | None:
    try:
        return reader.text(path)
    except OSError as error:
        what = f'"{path}" cannot be read{reader.as_whom(path)}: {error.strerror}'
        problems.append(Problem(where, what, "name a file that exists and may be read"))
    except UnicodeDecodeError:
        problems.append(Problem(where, f'"{path}" is not UTF-8 text', "save it as UTF-8"))
    except ValueError as error:
        problems.append(Problem(where, f"{str(path)!r} cannot be read: {error}", "name a file that exists"))
    return None
