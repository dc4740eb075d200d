"""What the app answers: some requests, one after the other, to a copy of the site."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from portico.errors import PorticoError, Problem
from portico.link.app.statics.sample import sample
from portico.measure.ask import Page, PeerError, page, wait_until_ready
from portico.measure.contenders import Way
from portico.measure.cpu import cpu_seconds
from portico.measure.model import Route
from portico.measure.programs import Programs
from portico.measure.session import Say, launched
from portico.measure.tune.model import Looked, Seen, SeenFolder
from portico.measure.tune.times import timeout_of, with_own_timeout
from portico.project.gathered import Gathered
from portico.reading import as_user

_TIMED_OUT = 504
_MOST_SECONDS, _MOST_REQUESTS = 0.8, 40
"""Of the requests that show what one costs."""
_GRACE_SECONDS = 5.0
_LONGEST_SECONDS = 120.0
"""A slow page is waited for at most so long."""
_USUAL_FOLDERS = ("static", "assets", "public", "media", "dist")
_MOST_FOLDERS = 4
_OF_EACH_SERVER = frozenset(
    {
        "accept-ranges", "cache-control", "connection", "content-disposition", "content-encoding", "content-length",
        "date", "etag", "expires", "last-modified", "server", "server-timing", "vary", "x-request-id",
    }
)  # fmt: skip
"""Headers that the gateway sets in its own way, or needs not."""

_Headers = tuple[tuple[str, str], ...]
Slower = Callable[[float], Way]
"""The site with that `request_timeout` in seconds."""


class Sight(Struct, frozen=True):
    """How to look: the site as it is, with more patience, and with folders that the gateway serves."""

    found: Gathered
    present: Way
    patient: Slower
    serving: Callable[[Mapping[str, str]], Way]
    routes: Sequence[Route]
    is_named: bool
    host: str
    start_seconds: float

    @property
    def health(self) -> str:
        """The path that is answered as soon as the copy serves."""
        site = self.found.site
        return site.prefix + site.options.health


class _Sent(Struct, frozen=True):
    """A folder, and what the app says with its files, by their URLs."""

    folder: SeenFolder
    said: Mapping[str, _Headers] = {}


def look(sight: Sight, say: Say) -> Looked:
    """Raises PorticoError if the site does not start, or answers none of the routes."""
    timeout = float(sight.found.site.options.request_timeout)
    patience = min(_LONGEST_SECONDS, 4 * timeout)
    try:
        say("looking at what the app answers: a copy of the site starts")
        with launched(sight.present) as programs:
            wait_until_ready(programs, sight.health, sight.host, sight.start_seconds)
            routes = _answering(sight, programs, say)
            sent = list(_folders(sight, programs))
        late = [one for one in routes if _is_late(sight, one)]
        if late:
            say(
                f"GET {', '.join(one.path for one in late)} ran out of time: waiting for up to {patience:.0f} s"
            )
            with launched(sight.patient(patience)) as programs:
                wait_until_ready(programs, sight.health, sight.host, sight.start_seconds)
                routes = [_with_need(sight, one, programs, patience) for one in routes]
    except (PeerError, OSError) as error:
        raise PorticoError(Problem("the copy", str(error), "try it alone: portico run")) from None
    return Looked(tuple(routes), tuple(_sendable(sight, sent, say)), patience)


def _sendable(sight: Sight, sent: Sequence[_Sent], say: Say) -> list[SeenFolder]:
    """The folders, those with a problem whose files the gateway would answer otherwise, or not at all."""
    good = [one.folder for one in sent if not one.folder.problem]
    if not good:
        return [one.folder for one in sent]
    say(f"comparing the files below {', '.join(one.url for one in good)}")
    try:
        with launched(
            sight.serving({one.url.removeprefix(sight.found.site.prefix): one.folder for one in good})
        ) as programs:
            wait_until_ready(programs, sight.health, sight.host, sight.start_seconds)
            return [_compared(sight, one, programs) for one in sent]
    except (PeerError, OSError) as error:
        why = f"a copy in which the gateway sends it does not start: {error}"
        return [one.folder if one.folder.problem else replace(one.folder, problem=why) for one in sent]


def _is_late(sight: Sight, seen: Seen) -> bool:
    """Whether a higher `request_timeout` may help."""
    return seen.status == _TIMED_OUT and with_own_timeout(sight.found.site, seen.path) is None


def _answering(sight: Sight, programs: Programs, say: Say) -> list[Seen]:
    found, refused = list[Seen](), list[str]()
    for route in sight.routes:
        say(f"looking at GET {route.path}")
        try:
            timeout = float(timeout_of(sight.found.site, route.path))
            seen = _seen(programs, route.path, sight.host, timeout + _GRACE_SECONDS)
        except (OSError, HTTPException) as error:
            refused.append(f"GET {route.path}: {error}")
            continue
        if seen.status < (400 if sight.is_named else 300) or seen.status == _TIMED_OUT:
            found.append(seen)
        else:
            refused.append(f"GET {route.path} answers {seen.status}")
    if sight.is_named and refused:
        raise PorticoError(Problem("--route", "; ".join(refused), "name routes that answer a plain GET"))
    if not found:
        what = "; ".join(refused) or "the app has no GET route without arguments"
        raise PorticoError(Problem("", f"no route to look at: {what}", "name one: --route /items"))
    return found


def _seen(programs: Programs, path: str, host: str, timeout: float) -> Seen:
    """Raises OSError and HTTPException."""
    first = page(programs.port, path, host, timeout)
    if first.answer.status == _TIMED_OUT:
        return Seen(path, _TIMED_OUT, first.answer.ms, 0.0)
    second = page(programs.port, path, host, timeout)
    times, before, begun = [second.answer.ms], sum(cpu_seconds(programs.tree()).values()), time.monotonic()
    count = 0
    while count < 2 or (count < _MOST_REQUESTS and time.monotonic() - begun < _MOST_SECONDS):
        times.append(page(programs.port, path, host, timeout).answer.ms)
        count += 1
    used = sum(cpu_seconds(programs.tree()).values()) - before
    return Seen(
        path,
        first.answer.status,
        alone_ms=min(times),
        cpu_ms=used / count * 1e3,
        size=len(first.body),
        cache_control=first.header("cache-control"),
        vary=first.header("vary"),
        sets_cookie=bool(first.header("set-cookie") or second.header("set-cookie")),
        is_same=first.body == second.body,
    )


def _with_need(sight: Sight, seen: Seen, programs: Programs, patience: float) -> Seen:
    if not _is_late(sight, seen):
        return seen
    try:
        answer = page(programs.port, seen.path, sight.host, patience + _GRACE_SECONDS).answer
    except (OSError, HTTPException):
        return seen
    return replace(seen, needed_ms=answer.ms) if answer.status < 400 else seen


def _folders(sight: Sight, programs: Programs) -> Iterator[_Sent]:
    """Folders whose files the app sends, byte for byte."""
    for url, folder in _possible(sight):
        yield from _asked(sight, programs, url, folder)


def _possible(sight: Sight) -> list[tuple[str, str]]:
    """A URL and a folder beside the app: those of usual names, and those that have the file of a route."""
    site = sight.found.site
    home = Path(site.directory)
    known = (
        *(site.prefix + url for url in sight.found.plan.statics),
        *(site.prefix + one.url for one in site.facts.left),
    )
    found = dict[str, str]()
    names = _below(sight, home)
    for name in _USUAL_FOLDERS:
        if name in names:
            found[f"{site.prefix}/{name}/"] = name
    for route in sight.routes:
        *above, file = route.path.partition("?")[0].strip("/").split("/")
        if not above or "." not in file:
            continue
        for depth in range(len(above), 0, -1):
            rest = [*above[depth:], file]
            for name in names:
                if _is_file(sight, home.joinpath(name, *rest)):
                    found.setdefault(f"/{'/'.join(above[:depth])}/", name)
    return [
        (url, folder)
        for url, folder in found.items()
        if not any(url.startswith(one) or one.startswith(url) for one in known)
    ][:_MOST_FOLDERS]


def _below(sight: Sight, home: Path) -> list[str]:
    reader = sight.found.site.reader
    try:
        names = reader.names(home)
        return [name for name in names if not name.startswith((".", "_")) and _is_folder(sight, home / name)]
    except OSError:
        return []


def _is_folder(sight: Sight, path: Path) -> bool:
    return as_user(sight.found.site.reader.user, lambda: path.is_dir() and not path.is_symlink())


def _is_file(sight: Sight, path: Path) -> bool:
    return as_user(sight.found.site.reader.user, path.is_file)


def _asked(sight: Sight, programs: Programs, url: str, folder: str) -> Iterator[_Sent]:
    """Nothing if the app does not send the first file; with a problem if it does not send all of them so."""
    names = _sample(sight, folder) or []
    said = dict[str, _Headers]()
    for index, name in enumerate(names):
        answer = _get(sight, programs, url + name)
        problem = _difference(_file(sight, folder, name), answer)
        if problem and index == 0:
            return
        if problem or answer is None:
            yield _Sent(SeenFolder(url, folder, url + name, index, f"the app's GET {url}{name} {problem}"))
            return
        said[url + name] = answer.headers
    if names:
        asked = [path for one in sight.routes if (path := one.path.partition("?")[0]).startswith(url)]
        yield _Sent(SeenFolder(url, folder, asked[0] if asked else url + names[0], len(names)), said)


def _sample(sight: Sight, folder: str) -> list[str] | None:
    site = sight.found.site
    path = Path(site.directory, folder)
    return as_user(site.reader.user, lambda: sample(path))


def _file(sight: Sight, folder: str, name: str) -> bytes:
    site = sight.found.site
    try:
        return site.reader.bytes(Path(site.directory, folder, name))
    except OSError:
        return b""


def _get(sight: Sight, programs: Programs, path: str) -> Page | None:
    try:
        return page(programs.port, path, sight.host)
    except (OSError, HTTPException):
        return None


def _difference(file: bytes, answer: Page | None) -> str:
    """Why this is not the file as everybody may have it; empty if it is."""
    if answer is None:
        return "gave no answer"
    if answer.answer.status != 200:
        return f"answers {answer.answer.status}"
    if answer.body != file:
        return "does not answer the file's bytes"
    if answer.header("set-cookie"):
        return "sets a cookie"
    said = answer.header("cache-control").lower()
    if "private" in said or "no-store" in said:
        return f"is for one client only ({said})"
    return ""


def _compared(sight: Sight, sent: _Sent, programs: Programs) -> SeenFolder:
    """With a problem if the gateway answers the same files otherwise."""
    for path, said in sent.said.items():
        if problem := _other(said, _get(sight, programs, path)):
            return replace(sent.folder, problem=f"the gateway's GET {path} {problem}")
    return sent.folder


def _other(said: _Headers, answer: Page | None) -> str:
    """What of the app's answer the gateway's has not; empty if nothing is missing."""
    if answer is None or answer.answer.status != 200:
        return f"answers {answer.answer.status}" if answer else "gave no answer"
    for name, value in said:
        if name == "content-type":
            if answer.header(name).partition(";")[0].strip() != value.partition(";")[0].strip():
                return f"would have the type {answer.header(name)}, the app says {value}"
        elif name not in _OF_EACH_SERVER and (name, value) not in answer.headers:
            return f"would not have the app's header {name}"
    return ""
