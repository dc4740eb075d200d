"""Two answers to one question: the same, better, or different, and why."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator
from enum import StrEnum
from typing import Any
from urllib.parse import unquote

from msgspec import Struct

from portico.check.adopted.questions import FORGED_WORDS, Question
from portico.check.outside.client import Answer


class Judgement(StrEnum):
    """How the second answer compares."""

    SAME = "same"
    BETTER = "better"
    DIFFERS = "differs"


class Row(Struct, frozen=True):
    """One line of the table."""

    question: str
    before: str
    after: str
    judgement: Judgement
    why: str = ""


_REDIRECTS = (301, 302, 303, 307, 308)
_HEADERS = (
    "Content-Type",
    "Location",
    "Set-Cookie",
    "Access-Control-Allow-Origin",
    "X-Frame-Options",
    "Content-Disposition",
    "Content-Security-Policy",
    "Referrer-Policy",
    "X-Content-Type-Options",
    "X-Robots-Tag",
)


def compare(question: Question, before: Answer, after: Answer) -> Row:
    """The row of one question."""
    found = list(_differences(question, before, after))
    worst = next((one for one in found if one[0] is Judgement.DIFFERS), None) or next(iter(found), None)
    judgement = worst[0] if worst else Judgement.SAME
    why = "; ".join(dict.fromkeys(text for kind, text in found if kind is judgement))
    return Row(question.name, _short(before), _short(after), judgement, why)


def _short(answer: Answer) -> str:
    place = _place(answer)
    return f"{answer.status or 'closed'}{f' {place}' if place else ''}"


def _differences(question: Question, before: Answer, after: Answer) -> list[tuple[Judgement, str]]:
    if before.status != after.status:
        return [_of_status(question, before, after)]
    made = [_of_header(name, before, after) for name in _HEADERS]
    found = [one for one in made if one]
    if before.status < 300:
        found += _of_body(question, before, after)
    return found


def _of_status(question: Question, before: Answer, after: Answer) -> tuple[Judgement, str]:
    if before.status in _REDIRECTS and after.status in _REDIRECTS:
        if _place(before) == _place(after):
            return Judgement.BETTER, "308 keeps the method and the body"
        return Judgement.DIFFERS, "another target"
    if why := _stricter(question, before, after) or _more_accepted(question, before, after):
        return Judgement.BETTER, why
    reasons = (why for is_so, why in _reasons(question, before, after) if is_so)
    return Judgement.DIFFERS, next(reasons, "another status")


def _more_accepted(question: Question, before: Answer, after: Answer) -> str:
    """Why the second answer is to a body that the first server did not take; empty if it is not."""
    if before.status != 413 or question.path != "/upload":
        return ""
    if after.status == 502:
        return "max_upload is 16 MiB instead of 1 MiB; no stand-in speaks FastCGI: 502"
    is_taken = after.status == 200 and _seen(after) is not None
    return "nginx accepts 1 MiB by default; max_upload is 16 MiB" if is_taken else ""


def _reasons(question: Question, before: Answer, after: Answer) -> Iterator[tuple[bool, str]]:
    """What differs by design, each with its condition."""
    asked, old, new = question.path, before.status, after.status
    has_dots, is_of_app = "/./" in asked, _seen(after) is not None
    yield (
        old == 301 and _place(before).endswith(f"{asked}/"),
        "a folder's path without its slash is the app's",
    )
    yield (
        new == 308 and _place(after) == f"{asked}/",
        "an app below a prefix begins at the slash: the path without it leads there",
    )
    yield new == 400 and has_dots, "where paths have settings of their own, one with dots is refused"
    yield new == 401, "[access] holds for all paths below, where the original asked for no password"
    yield new == 403 and has_dots, "the firewall refuses a path with dots"
    yield (
        old in (502, 503) and new in (502, 503),
        "nobody answers behind either: each says so in its own way",
    )
    yield old in (500, 502) and new == 200, "the original fails there"
    yield (
        old == 200 and new == 404 and _seen(before) is None,
        "a file answered there, where Portico has only the app",
    )
    yield (
        old == 200 and new == 404,
        "another app answered there: its line stands under what is not kept",
    )
    yield (
        old == 0 and new == 400,
        "without a certificate nginx answers 400, where httpd ends the connection",
    )
    yield old == 413 and new == 404, "nothing is there, whatever the size of the body"
    yield old == 405 and new == 404, "nothing takes a POST there"
    yield question.method == "POST" and old in (405, 413), "the app answers, where nginx had only files"
    yield (
        old == 404 and "%2F" in asked,
        "httpd answers 404 to %2F unless AllowEncodedSlashes is set: the app gets the path",
    )
    yield old in (403, 404) and is_of_app, "the app answers, where there was no file"


def _stricter(question: Question, before: Answer, after: Answer) -> str:
    """Why the second answer refuses more, or tells less; empty if it does not."""
    refused = before.status in (401, 403)
    if question.host == "unknown.example" and after.status == 0:
        return "no stranger's Host reaches the app"
    if question.path.endswith("../") and (after.status in (400, 403, 404) or _seen(after) is not None):
        return "nothing outside of the folder is sent"
    if before.status == 403 and after.status == 404 and question.path.endswith("/"):
        return "a folder is 404: nobody learns that it is there"
    if before.status == 413 and after.status in (401, 403):
        return "who may not come is refused before the size of a body counts"
    if refused and after.status == 400 and "/./" in question.path:
        return "a path with dots, which two programs may read in two ways, is refused"
    return ""


def _place(answer: Answer) -> str:
    """A Location without the ports of the sandbox."""
    place = answer.header("Location")
    scheme, found, rest = place.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.partition(':')[0]}{slash}{path}" if found else place


def _of_header(name: str, before: Answer, after: Answer) -> tuple[Judgement, str] | None:
    old, new = before.header(name), after.header(name)
    if name == "Location":
        old, new = _place(before), _place(after)
        if new.startswith("/") and old.partition("://")[2].partition("/")[2] == new[1:]:
            return None
        if old != new and _plain(old) == _plain(new):
            return Judgement.BETTER, "the redirect has the path as the client sent it"
    if old.lower().replace(" ", "") == new.lower().replace(" ", ""):
        return None
    if name == "Content-Type" and (before.status >= 300 or old.partition(";")[0] == new.partition(";")[0]):
        return None  # a page of nginx's, or the charset that was missing
    if not old:
        return Judgement.BETTER, f"{name} is sent, too"
    return Judgement.DIFFERS, f"{name}: {new or 'none'} instead of {old}"


def _plain(place: str) -> str:
    """A URL as a web server reads it."""
    scheme, found, rest = place.partition("://")
    return f"{scheme}{found}{posixpath.normpath(unquote(rest)).replace('//', '/')}"


def _of_body(question: Question, before: Answer, after: Answer) -> list[tuple[Judgement, str]]:
    old, new = _seen(before), _seen(after)
    if old is None or new is None:
        if (old is None) != (new is None):
            return [(Judgement.DIFFERS, "the app answers" if old is None else "nginx answers, not the app")]
        same = before.body == after.body or question.method == "HEAD"
        return [] if same else [(Judgement.DIFFERS, "another body")]
    return [one for one in (_of_path(old, new), *_of_client(question, old, new)) if one]


def _seen(answer: Answer) -> dict[str, Any] | None:
    """What the stand-in was asked."""
    if not answer.header("X-Stand-In"):
        return None
    try:
        found = json.loads(answer.body)
    except ValueError:
        return None
    return found | {"headers": json.loads(found["headers"])} if isinstance(found, dict) else None


def _of_path(old: dict[str, Any], new: dict[str, Any]) -> tuple[Judgement, str] | None:
    for name in ("REQUEST_METHOD", "QUERY_STRING", "body"):
        if old[name] != new[name]:
            return Judgement.DIFFERS, f"the app sees {name} {new[name]!r} instead of {old[name]!r}"
    before, after = old["SCRIPT_NAME"] + old["PATH_INFO"], new["SCRIPT_NAME"] + new["PATH_INFO"]
    if before == after or _encoded_twice(before) == after:
        return None
    if posixpath.normpath(before) == after:
        return Judgement.BETTER, "dots of a path are resolved before the app sees it"
    plain = after.replace("//", "/")
    if plain == before or unquote(new["uri"]).partition("?")[0] == unquote(after):
        return Judgement.BETTER, "the path reaches the app as the client sent it"
    return Judgement.DIFFERS, f"the app sees the path {after!r} instead of {before!r}"


def _encoded_twice(path: str) -> str:
    """The path as it was sent: the stand-in's Gunicorn encodes what it gets by uwsgi once more."""
    try:
        return path.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return path


def _of_client(question: Question, old: dict[str, Any], new: dict[str, Any]) -> list[tuple[Judgement, str]]:
    made = list[tuple[Judgement, str]]()
    before, after = old["headers"], new["headers"]
    if before.get("HOST") != after.get("HOST"):
        is_ours = after.get("HOST", "").partition(":")[0] == question.host
        wrong = f"the app sees the Host {after.get('HOST')}"
        what = "the app sees the Host that the client asked for" if is_ours else wrong
        made.append((Judgement.BETTER if is_ours else Judgement.DIFFERS, what))
    if old["scheme"] != new["scheme"]:
        is_true = new["scheme"] == ("https" if question.is_secure else "http")
        made.append(
            (Judgement.BETTER if is_true else Judgement.DIFFERS, f"the app sees the scheme {new['scheme']}")
        )
    forged = [word for word in FORGED_WORDS if word in json.dumps(before)]
    if forged and not any(word in json.dumps(after) for word in FORGED_WORDS):
        made.append((Judgement.BETTER, "forged headers do not reach the app"))
    if any(word in json.dumps(after) for word in FORGED_WORDS) and not forged:
        made.append((Judgement.DIFFERS, "a forged header reaches the app"))
    own = [name for name in before if name not in after and name not in _DROPPED and not forged]
    if own:
        made.append((Judgement.DIFFERS, f"the app does not get {', '.join(own)}"))
    return made


_DROPPED = frozenset({
    "CONNECTION", "UPGRADE", "X_FORWARDED_PORT", "X_FORWARDED_SERVER", "X_FORWARDED_SSL", "X_SCHEME", "FORWARDED",
    "X_FORWARDED_PREFIX", "X_NGINX_PROXY", "REMOTE_USER", "X_SCRIPT_NAME", "SCRIPT_NAME", "X_FORWARDED_FOR",
    "X_REAL_IP",
    "X_FORWARDED_PROTO", "X_FORWARDED_HOST", "X_SSL_CLIENT_VERIFY",
})  # fmt: skip
"""Headers of proxies, which describe what the environ says."""
