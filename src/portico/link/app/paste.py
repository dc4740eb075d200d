"""The app that a PasteDeploy file (`production.ini`) describes, as pserve makes it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from portico.link.app.error import AppError

MODULE = "portico.link.app.paste"
_DESCRIBES = re.compile(r"^\[(?:app|composite|pipeline|application):main\]", re.MULTILINE)
_PREFERRED = ("production.ini", "prod.ini")
_NOT_FOR_VISITORS = re.compile(r"dev|test|local|example|sample")


def described(directory: Path) -> str:
    """The production file of `directory`; empty if there is none, or if it is ambiguous."""
    found = _all(directory)
    usual = [name for name in found if not _NOT_FOR_VISITORS.search(name)]
    only = usual[0] if len(usual) == 1 else ""
    return next((name for name in _PREFERRED if name in found), only)


def refuse_unsure(directory: Path) -> None:
    """Raises AppError if files describe an app and none of them is for production."""
    if found := _all(directory):
        what = f"its app is described in {', '.join(found)}, and in no production.ini"
        raise AppError(str(directory), what, f"say which: portico run {found[0]}")


def _all(directory: Path) -> list[str]:
    return [file.name for file in sorted(directory.glob("*.ini")) if _describes(file)]


def _describes(file: Path) -> bool:
    try:
        return file.is_file() and bool(_DESCRIBES.search(file.read_text(encoding="utf-8", errors="replace")))
    except OSError:
        return False  # a file that the app's user may not read does not count


def app(path: str, name: str = "main") -> Any:
    """The app of section `name` of the file, with logging set up as the file says. Raises AppError."""
    file = Path(path).absolute()
    try:
        return _made(str(file), name)
    except LookupError as error:
        hint = "install the project where Portico runs: pip install -e ."
        raise AppError(path, f"the app that it names is not there: {error}", hint) from error
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("plaster", "paste"):
            raise
        raise AppError(
            path, "what reads PasteDeploy files is not installed", "pip install PasteDeploy"
        ) from error


def _made(path: str, name: str) -> Any:
    try:
        from plaster import get_loader
    except ModuleNotFoundError:
        from paste.deploy import loadapp

        return loadapp(f"config:{path}", name)
    loader = get_loader(path, protocols=["wsgi"])
    loader.setup_logging()
    return loader.get_wsgi_app(name)
