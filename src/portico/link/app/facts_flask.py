"""What a Flask app says about itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flask
from werkzeug.routing.rules import parse_converter_args

from portico.link.app.notes import lost, notes_of
from portico.link.app.statics_flask import max_age, version_arguments
from portico.link.app.version import version_of
from portico.site.pattern import pattern
from portico.site.pattern import rank as pattern_rank

if TYPE_CHECKING:
    from werkzeug.routing import Rule

_FILENAME = "<path:filename>"
_FLASK = Path(str(flask.__file__)).parent

Owner = flask.Flask | flask.Blueprint


def facts(app: flask.Flask) -> dict[str, Any]:
    """The part of AppFacts a Flask app can give."""
    notes: list[str] = []
    static = [folder for rule in app.url_map.iter_rules() for folder in _static(app, rule, notes)]
    return {
        "kind": "flask",
        "version": version_of("flask", flask.__file__),
        "static": sorted(static, key=lambda folder: folder["url"]),
        "static_versions": version_arguments(app),
        "static_max_age": max_age(app),
        "max_content_length": app.config.get("MAX_CONTENT_LENGTH"),
        "downloads": _downloads(app),
        "application_root": app.config.get("APPLICATION_ROOT") or "/",
        "routes": sorted(_routes(app), key=_by_rule),
        "lost": lost(app.view_functions.values()),
        "notes": notes,
    }


def _static(app: flask.Flask, rule: Rule, notes: list[str]) -> Iterator[dict[str, str]]:
    """The folder behind a static rule, or a note when nginx must not or cannot serve it."""
    owner = _owner(app, rule.endpoint)
    if owner is None or not owner.static_folder:
        return
    origin = _origin(app, owner)
    problem = _why_not(app, owner, rule)
    if problem:
        notes.append(f"{origin} is left to the app: {problem}")
    elif Path(owner.static_folder).is_dir():
        folder = str(Path(owner.static_folder).absolute())
        yield {"url": rule.rule.removesuffix(_FILENAME), "folder": folder, "origin": origin}
    elif not _is_default(owner):
        notes.append(f"{origin} does not exist: {owner.static_folder}")


def _downloads(app: flask.Flask) -> dict[str, str]:
    """Where Flask's documentation tells people to keep what they send later."""
    said = {app.instance_path: "the app's instance folder"}
    uploads = app.config.get("UPLOAD_FOLDER")
    if isinstance(uploads, str | Path) and uploads:
        said[str(Path(uploads).absolute())] = "the app's UPLOAD_FOLDER"
    return {path: origin for path, origin in said.items() if Path(path).is_dir() and path != "/"}


def _owner(app: flask.Flask, endpoint: str) -> Owner | None:
    if endpoint == "static":
        return app
    found = app.blueprints.get(endpoint.removesuffix(".static")) if endpoint.endswith(".static") else None
    return found if isinstance(found, flask.Blueprint) else None


def _origin(app: flask.Flask, owner: Owner) -> str:
    if isinstance(owner, flask.Flask):
        return "the app's static folder"
    name = next(name for name, blueprint in app.blueprints.items() if blueprint is owner)
    return f"static folder of blueprint '{name}'"


def _why_not(app: flask.Flask, owner: Owner, rule: Rule) -> str:
    if rule.host or rule.subdomain:
        return f"it answers on one host only ({rule.host or rule.subdomain})"
    prefix = rule.rule.removesuffix(_FILENAME)
    if prefix == rule.rule or not prefix.endswith("/") or "<" in prefix:
        return f"its URL is a pattern ({rule.rule})"
    if prefix == "/":
        return "its URL is the whole site (/), and the app's own pages come first"
    if not _is_plain(app.view_functions[rule.endpoint], owner):
        return "its view is not Flask's own and may decide who sees a file"
    return ""


def _is_plain(view: Any, owner: Owner) -> bool:
    """True for Flask's own view of static files; a decorated or replaced one may ask for a login."""
    return all(_is_flasks(function) for function in (view, owner.send_static_file))


def _is_flasks(function: Any) -> bool:
    code = getattr(function, "__code__", None)
    return code is not None and Path(code.co_filename).is_relative_to(_FLASK)


def _is_default(owner: Owner) -> bool:
    """Flask gives every app a folder called static; that it is not there means nothing."""
    return isinstance(owner, flask.Flask) and owner.static_folder == str(Path(owner.root_path) / "static")


def _routes(app: flask.Flask) -> Iterator[dict[str, Any]]:
    for number, rule in enumerate(_tried(list(app.url_map.iter_rules()))):
        yield _route(app, rule) | {"rank": number}


def _tried(rules: list[Rule]) -> list[Rule]:
    """In the order in which Werkzeug tries them: part by part, fixed ones first, then by weights that it keeps to
    itself, and that converters of the app's own may have.
    """
    try:
        return sorted(rules, key=lambda rule: [(not part.static, part.weight) for part in rule._parts])
    except (AttributeError, TypeError):  # another Werkzeug
        return sorted(rules, key=lambda rule: pattern_rank(rule.rule))


def _route(app: flask.Flask, rule: Rule) -> dict[str, Any]:
    return {
        "rule": rule.rule,
        "methods": sorted(_methods(rule)),
        "endpoint": str(rule.endpoint),
        "websocket": rule.websocket,
        "pattern": _pattern(rule),
        **notes_of(app.view_functions.get(rule.endpoint)),
    }


def _pattern(rule: Rule) -> str:
    """The rule as a regular expression; none where the host decides too, or a converter has no pattern."""
    if rule.host or rule.subdomain:
        return ""

    def converter(name: str, arguments: str) -> str:
        positional, named = parse_converter_args(arguments)
        return str(rule.get_converter("", name, positional, named).regex)

    try:
        made = pattern(rule.rule, converter)
        return made if rule.strict_slashes or made == "/" else f"{made.removesuffix('/')}/?"
    except (ValueError, LookupError, AttributeError, TypeError):
        return ""


def _by_rule(route: dict[str, Any]) -> tuple[str, list[str], str]:
    return route["rule"], route["methods"], route["endpoint"]


def _methods(rule: Rule) -> set[str]:
    """What the app's author wrote: without the HEAD and OPTIONS that Werkzeug and Flask add."""
    methods = set(rule.methods or ())
    if "GET" in methods:
        methods.discard("HEAD")
    if getattr(rule, "provide_automatic_options", False):
        methods.discard("OPTIONS")
    return methods
