"""All that is known about one request: the client's moments, the gateway's log line, the worker's record, the
configuration.
"""

from __future__ import annotations

import os
import pwd
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import Struct, field

from portico.errors import PorticoError, Problem
from portico.explain.language import Language, Setting
from portico.explain.languages import language_in
from portico.explain.node import Node
from portico.explain.verdict import Asked, NoServerError, Verdict
from portico.link.trace import Tracer
from portico.log.app_output import Entry
from portico.log.errors.complaint import Complaint
from portico.log.errors.kinds import complaints
from portico.log.follow import Follower, decoded
from portico.log.reader import entry_reader, request_reader
from portico.log.request import Request
from portico.place import untrusted
from portico.plan.paths import trace
from portico.protocol.status import Status
from portico.protocol.trace import Trace
from portico.watch.trace import records
from portico.watch.trace.client import Sent, Wish, connection_port, send
from portico.watch.trace.records import Record

_LINE_SECONDS = 4.0
"""The gateway writes its line a quarter of a second after the answer, later on a loaded machine."""
_RECORD_SECONDS = 2.0
_LOOK_SECONDS = 0.02
_KEPT = 50
_TRACES, _MOST_FILES = "traces", 10_000
_ID = re.compile(r"[0-9a-f]{32}")

_UNREADABLE = (400, 414, 431)


class TracedSite(Struct, frozen=True):
    """The request's site: its files and logs."""

    runtime: Path
    conf: Path
    """The directory of the gateway's files: the shared one's, if several sites share one."""
    access_log: Path
    error_log: Path
    app_log: Path
    user: str = ""
    """The app's user; empty if it is Portico's."""
    masked: tuple[str, ...] = ()
    """Names whose values are masked, beside those that always are."""

    @classmethod
    def of(cls, runtime: str, status: Status) -> TracedSite:
        """From the status of a running site."""
        return cls(
            Path(runtime),
            Path(f"{status.host_runtime}/conf" if status.host_runtime else status.files),
            Path(status.access_log),
            Path(status.error_log),
            Path(status.app_log),
            status.user,
            tuple(status.masked),
        )


class Evidence(Struct):
    """`records` are those of the workers that had the request, in order; `line` is None if the gateway wrote none."""

    sent: Sent
    language: Language
    """The language of the gateway's configuration."""
    root: Node
    verdict: Verdict | None
    why_none: str
    """Why there is no verdict."""
    line: Request | None = None
    records: list[Record] = field(default_factory=list)
    complaints: list[Complaint] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """Messages about new unreadable lines: missing ones may be among them."""
    is_closed: bool = False
    """`portico maintenance` is on."""
    mask: Tracer = field(default_factory=lambda: Tracer(None))
    """Knows which values are masked, as the worker does."""

    @property
    def target(self) -> str:
        """The request target, masked."""
        return self.mask.url(self.sent.target)

    @property
    def record(self) -> Record | None:
        """The record of the last worker."""
        return self.records[-1] if self.records else None

    @property
    def is_unreadable(self) -> bool:
        """The gateway refused it before it chose a location: only the app's record and the status show it. httpd's line
        of such a request names neither its id nor its path.
        """
        if self.verdict is None or self.records or (self.line and self.line.upstream):
            return False
        if self.sent.status not in _UNREADABLE:
            return False
        asks_who = self.verdict.server.first(*self.language.settings[Setting.CLIENT_CERTIFICATE])
        return self.answer is None and asks_who is None

    @property
    def request_id(self) -> str:
        return self.sent.header("x-request-id") or (self.line.id if self.line else "")

    @property
    def gateway(self) -> str:
        """The name of the gateway's program."""
        return self.language.name

    @property
    def answer(self) -> Node | None:
        """The line by which the location answers directly, without a file."""
        location = self.verdict.location if self.verdict else None
        line = location.saying(*self.language.settings[Setting.ANSWER]) if location else None
        return None if line and self.language.files(line) else line

    @property
    def patience(self) -> Node | None:
        """The line that says how long the server which had the request may take."""
        return self.member or self.setting(Setting.TIMEOUT)

    @property
    def member(self) -> Node | None:
        """The line about the server that had the request, where the gateway has one for each."""
        return self.language.member(self.root, self.line.upstream) if self.line else None

    @property
    def is_unanswered(self) -> bool:
        """No server took the request, or the one that did ended: 502, or 503 and 500 of a gateway that logs no statuses
        of servers.
        """
        if not self.line:
            return False
        if self.sent.status == 502:
            return bool(self.line.upstream) or self.answer is None
        if not self.line.upstream or self.line.upstream_status:
            return False
        if self.sent.status == 503:
            return not self.records and self.member is not None and "unix:" in self.member.text
        return self.sent.status == 500 and self.record is not None and self.record.is_silent

    @property
    def levels(self) -> list[Node]:
        """The blocks in which something may be set for the request, the innermost first."""
        return self.language.levels(self.root, self.verdict) if self.verdict else []

    def setting(self, wanted: Setting) -> Node | None:
        """The directive in force for the request, of the first name that has one."""
        levels = self.levels
        names = self.language.settings[wanted]
        return next((found for name in names for node in levels if (found := node.first(name))), None)


def follow(site: TracedSite, wish: Wish) -> Evidence:
    """Sends the request and collects its records. Raises PorticoError."""
    language = language_in(site.conf)
    root = language.read(site.conf / language.main)
    logs = [Follower(site.access_log), Follower(site.error_log), Follower(site.app_log, is_untrusted=True)]
    with _invitation(site) as (token, directory):
        sent = send(wish, token)
        found, why = _verdict(language, root, sent, wish, str(site.runtime))
        is_closed = (site.runtime / "maintenance" / "on").exists()
        made = Evidence(sent, language, root, found, why, is_closed=is_closed, mask=Tracer(None, site.masked))
        if sent.status or sent.moments.get("sent"):
            _collect(made, logs, directory)
    return made


@contextmanager
def _invitation(site: TracedSite) -> Iterator[tuple[str, Path]]:
    """A directory whose name the request contains; a user who can create it may see a worker's record.

    A worker of another user traverses the parent, where it can create and move nothing, to its own directory.
    """
    token, parent = secrets.token_hex(16), Path(trace(str(site.runtime)))
    try:
        worker = pwd.getpwnam(site.user).pw_uid if site.user else -1
        with untrusted.folder(site.runtime) as runtime:
            owner = os.fstat(runtime).st_uid
            mode, whose = 0o711 if site.user else 0o700, owner if worker < 0 else worker
            with _made(runtime, parent.name, mode, owner) as own, _made(own, token, 0o700, whose):
                pass
    except (OSError, LookupError) as error:
        what = f"cannot be written: {getattr(error, 'strerror', None) or error}"
        raise PorticoError(
            Problem(str(parent), what, "trace as the user who runs the site, or as root")
        ) from None
    try:
        yield token, parent / token
    finally:
        untrusted.remove_tree(parent / token)


@contextmanager
def _made(below: int, name: str, mode: int, owner: int) -> Iterator[int]:
    """A directory with that name in an open one, opened. Root gives it to its owner, and follows no link."""
    with suppress(FileExistsError):
        os.mkdir(name, mode, dir_fd=below)
    with untrusted.folder(name, below) as own:
        if os.geteuid() == 0:
            os.fchmod(own, mode)
            os.fchown(own, owner, -1)
        yield own


def _verdict(
    language: Language, root: Node, sent: Sent, wish: Wish, state: str
) -> tuple[Verdict | None, str]:
    host = next((value for name, value in sent.headers if name.lower() == "host"), sent.host)
    port = connection_port(sent, wish)
    asked = Asked(sent.method, sent.scheme, _bare(host), port, sent.target, sent.address, state)
    try:
        return language.verdict(root, asked), ""
    except (NoServerError, ValueError) as error:
        return None, str(error)


def _bare(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _collect(made: Evidence, logs: list[Follower], directory: Path) -> None:
    access, error, app = logs
    ends = time.monotonic() + _LINE_SECONDS
    wanted, lines = made.sent.header("x-request-id"), list[Request]()
    requests, words = request_reader(), entry_reader()
    while time.monotonic() < ends:
        lines += requests.read(decoded(access.text()))
        made.line = next((line for line in lines if _is_ours(line, made, wanted)), None)
        if made.line:
            break
        time.sleep(_LOOK_SECONDS)
    made.records = _records(directory, made)
    found = complaints(decoded(error.text()))
    made.complaints = [item for item in found if made.line and item.is_about(made.line)]
    made.entries = [entry for entry in words.read(decoded(app.text())) if entry.id == made.request_id]
    made.unread = [what for what in (requests.complaint(), words.complaint()) if what]


def _is_ours(line: Request, made: Evidence, wanted: str) -> bool:
    if wanted:
        return line.id == wanted
    return line.uri == made.sent.target and line.agent == "portico-trace"


def _records(directory: Path, made: Evidence) -> list[Record]:
    """The workers' records; an unfinished one is waited for, unless the gateway has given it up."""
    patience = (
        0.2
        if made.sent.status in (502, 504) or made.sent.is_stream or made.sent.status == 101
        else _RECORD_SECONDS
    )
    ends = time.monotonic() + patience
    expected = bool(made.line and made.line.upstream)
    while True:
        found = records.read(directory)
        is_whole = bool(found) and all(record.ended for record in found)
        if is_whole or time.monotonic() > ends or not (expected or found):
            return found
        time.sleep(_LOOK_SECONDS)


def keep(site: TracedSite, request_id: str, shown: Trace) -> None:
    """Stores a trace for later; the oldest ones are deleted. Only beside the logs of the user who owns the site."""
    name = request_id if _ID.fullmatch(request_id) else secrets.token_hex(16)
    try:
        with untrusted.folder(site.access_log.parent) as state:
            owner = site.runtime.lstat().st_uid
            if os.fstat(state).st_uid == owner:
                with _made(state, _TRACES, 0o700, owner) as own:
                    _write(own, f"{name}.json", msgspec.json.encode(shown), owner)
                    _remove_old(own, site.access_log.parent / _TRACES)
    except OSError:
        pass  # it was shown anyway


def _write(below: int, name: str, text: bytes, owner: int) -> None:
    untrusted.remove(below, name)
    with untrusted.file(below, name, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as number:
        if os.geteuid() == 0:
            os.fchown(number, owner, -1)
        with open(number, "wb", closefd=False) as file:
            file.write(text)


def _remove_old(own: int, directory: Path) -> None:
    found = [(status.st_mtime, path.name) for path, status in untrusted.files(directory, _MOST_FILES)]
    for _, name in sorted(found)[:-_KEPT]:
        untrusted.remove(own, name)
