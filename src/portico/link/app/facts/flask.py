"""The facts of a Flask app."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flask
from werkzeug.routing.rules import parse_converter_args

from portico.link.app.facts.flask_own_code import is_guarded, is_plain
from portico.link.app.facts.flask_statics import max_age, version_arguments
from portico.link.app.facts.flask_unrouted import unrouted
from portico.link.app.facts.notes import combined, lost
from portico.link.app.facts.version import version_of
from portico.site.pattern import escape, pattern
from portico.site.pattern import rank as pattern_rank

if TYPE_CHECKING:
    from werkzeug.routing import Rule

_FILENAME = "<path:filename>"
_OWN_VIEW = "its view is not Flask's own and may decide who sees a file"

Owner = flask.Flask | flask.Blueprint


def facts(app: flask.Flask) -> dict[str, Any]:
    """The part of AppFacts that a Flask app can provide."""
    notes: list[str] = []
    left: list[dict[str, str]] = []
    rules = list(app.url_map.iter_rules())
    static = [folder for rule in rules for folder in _static(app, rule, notes, left)]
    life = max_age(app)
    return {
        "kind": "flask",
        "version": version_of("flask", flask.__file__),
        "static": sorted(static, key=lambda folder: folder["url"]),
        "left": sorted(left, key=lambda folder: folder["url"]),
        "never_kept": sorted({found for rule in rules if (found := _never_kept(app, rule))}),
        "static_versions": version_arguments(app),
        "static_max_age": life,
        "life": rf"(?:public, )?max-age={life}" if life else "no-cache",
        **_session_cookie(app),
        "hosts": _hosts(app),
        "max_content_length": app.config.get("MAX_CONTENT_LENGTH"),
        "downloads": _downloads(app),
        "routes": sorted(_routes(app), key=_by_rule),
        "unrouted": unrouted(app, list(_rules(rules))),
        "lost": lost(app.view_functions.values()),
        "notes": notes,
    }


def _static(
    app: flask.Flask, rule: Rule, notes: list[str], left: list[dict[str, str]]
) -> Iterator[dict[str, Any]]:
    """The folder of a static rule, or a note if nginx must not or cannot serve it."""
    owner = _owner(app, rule.endpoint)
    if owner is None or not owner.static_folder:
        return
    origin = _origin(app, owner)
    folder = {"url": rule.rule.removesuffix(_FILENAME), "folder": str(Path(owner.static_folder).absolute())}
    if problem := _why_not(rule):
        notes.append(f"{origin} is left to the app: {problem}")
    elif not is_plain(app.view_functions[rule.endpoint], owner):
        left.append(folder | {"origin": origin, "why": _OWN_VIEW})
    elif Path(owner.static_folder).is_dir():
        yield folder | {"origin": origin, "is_guarded": is_guarded(app, owner, rule.endpoint)}
    elif not _is_default(owner):
        notes.append(f"{origin} does not exist: {owner.static_folder}")


def _never_kept(app: flask.Flask, rule: Rule) -> str:
    """The pattern of a static rule that nginx cannot serve and that the app's own code may protect."""
    owner = _owner(app, rule.endpoint)
    if owner is None or not _why_not(rule):
        return ""
    is_open = is_plain(app.view_functions[rule.endpoint], owner) and not is_guarded(app, owner, rule.endpoint)
    return "" if is_open else _pattern(rule) or escape(rule.rule.partition("<")[0]) + ".*"


def _hosts(app: flask.Flask) -> list[str]:
    """Host names that the app expects, if it names any."""
    said = app.config.get("TRUSTED_HOSTS") or [app.config.get("SERVER_NAME")]
    return [name.lstrip(".") for name in said if isinstance(name, str) and name]


def _session_cookie(app: flask.Flask) -> dict[str, str]:
    name = app.config.get("SESSION_COOKIE_NAME", "session")
    return {"session_cookie": name} if isinstance(name, str) and name != "session" else {}


def _downloads(app: flask.Flask) -> dict[str, str]:
    """The directories that Flask's documentation suggests for files to be sent later."""
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


def _why_not(rule: Rule) -> str:
    if rule.host or rule.subdomain:
        return f"it answers on one host only ({rule.host or rule.subdomain})"
    prefix = rule.rule.removesuffix(_FILENAME)
    if prefix == rule.rule or not prefix.endswith("/") or "<" in prefix:
        return f"its URL is a pattern ({rule.rule})"
    return "its URL is the whole site (/), and the app's own pages come first" if prefix == "/" else ""


def _is_default(owner: Owner) -> bool:
    """Flask gives every app a folder called static; a missing one means nothing."""
    return isinstance(owner, flask.Flask) and owner.static_folder == str(Path(owner.root_path) / "static")


def _routes(app: flask.Flask) -> Iterator[dict[str, Any]]:
    for number, (rule, is_slashed) in enumerate(_tried(app)):
        entry = _route(rule) | {"rank": number}
        if is_slashed is not None and entry["pattern"]:
            entry["pattern"] = _strict(rule) + ("/" if is_slashed else "")
        for notes in combined([app.view_functions.get(rule.endpoint)]):
            yield entry | notes


def _rules(rules: list[Rule]) -> Iterator[dict[str, Any]]:
    """Every rule that Werkzeug matches, with all its methods; a WebSocket's rule answers others with 400."""
    for rule in rules:
        if not rule.build_only:
            methods = [] if rule.websocket else sorted(rule.methods or ())
            yield {"rule": rule.rule, "pattern": _pattern(rule), "methods": methods}


def _tried(app: flask.Flask) -> list[tuple[Rule, bool | None]]:
    """Rules in the order in which Werkzeug tries them, without those that only build URLs.

    A rule is tried twice if a slash may be added: first as it is, later (True) with the slash.
    """
    try:
        app.url_map.update()
        return list(_walked(app.url_map._matcher._root))
    except (AttributeError, TypeError):  # another Werkzeug
        rules = [rule for rule in app.url_map.iter_rules() if not rule.build_only]
        return [(rule, None) for rule in sorted(rules, key=lambda rule: pattern_rank(rule.rule))]


def _walked(state: Any) -> Iterator[tuple[Rule, bool | None]]:
    """Werkzeug goes from part to part: rules that end here, then fixed parts, then placeholders by their weights.

    A rule that ends here also matches with an added slash, unless it is strict, but rules that have the slash come
    before.
    """
    twice = [rule for rule in state.rules if not rule.strict_slashes and "" in state.static]
    for rule in state.rules:
        yield rule, False if rule in twice else None
    for inner in state.static.values():
        yield from _walked(inner)
    for _, inner in state.dynamic:
        yield from _walked(inner)
    for rule in twice:
        yield rule, True


def _route(rule: Rule) -> dict[str, Any]:
    return {
        "rule": rule.rule,
        "methods": sorted(_methods(rule)),
        "endpoint": str(rule.endpoint),
        "websocket": rule.websocket,
        "pattern": _pattern(rule),
    }


def _pattern(rule: Rule) -> str:
    """The rule as a regular expression; None if the host matters, too, or a converter has no pattern."""
    made = _strict(rule)
    if rule.strict_slashes or made in ("", "/"):
        return made
    # A rule with a slash matches one more, unless a placeholder before it matches slashes itself.
    is_open = any(part.final for part in getattr(rule, "_parts", ()))
    return f"{made.removesuffix('/')}/" + ("{0,2}" if made.endswith("/") and not is_open else "?")


def _strict(rule: Rule) -> str:
    if rule.host or rule.subdomain:
        return ""

    def converter(name: str, arguments: str) -> str:
        positional, named = parse_converter_args(arguments)
        return str(rule.get_converter("", name, positional, named).regex)

    try:
        return pattern(re.sub("/{2,}", "/", rule.rule) if rule.merge_slashes else rule.rule, converter)
    except (ValueError, LookupError, AttributeError, TypeError):
        return ""


def _by_rule(route: dict[str, Any]) -> tuple[str, list[str], str]:
    return route["rule"], route["methods"], route["endpoint"]


def _methods(rule: Rule) -> set[str]:
    """The methods from the app's author, without the HEAD and OPTIONS that Werkzeug and Flask add."""
    methods = set(rule.methods or ())
    if "GET" in methods:
        methods.discard("HEAD")
    if getattr(rule, "provide_automatic_options", False):
        methods.discard("OPTIONS")
    return methods
