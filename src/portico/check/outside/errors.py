"""Errors on purpose: what do their pages tell, and do they stop what they should?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from portico.check.model import Finding
from portico.check.outside.client import Answer
from portico.check.outside.headers import missing_there
from portico.check.outside.look import Look

_TRACEBACK = re.compile(
    r"Traceback \(most recent call last\)|Werkzeug Debugger|You're seeing this error because you have <code>DEBUG|"
    r"<title>[^<]*// Werkzeug|__debugger__=|at /\w[^\n]*\.py:\d+|File &quot;/|File \"/[^\n]*\.py\", line \d+"
)
_VERSION = re.compile(r"(?:nginx|Apache|Python|Werkzeug|gunicorn|openresty|CherryPy|uvicorn)/\d+(?:\.\d+)+")
_HUGE = 10 << 30
_DEBUG = "turn debug mode off: DEBUG = False, no app.run(debug=True), no debugger middleware"
_BODIES = "nginx: client_max_body_size as large as the largest upload, and no larger"


def error_findings(look: Look) -> Iterator[Finding]:
    answers = dict(_errors(look))
    found = [*_told(look, answers), *_headers(look, answers), *_stopped(look, answers)]
    yield from found
    if not found:
        shown = ", ".join(sorted({str(answer.status) for answer in answers.values() if answer.status}))
        yield look.ok(f"errors ({shown}) show no traceback and no version", "url-errors")


def _errors(look: Look) -> Iterator[tuple[str, Answer]]:
    path, client = look.target.path, look.client
    yield "a path that nobody has", client.get(f"/{client.mark}")
    yield "a query that may break the app", client.get(f"/{client.mark}?id='%22%3C%25%00")
    yield "a method that nobody has", client.get(method="PORTICOCHECK")
    yield "a head of 64 KiB", client.get("", f"X-Long: {'x' * 65536}")
    yield "a path of 20 000 letters", client.get(f"/{client.mark}{'x' * 20000}")
    yield "a path with a broken escape", client.get(f"/{client.mark}/%")
    head = client.head(
        path, f"Content-Length: {_HUGE}", "Content-Type: text/plain", "Expect: 100-continue", method="POST"
    )
    yield "a body of 10 GiB", client.raw(head, 5.0)


def _told(look: Look, answers: dict[str, Answer]) -> Iterator[Finding]:
    for name, answer in answers.items():
        if found := _TRACEBACK.search(answer.text):
            what = f"the answer to {name} shows what only developers should see ({found[0][:40]})"
            yield look.fault(f"error {answer.status}", what, _DEBUG, "url-traceback")
            break
    versions = {found[0] for answer in answers.values() if (found := _VERSION.search(answer.text))}
    if versions:
        what = f"error pages show what runs here: {', '.join(sorted(versions))}"
        yield look.warning(
            "errors", what, "nginx: server_tokens off, and error pages of your own", "url-versions"
        )


def _headers(look: Look, answers: dict[str, Answer]) -> Iterator[Finding]:
    """Of answers that came whole; a server that cannot read a request at all may say so without headers."""
    for name, answer in answers.items():
        lacks = missing_there(look.page, answer) if answer.status in (404, 405, 413) else []
        if lacks:
            what = f"the {answer.status} for {name} lacks {', '.join(lacks)}, which the page has"
            yield look.warning(
                "errors", what, "nginx: add_header with always", "url-errors", 'headers = "strict"'
            )
            return


def _stopped(look: Look, answers: dict[str, Answer]) -> Iterator[Finding]:
    huge = answers["a body of 10 GiB"]
    if huge.silent or 0 < huge.status < 400:
        what = "a body of 10 GiB is accepted: a few clients can fill the disk or the memory"
        yield look.warning("uploads", what, _BODIES, "url-body", 'max_upload = "16MiB"')
    broken = [name for name, answer in answers.items() if answer.status in (500, 502)]
    if broken:
        what = f"{', '.join(broken)}: answered with 500 or 502, as if the server had failed"
        yield look.warning(
            "errors", what, "see the app's log: it should answer 400, 404 or 405", "url-errors"
        )
