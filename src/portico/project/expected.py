"""The app's expected answers: those of the last time, or a guess from the text of its module."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from pathlib import Path

import msgspec

from portico import atomic
from portico.place import untrusted
from portico.reading import Reader
from portico.site.facts import AppFacts
from portico.site.guess import guess
from portico.values import AppRef

_NAME = "facts.json"


class _Saved(msgspec.Struct):
    """The app's answers, and its reference at that time."""

    app: str
    directory: str
    facts: AppFacts


def keep(state: str, app: AppRef | None, directory: str, facts: AppFacts) -> None:
    """Stores the answers for the next start, in Portico's own directory."""
    with suppress(OSError, ValueError):  # a directory whose name is not UTF-8 cannot be JSON
        atomic.write(Path(state, _NAME), msgspec.json.encode(_Saved(str(app or ""), directory, facts)))


def expected(app: AppRef | None, directory: Path, state: str, reader: Reader) -> AppFacts | None:
    """The expected answers of the app in `directory`; None if nothing is known."""
    return _saved(app, str(directory), state) or _guessed(app, directory, reader)


def moved(facts: AppFacts, directory: str, release: str) -> AppFacts:
    """The answers of a release, as the same app gives them in another directory."""
    before, after = (json.dumps(one, ensure_ascii=False)[1:-1] for one in (directory, release))
    try:
        text = msgspec.json.encode(facts).decode()
    except ValueError:  # a directory whose name is not UTF-8
        return facts
    text = re.sub(f'"{re.escape(before)}(?=["/])', lambda _: f'"{after}', text)
    return msgspec.json.decode(text, type=AppFacts)


def _saved(app: AppRef | None, directory: str, state: str) -> AppFacts | None:
    try:
        saved = untrusted.own(Path(state, _NAME), _Saved)
    except (OSError, ValueError):
        return None
    if saved.app != str(app or ""):
        return None
    return saved.facts if saved.directory == directory else moved(saved.facts, saved.directory, directory)


def _guessed(app: AppRef | None, directory: Path, reader: Reader) -> AppFacts | None:
    try:
        file, home, module = _module(app, directory)
        if file is None:
            return None
        found = guess(reader.text(file), f"{app.attribute}{app.call}" if app else "")
    except (OSError, UnicodeDecodeError):
        return None
    return AppFacts(f"{module}:{found.expression}", str(home), kind=found.kind) if found else None


def _module(app: AppRef | None, directory: Path) -> tuple[Path | None, Path, str]:
    """The file, the directory it is imported from, and its name as a module."""
    nothing = (None, directory, "")
    if app is None:
        if os.environ.get("FLASK_APP") or any((directory / name).exists() for name in (".env", ".flaskenv")):
            return nothing
        names = [name for name in ("wsgi", "app") if (directory / f"{name}.py").is_file()]
        return (directory / f"{names[0]}.py", directory, names[0]) if names else nothing
    if app.is_file:
        path = Path(os.path.normpath(directory / app.module))
        is_plain = path.suffix == ".py" and path.is_file() and not (path.parent / "__init__.py").exists()
        return (path, path.parent, path.stem) if is_plain else nothing
    base = directory.joinpath(*app.module.split("."))
    files = [file for file in (base.with_name(f"{base.name}.py"), base / "__init__.py") if file.is_file()]
    return (files[0], directory, app.module) if len(files) == 1 else nothing
