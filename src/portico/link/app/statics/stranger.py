"""Requests static files from the app as an anonymous client, in this process, to learn whether nginx may send them
instead.

nginx serves a folder only if it would answer as the app does. If the app's own code runs before or after its static
files (hooks, middleware, a class of its own), that code gets test requests: for at least one file of each
directory, without cookies, from an unassigned address. Every answer must be the file itself, with the same headers.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

from portico.link.app.statics.headers import STRANGE_ORIGIN, Said, said_with, type_problem
from portico.link.app.statics.sample import sample
from portico.site.pattern import escape

SECONDS = 5.0
"""The time limit of all test requests; the app serves a folder without a result by then."""
MOST_COMPARED = 1 << 20
"""Bytes of a file that are compared with the answer; the rest of a large one is not read."""
_MOST_HOSTS = 5
_ADDRESS = "192.0.2.1"
"""A documentation address (RFC 5737): no app's rule allows it, as one may allow 127.0.0.1."""
_AGENT = "Mozilla/5.0 (compatible; portico; asks whether nginx may send this file)"
_ELSEWHERE = {
    "HTTP_ORIGIN": STRANGE_ORIGIN,
    "HTTP_REFERER": f"{STRANGE_ORIGIN}/",
    "HTTP_SEC_FETCH_SITE": "cross-site",
}
"""The headers of a page on another site: CORS headers are often sent only to those."""


class Reached(NamedTuple):
    """How clients reach the site: host names, scheme, and the prefix without its trailing slash."""

    hosts: tuple[str, ...] = ()
    scheme: str = "http"
    prefix: str = ""


class Answer(NamedTuple):
    """The app's answer; `body` has at most one piece more than MOST_COMPARED bytes."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Origin(str):
    """The Origin of a test request, which records whether the app has used it: compared it, searched it, or tested
    its presence. (A recording environ is impossible: PEP 3333 requires a dict, and WebOb insists.)
    """

    is_read = False

    def __bool__(self) -> bool:
        self.is_read = True
        return True


def _noting(method: Callable[..., Any]) -> Callable[..., Any]:
    def noted(origin: Origin, *args: Any, **named: Any) -> Any:
        origin.is_read = True
        return method(origin, *args, **named)

    return noted


LOOKS = (
    "__eq__", "__ne__", "__hash__", "__contains__", "__len__", "casefold", "encode", "endswith", "find", "index",
    "lower", "lstrip", "partition", "removeprefix", "replace", "rpartition", "rstrip", "split", "startswith", "strip",
    "upper",
)  # fmt: skip
"""Methods of a text by which an app looks at it."""
for _name in LOOKS:
    setattr(Origin, _name, _noting(getattr(str, _name)))


class _RefusedError(Exception):
    """Why the app keeps the folder, as the rest of a sentence that begins with the folder."""


def settle(application: Any, answers: dict[str, Any], reached: Reached) -> dict[str, Any]:
    """The facts with each guarded folder either proven public, with the app's headers, or among `left`."""
    own_hosts, life = answers.pop("hosts", []), answers.pop("life", "")
    reached = reached._replace(hosts=reached.hosts or tuple(own_hosts) or ("localhost",))
    guarded = [folder for folder in answers.get("static", []) if folder.pop("is_guarded", False)]
    found: dict[str, Said | str] = {}
    asking = Thread(target=_ask_all, args=(application, guarded, reached, life, found), daemon=True)
    if guarded:
        asking.start()
        asking.join(SECONDS)
    for folder in guarded:
        said = (
            found.get(folder["url"]) or f"the app was silent for {SECONDS:.0f} s when it was asked for a file"
        )
        _take(answers, folder, said)
    kept_out = {escape(folder["url"]) + ".*" for folder in answers.get("left", [])}
    answers["never_kept"] = sorted(kept_out | set(answers.get("never_kept", [])))
    return answers


def _take(answers: dict[str, Any], folder: dict[str, Any], said: Said | str) -> None:
    if isinstance(said, str):
        answers["static"].remove(folder)
        answers.setdefault("left", []).append({**folder, "why": said})
        return
    folder |= {"headers": said.headers, "cache_control": said.cache_control, "is_asked": True}
    if said.cookies:
        names = ", ".join(said.cookies)
        answers["notes"].append(
            f"the app sets a cookie ({names}) with the files of {folder['url']}; nginx sends them without"
        )


def _ask_all(
    application: Any, folders: list[dict[str, Any]], reached: Reached, life: str, found: dict[str, Said | str]
) -> None:
    for folder in folders:
        try:
            found[folder["url"]] = _verdict(application, Path(folder["folder"]), folder["url"], reached, life)
        except _RefusedError as refused:
            found[folder["url"]] = str(refused)
        except Exception as error:  # noqa: BLE001  a folder that changes under us, a path that cannot be read
            found[folder["url"]] = f"its files cannot be asked for: {type(error).__name__}: {error}"


def _verdict(application: Any, folder: Path, url: str, reached: Reached, life: str) -> Said:
    """What all answers have in common. Raises _RefusedError."""
    names = sample(folder)
    if names is None:
        raise _RefusedError(
            "the app's own code runs before its files, and they are too many for a test request each"
        )
    if not names:
        raise _RefusedError(
            "the app's own code runs before its files, and there is no file yet for a test request"
        )
    first, *others = names
    hosts = reached.hosts[:_MOST_HOSTS]
    questions = [
        (first, hosts[0]),
        *((first, host) for host in hosts),
        *((name, hosts[0]) for name in others),
    ]
    said = [
        _judged(application, environ_of(url + name, host, reached) | _ELSEWHERE, folder / name, life)
        for name, host in questions
    ]
    near = _judged(application, environ_of(url + first, hosts[0], reached), folder / first, life)
    differing = said[0].depends_on_origin(near)
    for (name, _), other in zip(questions, said, strict=True):
        if header := differing or said[0].differs(other):
            what = f"its header {header} is not the same for each file and client (asked for {url}{name})"
            raise _RefusedError(what)
    return said[0]._replace(cookies=tuple(sorted({name for one in (near, *said) for name in one.cookies})))


def _judged(application: Any, environ: dict[str, Any], file: Path, life: str) -> Said:
    """The headers of a file's answer. Raises _RefusedError if it is not the file itself."""
    path, origin = environ["PATH_INFO"].encode("latin-1").decode(), Origin(environ.get("HTTP_ORIGIN", ""))
    answer = _answer(application, environ | ({"HTTP_ORIGIN": origin} if "HTTP_ORIGIN" in environ else {}))
    if answer.status != 200:
        raise _RefusedError(f"the app answers {answer.status} to an anonymous client that requests {path}")
    with file.open("rb") as opened:
        expected = opened.read(MOST_COMPARED)
        is_whole = not opened.read(1)
    if answer.body[:MOST_COMPARED] != expected or (is_whole and len(answer.body) != len(expected)):
        raise _RefusedError(f"the app answers {path} with other bytes than the file's")
    if problem := type_problem(file.name, answer.headers):
        raise _RefusedError(f"the app sends {path} as {problem}, which nginx would not")
    said = said_with(answer.headers, life)
    if said.problem:
        raise _RefusedError(said.problem)
    if "HTTP_ORIGIN" in environ and (origin.is_read or said.varies_by_origin) and not said.is_open:
        raise _RefusedError(
            "its answers depend on the Origin of a request, and nginx cannot know which it lets in"
        )
    return said


def _answer(application: Any, environ: dict[str, Any]) -> Answer:
    """The app's answer. Raises _RefusedError for one that fails."""
    head: list[Any] = []
    written: list[bytes] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], _error: Any = None
    ) -> Callable[[bytes], Any]:
        head[:] = [status, headers]
        return written.append

    try:
        body = _read(application(environ, start_response), written)
        return Answer(int(head[0][:3]), [(str(name), str(value)) for name, value in head[1]], body)
    except BaseException as error:  # noqa: BLE001  the app's own code, SystemExit included
        what = f"the app fails ({type(error).__name__}) when it is asked for {environ['PATH_INFO']}"
        raise _RefusedError(what) from None


def _read(answer: Iterable[bytes], written: list[bytes]) -> bytes:
    try:
        for piece in answer:
            written.append(piece)
            if sum(map(len, written)) > MOST_COMPARED:
                break
    finally:
        if (close := getattr(answer, "close", None)) is not None:
            close()
    return b"".join(written)


def environ_of(path: str, host: str, reached: Reached) -> dict[str, Any]:
    """A GET as Portico's worker passes it to the app, from an unknown client."""
    port = "443" if reached.scheme == "https" else "80"
    said = path.encode().decode("latin-1")
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": reached.prefix,
        "PATH_INFO": said,
        "REQUEST_URI": reached.prefix + said,
        "QUERY_STRING": "",
        "CONTENT_TYPE": "",
        "CONTENT_LENGTH": "",
        "SERVER_NAME": host.partition(":")[0],
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": _ADDRESS,
        "REMOTE_PORT": "49152",
        "HTTP_HOST": host,
        "HTTP_ACCEPT": "*/*",
        "HTTP_USER_AGENT": _AGENT,
        "HTTP_X_REQUEST_ID": f"{time.monotonic_ns():032x}",
        "HTTP_X_FORWARDED_FOR": _ADDRESS,
        "HTTP_X_REAL_IP": _ADDRESS,
        "HTTP_X_FORWARDED_PROTO": reached.scheme,
        "HTTP_X_FORWARDED_HOST": host,
        "HTTP_X_FORWARDED_PREFIX": reached.prefix,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": reached.scheme,
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    } | ({"HTTPS": "on"} if reached.scheme == "https" else {})
