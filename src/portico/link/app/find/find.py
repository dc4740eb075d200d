"""Finds the app from the user's words, or as the flask command does. Nothing is imported."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from portico.link.app import paste
from portico.link.app.error import AppError, listed, nearest
from portico.link.app.find.django import django_application
from portico.link.app.find.gunicorn_file import gunicorn_file
from portico.link.app.find.named import Named, named

_CONVENTIONAL = ("wsgi", "app")  # flask.cli.ScriptInfo.load_app
_FOLDERS = ("app", "src", "backend", "server", "api")
"""Folders that contain a repository's Python code beside other things; searched in this order."""
_ENTRANCES = ("wsgi", "app", "main", "asgi", "server")
"""Module names in such a folder."""
_DEFINES_AN_APP = re.compile(
    rb"\b(?:Flask|APIFlask|OpenAPI|Quart|FastAPI|Starlette|Litestar|Sanic|Bottle|default_app|Dash|WsgiDAVApp)\("
    rb"|\b(?:falcon|falcon\.asgi|web|tornado\.web|cherrypy)\.(?:App|API|Application)\(|\bcherrypy\.tree\.mount\("
    rb"|^\w+\s*=.*\b(?:make_wsgi_app|get_wsgi_application|get_asgi_application)\(\)"
    rb"|^def (?:create_app|make_app)\(",
    re.MULTILINE,
)
_NOT_AN_APP = re.compile(r"test_.*|.*_test|tests|conftest|setup|manage")
_FLASK_APP = re.compile(r"^\s*(?:export\s+)?FLASK_APP\s*=\s*(['\"]?)(.+?)\1\s*$", re.MULTILINE)
_SEARCHED = """\
searched: FLASK_APP, Procfile, Dockerfile, gunicorn.conf.py, wsgi.py, app.py, Django's manage.py, production.ini,
every .py file and package for Flask( or create_app; then the same in app, src, backend, server and api
name it: portico run module:app, or app = "module:app" in portico.toml"""

_PATHS = "a path to the app starts at the directory portico runs in"


class Target(NamedTuple):
    """A module to import and the object in it.

    `directory` is absolute and goes first on the import path; an empty `expression` means: search for it.
    """

    reference: str
    directory: Path
    module: str
    expression: str = ""


def find(reference: str, directory: Path) -> Target:
    """The target of `reference` (`module:attribute`, a path, or nothing), relative to `directory`."""
    directory = _normal(directory)
    if not reference:
        return _search(directory)
    name, _, expression = reference.partition(":")
    return _locate(reference, directory, name.strip(), expression.strip())


def modules_in(directory: Path) -> list[str]:
    """Names of the modules and packages that can be imported from `directory`."""
    return sorted({_module_name(file) for file in _sources(directory)})


def _normal(path: Path) -> Path:
    # Not resolve(): a link to the current release must keep meaning the current release.
    return Path(os.path.normpath(path.absolute()))


def _locate(reference: str, directory: Path, name: str, expression: str) -> Target:
    path = _normal(directory / name)
    if path.is_dir() and not _is_module(path):
        return _search(path)._replace(expression=expression) if expression else _search(path)
    if name.endswith(".ini"):
        return _described(reference, path, expression)
    if name.endswith(".py") or "/" in name:
        return _file(reference, path, expression)
    return Target(reference, directory, name, expression)


def _described(reference: str, path: Path, section: str) -> Target:
    """The app of a PasteDeploy file. The path stays relative, so that it means the same in another release."""
    if not path.is_file():
        raise _no_file(reference, path)
    words = f"{path.name!r}, {section!r}" if section else f"{path.name!r}"
    return Target(reference, path.parent, paste.MODULE, f"app({words})")


def _is_module(path: Path) -> bool:
    return (path / "__init__.py").is_file() or _as_source(path).is_file()


def _as_source(path: Path) -> Path:
    return path.with_name(f"{path.name}.py")


def _file(reference: str, path: Path, expression: str) -> Target:
    """The module of a file, with the packages around it (flask.cli.prepare_import)."""
    if not path.exists() and not _as_source(path).is_file():
        raise _no_file(reference, path)
    path = path.with_suffix("") if path.suffix == ".py" else path
    path = path.parent if path.name == "__init__" else path
    parts = [path.name]
    while (path.parent / "__init__.py").is_file():
        path = path.parent
        parts.insert(0, path.name)
    return Target(reference, path.parent, ".".join(parts), expression)


def _no_file(reference: str, path: Path) -> AppError:
    if not path.parent.is_dir():
        return _no_directory(reference, path.parent)
    names = [file.name for file in sorted(path.parent.glob("*.py"))]
    return AppError(
        reference, f"there is no file {path}", nearest(path.name, names, f"{path.parent} has") or _PATHS
    )


def _no_directory(reference: str, path: Path) -> AppError:
    names = [file.name for file in sorted(path.parent.glob("*/"))] if path.parent.is_dir() else []
    hint = nearest(path.name, names, f"directories in {path.parent}") or _PATHS
    return AppError(reference, f"there is no directory {path}", hint)


# No reference given ----------------------------------------------------------------------------------------


def _search(directory: Path) -> Target:
    if not directory.is_dir():
        raise _no_directory(str(directory), directory)
    for look in (
        _in_environment,
        _named,
        _conventional,
        _django,
        _pasted,
        _only_candidate,
        _below,
        _refuse_unsure,
    ):
        if found := look(directory):
            return found
    raise AppError(str(directory), "no app found here", _SEARCHED)


def _in_environment(directory: Path) -> Target | None:
    reference = os.environ.get("FLASK_APP") or _in_dotenv(directory)
    if not reference:
        return None
    try:
        return find(reference, directory)._replace(reference=f"FLASK_APP={reference}")
    except AppError as error:
        error.where = f"FLASK_APP={reference}"
        raise


def _in_dotenv(directory: Path) -> str:
    """FLASK_APP from the files that the flask command reads if python-dotenv is installed."""
    for name in (".env", ".flaskenv"):
        file = directory / name
        if file.is_file() and (match := _FLASK_APP.search(_text(file))):
            return match[2]
    return ""


def _named(directory: Path) -> Target | None:
    """The app that files for other servers name, if it exists."""
    name, settings = gunicorn_file(directory)
    own = settings.get("wsgi_app")
    said = [Named(name, own, str(settings.get("chdir") or "."))] if isinstance(own, str) else []
    for each in (*named(directory), *said):
        folder = _normal(directory / each.folder)
        module = each.reference.partition(":")[0]
        file = folder / module if module.endswith(".py") else folder.joinpath(*module.split("."))
        if each.is_script and not (file.is_file() and _is_script_of_an_app(file)):
            continue
        if file.is_file() or _is_module(file):
            return find(each.reference, folder)._replace(reference=f"{each.where}: {each.reference}")
    return None


def _conventional(directory: Path) -> Target | None:
    for name in _CONVENTIONAL:
        if (directory / f"{name}.py").is_file():
            return Target(f"{name}.py", directory, name)
    return None


def _only_candidate(directory: Path) -> Target | None:
    names = sorted({_module_name(file) for file in _sources(directory) if _defines_an_app(file)})
    if len(names) > 1:
        what = f"{len(names)} modules here define an app: {listed(names)}"
        raise AppError(str(directory), what, f"say which: portico run {names[0]}")
    return Target(names[0], directory, names[0]) if names else None


def _django(directory: Path) -> Target | None:
    found = django_application(directory)
    return Target("manage.py", directory, *found) if found else None


def _pasted(directory: Path) -> Target | None:
    name = paste.described(directory)
    return _described(name, directory / name, "") if name else None


def _refuse_unsure(directory: Path) -> None:
    """Raises AppError if only development files describe the app."""
    paste.refuse_unsure(directory)


def _below(directory: Path) -> Target | None:
    folders = (directory / name for name in _FOLDERS if (directory / name).is_dir())
    return next((found for folder in folders if (found := _in_folder(folder))), None)


def _in_folder(folder: Path) -> Target | None:
    for stem in _ENTRANCES:
        file = folder / f"{stem}.py"
        if file.is_file() and (stem in ("wsgi", "asgi") or _defines_an_app(file)):
            return _entrance(file)
    for look in (_named, _django, _pasted, _only_candidate):
        if found := look(folder):
            return found
    inner = folder / "app"
    return _in_folder(inner) if inner.is_dir() else None


def _entrance(file: Path) -> Target:
    """`app.main` relative to the project if it is part of the package `app`, else `main` relative to its own folder."""
    folder = file.parent
    relative = re.compile(rf"^\s*(?:from \.|(?:from|import) {re.escape(folder.name)}\b)", re.MULTILINE)
    is_package = (folder / "__init__.py").is_file() or relative.search(_text(file))
    where, module = (folder.parent, f"{folder.name}.{file.stem}") if is_package else (folder, file.stem)
    return Target(f"{folder.name}/{file.name}", where, module)


def _sources(directory: Path) -> Iterator[Path]:
    yield from (file for file in directory.glob("*.py") if file.name != "__init__.py")
    yield from directory.glob("*/__init__.py")


def _module_name(file: Path) -> str:
    return file.parent.name if file.name == "__init__.py" else file.stem


def _defines_an_app(file: Path) -> bool:
    return not _NOT_AN_APP.fullmatch(_module_name(file)) and bool(_DEFINES_AN_APP.search(file.read_bytes()))


def _is_script_of_an_app(file: Path) -> bool:
    return not _NOT_AN_APP.fullmatch(file.stem) and (
        _defines_an_app(file) or bool(re.search(r"\bimport\s+(?:app|application|create_app)\b", _text(file)))
    )


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")
