"""The facts of an app object, of any framework."""

from __future__ import annotations

import importlib
import inspect
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

from portico.link.app.facts.database import database
from portico.link.app.facts.mounts import is_dispatcher, mounted, moved, together, unread
from portico.link.app.facts.notes import lost
from portico.link.app.facts.remedy import remedy
from portico.link.app.facts.wrappers import Beside
from portico.link.app.find.gunicorn_file import gunicorn_notes
from portico.link.app.layers import layers
from portico.link.app.load import Loaded
from portico.link.app.patched import refuse_patched
from portico.link.app.risks import risks
from portico.link.app.risks.memory import memory
from portico.link.app.risks.one_process import one_process
from portico.link.app.risks.secret_keys import properties
from portico.link.app.settings.settings import settings
from portico.link.app.statics.asgi import as_wsgi
from portico.link.app.statics.stranger import Reached, settle

_FRAMEWORKS = {
    ("flask.app", "Flask"): "flask",
    ("django.core.handlers.wsgi", "WSGIHandler"): "django",
    ("pyramid.router", "Router"): "pyramid",
}
_OPEN = _FRAMEWORKS | {
    ("quart.app", "Quart"): "flask",
    ("django.core.handlers.asgi", "ASGIHandler"): "django",
    ("starlette.applications", "Starlette"): "starlette",
}
"""Frameworks whose settings are read: some have ASGI apps."""
_PLAIN = (
    "a plain WSGI app cannot be asked for its static folders and its upload limit: "
    "say them as [static] and max_upload in portico.toml"
)
_ANYHOW = Reached()
_ASGI = "this ASGI app cannot be asked for its static folders: say them as [static] in portico.toml"


def facts(loaded: Loaded, reached: Reached = _ANYHOW, salt: str = "") -> dict[str, Any]:
    """All fields of site.facts.AppFacts as plain JSON, in a stable order.

    Raises AppError for an app that no worker can run. With a `salt` also the properties of its secret keys
    (`secret_keys`).
    """
    refuse_patched(loaded.uri, loaded.directory, is_asgi=_is_asgi(loaded.application))
    exposed = _exposed(loaded, salt)  # before it gets requests for files: what runs now was started at import
    things = list({id(thing): thing for thing in layers(loaded.application)}.values())
    answers = _facts(loaded, reached) | exposed | _remedied(things, loaded) | database()
    return _processes(answers, things, loaded.directory)


def _processes(answers: dict[str, Any], things: list[Any], directory: Path) -> dict[str, Any]:
    """The facts, with the effects of several worker processes on this app."""
    inner = next((thing for thing in things if _asks_risks(thing)), None)
    single, found = dict[str, Any](), list[risks.Risk]()
    try:
        single = one_process(things, inner, directory)
        found = list(memory(inner, directory))
    except Exception:  # noqa: BLE001  an app that cannot be asked can still be served
        found = []
    notes = [*answers.get("notes", []), *single.pop("notes", []), *gunicorn_notes(directory)]
    routes = [*single.pop("routes", []), *answers.get("routes", [])]
    added = {"notes": notes, "routes": routes, "risks": [*answers.get("risks", []), *found]}
    return answers | single | {name: value for name, value in added.items() if value}


def _remedied(things: list[Any], loaded: Loaded) -> dict[str, Any]:
    try:
        return {"remedy": found} if (found := remedy(things, loaded.uri, loaded.directory)) else {}
    except Exception:  # noqa: BLE001  an app that cannot be asked can still be served
        return {}


def _exposed(loaded: Loaded, salt: str) -> dict[str, Any]:
    """The risks; none if the app's own code prevents the questions."""
    things = list({id(thing): thing for thing in layers(loaded.application)}.values())
    inner = next((thing for thing in things if _asks_risks(thing)), None)
    framework = _asks_risks(inner) if inner is not None else ""
    answers: dict[str, Any] = {}
    try:
        if found := risks.risks(things, framework, inner, loaded.directory):
            answers["risks"] = found
        if salt and (found_keys := risks.keys(framework, inner)):
            answers["secrets"] = properties(found_keys, loaded.directory, salt)
        if salt:
            answers["settings"] = settings(things, framework, inner, loaded.directory)
    except Exception as error:  # noqa: BLE001  an app that cannot be asked can still be served
        answers["risks"] = [risks.risk("unknown", f"could not be asked: {type(error).__name__}: {error}", "")]
    return answers


def _asks_risks(thing: Any) -> str:
    names = ((base.__module__, base.__name__) for base in type(thing).__mro__)
    return next((_OPEN[name] for name in names if name in _OPEN), "")


def _facts(loaded: Loaded, reached: Reached) -> dict[str, Any]:
    said = {
        "app": loaded.uri, "directory": str(loaded.directory), "unicode": unicodedata.unidata_version,
    }  # fmt: skip
    if _is_asgi(loaded.application):
        return said | _placed(_of_asgi(loaded.application, reached), f"{loaded.directory}/")
    parts, others = _parts(loaded.application)
    if not parts:
        plain = {"kind": "wsgi", "notes": [_PLAIN, *others], "lost": lost([])}
        return said | _placed(plain, f"{loaded.directory}/")
    answers = parts[0][1] if len(parts) == 1 else together(parts)
    kind = answers["kind"]
    answers = _unrouted(loaded.application, answers, lambda thing: _framework(thing) == kind)
    answers = settle(loaded.application, answers | {"notes": [*answers["notes"], *others]}, reached)
    return said | _placed(answers, f"{loaded.directory}/")


def _of_asgi(application: Any, reached: Reached) -> dict[str, Any]:
    inner = next((thing for thing in layers(application) if _asks_risks(thing) == "starlette"), None)
    if inner is None:
        return {"kind": "asgi", "notes": [_ASGI], "lost": lost([]), **_static_of_django(application)}
    answers = _asked("starlette", inner) | {"kind": "asgi"}
    answers = _unrouted(
        application, _noting_wrapper(application, inner, answers), lambda thing: thing is inner
    )
    return settle(as_wsgi(application), answers, reached)


def _unrouted(application: Any, answers: dict[str, Any], is_asked: Callable[[Any], bool]) -> dict[str, Any]:
    """The facts, with the code around the apps and beside them."""
    found = answers.get("unrouted")
    if not found:
        return answers
    beside = Beside()
    beside.look(application, is_asked)
    added = {"rules": [*found["rules"], *beside.rules], "answers": [*beside.answers, *found["answers"]]}
    return answers | {"unrouted": found | added}


def _static_of_django(application: Any) -> dict[str, Any]:
    """Under ASGI, too, nginx serves STATIC_ROOT, unless a view or WhiteNoise does."""
    if not any(type(thing).__module__.startswith(("django.", "channels.")) for thing in layers(application)):
        return {}
    answers = _asked("django", application)
    folders = [dict(folder) for folder in answers.get("static", []) if not folder.pop("is_guarded", True)]
    if _asks_risks(application) != "django":
        answers.pop("unrouted", None)  # code around it may change its paths
    kept = ("version", "notes", "unrouted", *(("routes", "lost") if answers.get("routes") else ()))
    return {"framework": "django", **{key: answers[key] for key in kept if key in answers}} | (
        {"static": folders} if folders else {}
    )


def _parts(application: Any) -> tuple[list[tuple[str, dict[str, Any]]], list[str]]:
    """The facts of each app under its prefix, and a note for each app of another framework than the last."""
    found = list(mounted(application, _framework))
    kind, parts, notes = _framework(found[-1][1]) if found else "", [], []
    for prefix, thing in found:
        if _framework(thing) != kind:
            notes.append(
                f"the {_framework(thing)} app at {prefix or '/'} was not asked, because the one beside it is {kind}: "
                "say its static folders and settings as [static] and [routes] in portico.toml"
            )
            continue
        answers = _noting_wrapper(application, thing, _asked(kind, thing))
        parts.append((prefix, moved(answers, prefix)))
        notes += unread(thing, answers.get("routes", []))
    return parts, notes


def _placed(answers: dict[str, Any], directory: str) -> dict[str, Any]:
    """The places of views, relative to the app's directory."""
    for route in answers.get("routes", []):
        if "where" in route:
            route["where"] = route["where"].removeprefix(directory)
    unreached = {place.removeprefix(directory): view for place, view in answers.get("lost", {}).items()}
    if unrouted := answers.get("unrouted"):
        unrouted["answers"] = [text.replace(f"({directory}", "(") for text in unrouted["answers"]]
        unrouted["page"] = unrouted["page"].replace(f"({directory}", "(")
    return answers | {"lost": unreached}


def _is_asgi(application: Any) -> bool:
    called = getattr(type(application), "__call__", None)  # noqa: B004  looked at, not tested for
    return inspect.iscoroutinefunction(application) or inspect.iscoroutinefunction(called)


def _framework(thing: Any) -> str:
    names = ((base.__module__, base.__name__) for base in type(thing).__mro__)
    return next((_FRAMEWORKS[name] for name in names if name in _FRAMEWORKS), "")


def _asked(framework: str, thing: Any) -> dict[str, Any]:
    try:
        answers: dict[str, Any] = importlib.import_module(f"portico.link.app.facts.{framework}").facts(thing)
    except Exception as error:  # noqa: BLE001  an app that cannot be asked can still be served
        notes = [f"the app could not be asked: {type(error).__name__}: {error}"]
        return {"kind": framework, "notes": notes, "lost": lost([])}
    return answers


def _noting_wrapper(outer: Any, inner: Any, answers: dict[str, Any]) -> dict[str, Any]:
    if outer is inner or inspect.ismethod(outer):
        return answers
    notes = list(answers["notes"])
    if not is_dispatcher(outer):
        notes.insert(
            0, f"the app is wrapped in {type(outer).__name__}: what that adds or mounts was not asked"
        )
    static = [{**folder, "is_guarded": True} for folder in answers.get("static", [])]
    return answers | {"notes": notes} | ({"static": static} if static else {})
