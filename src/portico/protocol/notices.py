"""Notices for people: one value for each thing worth a sentence. `cli.notices` writes the sentence.

As JSON a notice is its fields, and its name under "notice".
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

import msgspec

from portico.errors import Problem


class Notice(msgspec.Struct, frozen=True, tag_field="notice", tag=True):
    """The base of all; each is a class below it, with a row in `cli.notices`."""


class Starting(Notice, frozen=True):
    number: int


class Ready(Notice, frozen=True):
    """The app answers on the address people use."""

    took_seconds: float


class AppFails(Notice, frozen=True):
    """The app runs and answers its health path with an error; its own error page is served.

    `hint` is what may help, empty for nothing.
    """

    number: int
    answer: str
    hint: str = ""


class AppWorks(Notice, frozen=True):
    """The app that failed answers its health path well now."""

    number: int


class Restarting(Notice, frozen=True):
    """A process of a serving site ended and is started again; `crashes` counts those in a row."""

    name: str
    code: int
    in_seconds: float
    crashes: int


class Recovered(Notice, frozen=True):
    name: str
    down_seconds: float


class Stuck(Notice, frozen=True):
    """A process was started again but did not become well in time; it is ended and tried again."""

    name: str
    answer: str


class Reloading(Notice, frozen=True):
    number: int


class Booting(Notice, frozen=True):
    """A new release has its plan and starts beside the old one."""

    number: int


class Switched(Notice, frozen=True):
    """New requests go to this release; `took_seconds` is the time since it was asked for."""

    number: int
    took_seconds: float


class CanaryServes(Notice, frozen=True):
    """A new release gets `tenths` of the requests, until it is promoted or aborted."""

    number: int
    tenths: int
    took_seconds: float


class CanaryLeft(Notice, frozen=True):
    """The release before it gets everything again; `why` when nobody asked for it."""

    number: int
    why: str = ""


class RolledBack(Notice, frozen=True):
    """Requests go to release `number` again, which was kept on standby; `bad` leaves."""

    number: int
    bad: int


class TookOver(Notice, frozen=True):
    """Release `bad` ended and cannot be started: requests go to release `number`, which was kept for a rollback."""

    number: int
    bad: int


class CannotLoad(Notice, frozen=True):
    """Workers of release `number` cannot load the app, for `error`; those that loaded it before serve on."""

    number: int
    error: str


class OtherCode(Notice, frozen=True):
    """What release `number` began with is not what is there now: in its workers `pids`, or on the disk (none)."""

    number: int
    files: tuple[str, ...]
    pids: tuple[int, ...] = ()


class LargeWorker(Notice, frozen=True):
    """A worker that has just started has `memory` bytes: `limit` cannot hold, `instead` does."""

    memory: int
    limit: int
    instead: int


class Refused(Notice, frozen=True):
    """What was asked for cannot be done now; nothing has changed."""

    problem: Problem


class ReleaseDropped(Notice, frozen=True):
    """A reload failed, the old release serves on; `code` is what the reload command exits with."""

    number: int
    code: int
    problems: tuple[Problem, ...]


class ReleaseLeft(Notice, frozen=True):
    """An old release finished what it had; `killed` when it did not in time."""

    number: int
    killed: bool


class Stopping(Notice, frozen=True):
    """Finishing what is in progress, for `up_to_seconds` at most."""

    up_to_seconds: float


class Hurrying(Notice, frozen=True):
    pass


class NginxSaid(Notice, frozen=True):
    """A line nginx wrote to its standard error."""

    line: str


class ServerSaid(Notice, frozen=True):
    """A line that an app server wrote to its standard error."""

    line: str


class NoServer(Notice, frozen=True):
    """No server of [upstream] became well in time; visitors see a page, and the servers are asked again and again."""

    answer: str


class OldWorkerEnded(Notice, frozen=True):
    """One of nginx's old workers was ended with its transfers: `count` held on, with so much memory."""

    pid: int
    count: int
    memory: int


class PassesAsked(Notice, frozen=True):
    """More requests come than the app answers: costly routes ask for a pass."""


class PassesNotAsked(Notice, frozen=True):
    """Fewer requests come again."""

    after_seconds: float


class DiskFull(Notice, frozen=True):
    """The disk that holds the logs is full: what nginx logs now is lost."""

    state: str


class DiskBack(Notice, frozen=True):
    """It has room again."""

    state: str


class BehindProxy(Notice, frozen=True):
    """Requests come through a proxy that `behind` does not name: "cloudflare", "aws" or "proxy"."""

    by: str
    addresses: tuple[str, ...]


class ServerOut(Notice, frozen=True):
    """A server of the upstream failed its checks and gets no more requests."""

    name: str
    answer: str


class ServerBack(Notice, frozen=True):
    """It is well again, and gets requests."""

    name: str
    out_seconds: float


class ServerDrained(Notice, frozen=True):
    """A user asked for a server to get no new requests; with `undo`, to get them again."""

    name: str
    undo: bool = False


class LastServer(Notice, frozen=True):
    """A server fails its checks and keeps getting requests, because there is no other."""

    name: str
    answer: str


class Closed(Notice, frozen=True):
    """A user closed the site for maintenance, or changed its message."""

    message: str
    allow: tuple[str, ...]


class Opened(Notice, frozen=True):
    """Its maintenance is over."""


class Paused(Notice, frozen=True):
    """Nothing is in progress, and requests wait, for `up_to_seconds` at most."""

    up_to_seconds: float


class Resumed(Notice, frozen=True):
    """The pause is over: a user ended it, or its time was up (`by_itself`)."""

    by_itself: bool


class SiteSaid(Notice, frozen=True):
    """A line that the supervisor of one of a gateway's sites wrote."""

    name: str
    line: str


class SiteServes(Notice, frozen=True):
    """One of a gateway's sites answers through nginx."""

    name: str
    urls: tuple[str, ...]
    took_seconds: float


class SiteDown(Notice, frozen=True):
    """The supervisor of one of a gateway's sites ended, for `reason`; it is started again after `in_seconds`."""

    name: str
    code: int
    in_seconds: float
    failures: int
    reason: str


class SiteStopped(Notice, frozen=True):
    """A user stopped one of a gateway's sites; `is_gone` when it was removed."""

    name: str
    is_gone: bool = False


class SiteRefused(Notice, frozen=True):
    """One of a gateway's sites cannot be served, for `reason`; the others are."""

    name: str
    reason: str


class SitesRead(Notice, frozen=True):
    """A gateway has read again which sites there are: so many are new, and so many are gone."""

    added: int
    removed: int


class WorkersReset(Notice, frozen=True):
    """The new release has its configured `workers`, not those that `portico scale` gave the one before."""

    workers: int
    before: int


class CertificateServed(Notice, frozen=True):
    """A new certificate is in force, and seen on every address."""

    names: tuple[str, ...]
    days: float
    issuer: str


class CertificateFailed(Notice, frozen=True):
    """No new certificate was to be had; the site serves on with what it has, and asks again."""

    problems: tuple[Problem, ...]
    again_seconds: float
    failures: int


class CertificateRefused(Notice, frozen=True):
    """The user's files are not fit for use. `instead` is what is served, "files" or "placeholder"; empty: the
    certificate of before, which is fit."""

    problems: tuple[Problem, ...]
    instead: str = ""


class CertificateNotServed(Notice, frozen=True):
    """An address shows another certificate than it should, or none: `words` say why."""

    address: str
    words: str


class CertificateEnds(Notice, frozen=True):
    """It should have been renewed; `problems` is what stands in the way. `phase` is warn, urgent or ended."""

    days: float
    problems: tuple[Problem, ...]
    phase: str = "urgent"


class Precompressing(Notice, frozen=True):
    """Static files are being compressed: how many of them, and of their bytes, are done."""

    done: int
    files: int
    done_bytes: int
    bytes: int


class Precompressed(Notice, frozen=True):
    """They are: `small_bytes` are what the best copies have of `bytes`; `made` of the files were not known before."""

    files: int
    made: int
    bytes: int
    small_bytes: int
    took_seconds: float


class Trouble(Notice, frozen=True):
    """Something beside the serving failed; the site keeps serving."""

    problem: Problem


class WatcherFailed(Notice, frozen=True):
    """What looks beside the serving failed, and is tried again: in so many seconds, or at its next look."""

    name: str
    error: str
    in_seconds: float | None


class WatcherRecovered(Notice, frozen=True):
    """It works again."""

    name: str
    failed_seconds: float


ANY: Any = reduce(or_, Notice.__subclasses__())
"""The type of any notice, for readers of its JSON."""


def to_json(item: Notice) -> dict[str, Any]:
    made: dict[str, Any] = msgspec.to_builtins(item)
    return made
