"""Loads the app inside this process as Gunicorn will, and explains a failure."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from portico.link.app.error import AppError, nearest
from portico.link.app.find.attribute import resolve
from portico.link.app.find.find import Target, find, modules_in
from portico.link.app.find.foreign import DASH, refuse_foreign
from portico.link.app.objects import is_a

_HIDEABLE = ("flask", "django", "pyramid", "werkzeug", "jinja2", "gunicorn")


class Loaded(NamedTuple):
    """An app in this process. `uri` is `module:attribute` or `module:factory()`, as Gunicorn takes it."""

    uri: str
    directory: Path
    application: Any


def load(reference: str, directory: Path) -> Loaded:
    """Imports the app that `reference` means in `directory`; empty means: find it.

    Changes to the import directory and puts it first on the import path, as the server will. Raises AppError.
    """
    target = find(reference, directory)
    _enter(target.directory)
    module = _import(target)
    expression, application = resolve(module, target)
    uri = f"{target.module}:{expression}"
    refuse_foreign(uri, application)
    if is_a(application, DASH):
        return _server_of(uri, module, target, application)
    return Loaded(uri, target.directory, application)


def server(reference: str) -> Any:
    """The server object of what `reference` means, for a server that accepts no dotted name."""
    return load(reference, Path.cwd()).application


def _server_of(uri: str, module: ModuleType, target: Target, dash: Any) -> Loaded:
    """A Dash object is not an app: its `server` is, which most modules also define under that name."""
    name = next((name for name, thing in vars(module).items() if thing is dash.server), "")
    uri = f"{target.module}:{name}" if name else f"{__name__}:server({uri!r})"
    return Loaded(uri, target.directory, dash.server)


def _enter(directory: Path) -> None:
    os.chdir(directory)
    if sys.path[:1] != [str(directory)]:
        sys.path.insert(0, str(directory))


def _import(target: Target) -> ModuleType:
    if not all(target.module.split(".")):
        what = f"'{target.module}' is not the name of a module"
        raise AppError(target.reference, what, "expected module:attribute, like shop:app")
    try:
        module = importlib.import_module(target.module)
    except BaseException as error:  # noqa: BLE001  whatever an app does at import is its author's to see
        raise _import_error(target, error) from None
    _refuse_hidden(module, target)
    return module


def _import_error(target: Target, error: BaseException) -> AppError:
    from portico.link.app.frames import has_own_frames, own_traceback

    if isinstance(error, ModuleNotFoundError) and not has_own_frames(error):
        return _no_module(target, error)
    what, hint = _what_and_hint(target, error)
    return AppError(target.module, what, hint, own_traceback(error), is_import=True)


def _no_module(target: Target, error: ModuleNotFoundError) -> AppError:
    package, _, last = target.module.rpartition(".")
    if "is not a package" in str(error):
        hint = f"did you mean '{package}:{last}'?"
        return AppError(target.reference, f"'{package}' is a module, not a package", hint)
    what = f"there is no module '{target.module}' in {target.directory}, and none is installed"
    hint = _nearest_module(target, target.module, f":{target.expression}" if target.expression else "")
    return AppError(target.reference, what, hint or f"give its path: portico run path/to/{last}.py")


def _nearest_module(target: Target, name: str, rest: str = "") -> str:
    package, _, last = name.rpartition(".")
    where = target.directory.joinpath(*package.split(".")) if package else target.directory
    shown = f"{package}.{{}}{rest}" if package else f"{{}}{rest}"
    return nearest(last, modules_in(where), f"modules in {where}", shown)


def _what_and_hint(target: Target, error: BaseException) -> tuple[str, str]:
    if isinstance(error, SystemExit):
        return (
            f"the app asked to exit while it was imported: sys.exit({error.code!r})",
            "put the code of a command line under: if __name__ == '__main__'",
        )
    if isinstance(error, ModuleNotFoundError) and error.name:
        return "the app could not be imported", _missing_hint(target, error.name)
    if isinstance(error, KeyError) and _asked_environment(error):
        name = str(error.args[0])
        return (
            f"the app asks for the environment variable {name}, which is not set",
            "set it in a file of env_file, or in [env] if it is no secret (docs/environment.md)",
        )
    return "the app could not be imported", _hiding_hint(target)


def _asked_environment(error: KeyError) -> bool:
    """Whether it was raised by `os.environ[...]`."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__") == "os"


def _missing_hint(target: Target, name: str) -> str:
    if name.partition(".")[0] in modules_in(target.directory):
        return _nearest_module(target, name)
    return f"install the package of '{name}' in the environment that runs the app"


def _hiding_hint(target: Target) -> str:
    """A file called flask.py shadows the package that it wants to import."""
    top = target.module.partition(".")[0].lower()
    return f"your {top}.py hides the package '{top}': give it another name" if top in _HIDEABLE else ""


def _refuse_hidden(module: ModuleType, target: Target) -> None:
    """A file called types.py or code.py is never imported: Python's own module wins."""
    wanted = target.directory.joinpath(*target.module.split("."))
    wanted = wanted.with_name(f"{wanted.name}.py")
    found = getattr(module, "__file__", None)
    if wanted.is_file() and not (found and Path(found).is_relative_to(target.directory)):
        what = f"'{target.module}' is not your file but a module of Python's own"
        raise AppError(target.reference, what, f"give {wanted.name} another name")
