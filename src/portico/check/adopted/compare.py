"""Two answers to one question: the same, better, or different, and why."""

from __future__ import annotations

import json
import posixpath
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
    place = answer.header("Location")
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
    if why := _stricter(question, before, after):
        return Judgement.BETTER, why
    if (
        before.status == 413
        and after.status == 200
        and _seen(after) is not None
        and question.path == "/upload"
    ):
        return Judgement.BETTER, "nginx accepts 1 MiB by default; max_upload is 16 MiB"
    if before.status == 301 and _place(before).endswith(f"{question.path}/"):
        return Judgement.DIFFERS, "a folder's path without its slash is the app's"
    if question.method == "POST" and before.status in (405, 413):
        return Judgement.DIFFERS, "the app answers, where nginx had only files"
    return Judgement.DIFFERS, "another status"


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
    if old.lower().replace(" ", "") == new.lower().replace(" ", ""):
        return None
    if name == "Content-Type" and (before.status >= 300 or old.partition(";")[0] == new.partition(";")[0]):
        return None  # a page of nginx's, or the charset that was missing
    if not old:
        return Judgement.BETTER, f"{name} is sent, too"
    return Judgement.DIFFERS, f"{name}: {new or 'none'} instead of {old}"


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
    if before == after:
        return None
    if posixpath.normpath(before) == after:
        return Judgement.BETTER, "dots of a path are resolved before the app sees it"
    plain = after.replace("//", "/")
    if plain == before or unquote(new["uri"]).partition("?")[0] == unquote(after):
        return Judgement.BETTER, "the path reaches the app as the client sent it"
    return Judgement.DIFFERS, f"the app sees the path {after!r} instead of {before!r}"


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
