"""Notices for people: one value for each event worth a sentence. `cli.notices` writes the sentence.

As JSON a notice is its fields, with its name as "notice".
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

import msgspec

from portico.errors import Problem


class Notice(msgspec.Struct, frozen=True, tag_field="notice", tag=True):
    """The base of all notices; each subclass has a row in `cli.notices`."""


class Starting(Notice, frozen=True):
    number: int


class Ready(Notice, frozen=True):
    """The app answers on the site's address."""

    took_seconds: float


class AppFails(Notice, frozen=True):
    """The app runs and answers its health path with an error; its own error page is shown.

    `hint` is what may help, empty for nothing.
    """

    number: int
    answer: str
    hint: str = ""


class AppWorks(Notice, frozen=True):
    """The app that failed answers its health path without an error now."""

    number: int


class Restarting(Notice, frozen=True):
    """A process of a serving site ended and is restarted; `crashes` counts those in a row."""

    name: str
    code: int
    in_seconds: float
    crashes: int


class Recovered(Notice, frozen=True):
    name: str
    down_seconds: float


class Stuck(Notice, frozen=True):
    """A restarted process did not become healthy in time; it is ended and started again."""

    name: str
    answer: str


class Reloading(Notice, frozen=True):
    number: int


class Changed(Notice, frozen=True):
    """With `--dev`: these files have changed, and the app is loaded again."""

    files: tuple[str, ...]


class NotAllWatched(Notice, frozen=True):
    """With `--dev`: there are more files and directories than the `most` that are watched."""

    most: int


class Booting(Notice, frozen=True):
    """A new release has its plan and starts beside the old one. `python` names its interpreter if that is another."""

    number: int
    python: str = ""


class Preparing(Notice, frozen=True):
    """A command runs before the release is started."""

    number: int
    command: str


class CommandWaits(Notice, frozen=True):
    """The command of release `number` waits for the end of that of release `earlier`; `when` is before or after."""

    number: int
    when: str
    earlier: int


class Concluding(Notice, frozen=True):
    """A command runs after the release has begun to serve."""

    number: int
    command: str


class Concluded(Notice, frozen=True):
    """It has ended well."""

    number: int
    command: str


class NotConcluded(Notice, frozen=True):
    """It has failed, or could not be started. The release serves on."""

    number: int
    problems: tuple[Problem, ...]


class ConclusionEnded(Notice, frozen=True):
    """Portico has ended it, or not started it, because of `why`: the release no longer serves."""

    number: int
    command: str
    why: str
    was_started: bool


class BackgroundStarted(Notice, frozen=True):
    """A background process of the release was started."""

    name: str
    number: int
    pid: int
    command: str


class Switched(Notice, frozen=True):
    """New requests go to this release; `took_seconds` is the time since the command."""

    number: int
    took_seconds: float


class CanaryServes(Notice, frozen=True):
    """A new release gets `tenths` of the requests, until it is promoted or aborted."""

    number: int
    tenths: int
    took_seconds: float


class CanaryLeft(Notice, frozen=True):
    """The previous release gets all requests again; `why` if no user asked for it."""

    number: int
    why: str = ""


class RolledBack(Notice, frozen=True):
    """Requests go to release `number` again, which was on standby; `bad` leaves."""

    number: int
    bad: int


class TookOver(Notice, frozen=True):
    """Release `bad` ended and cannot be started: requests go to release `number`, which was on standby."""

    number: int
    bad: int


class CannotLoad(Notice, frozen=True):
    """Workers of release `number` cannot load the app, for `error`; those that have loaded it keep serving."""

    number: int
    error: str


class OtherCode(Notice, frozen=True):
    """Release `number` began with other code than there is now: in its workers `pids`, or on the disk (none).

    `processes` are its background processes that have just been started, from the code on the disk.
    """

    number: int
    files: tuple[str, ...]
    pids: tuple[int, ...] = ()
    processes: tuple[str, ...] = ()


class LargeWorker(Notice, frozen=True):
    """A worker has `memory` bytes right after its start: `limit` is too small, `instead` applies."""

    memory: int
    limit: int
    instead: int


class Refused(Notice, frozen=True):
    """The command cannot be done now; nothing has changed."""

    problem: Problem


class ReleaseDropped(Notice, frozen=True):
    """A reload failed, the old release keeps serving; `code` is the exit code of the reload command."""

    number: int
    code: int
    problems: tuple[Problem, ...]


class ReleaseLeft(Notice, frozen=True):
    """An old release finished its requests; `killed` if it did not in time."""

    number: int
    killed: bool


class Stopping(Notice, frozen=True):
    """The site finishes its requests in progress, for `up_to_seconds` at most."""

    up_to_seconds: float


class Hurrying(Notice, frozen=True):
    pass


class GatewaySaid(Notice, frozen=True):
    """A line the gateway wrote to its standard error; `program` is what it is called (nginx, apache)."""

    line: str
    program: str = "nginx"


class ServerSaid(Notice, frozen=True):
    """A line that an app server wrote to its standard error."""

    line: str


class NoServer(Notice, frozen=True):
    """No server of [upstream] became healthy in time; visitors see a page, and the servers are checked repeatedly."""

    answer: str


class OldWorkerEnded(Notice, frozen=True):
    """An old worker of the gateway was ended with its transfers: there were `count` of them, with so much memory."""

    pid: int
    count: int
    memory: int


class PassesAsked(Notice, frozen=True):
    """More requests come than the app answers: costly routes ask for a pass."""


class PassesNotAsked(Notice, frozen=True):
    """Fewer requests come again."""

    after_seconds: float


class DiskFull(Notice, frozen=True):
    """The disk of the logs is full: what the gateway logs now is lost."""

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


class ServersMoved(Notice, frozen=True):
    """The names of these servers lead to other addresses, and the gateway has looked them up again."""

    names: tuple[str, ...]


class ServerBack(Notice, frozen=True):
    """It is healthy again, and gets requests."""

    name: str
    out_seconds: float


class ServerDrained(Notice, frozen=True):
    """A user asked that a server gets no new requests; with `undo`, that it gets them again."""

    name: str
    undo: bool = False


class LastServer(Notice, frozen=True):
    """A server fails its checks and still gets requests, because there is no other."""

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
    """A line from the supervisor of one of a gateway's sites."""

    name: str
    line: str


class SiteServes(Notice, frozen=True):
    """One of a gateway's sites answers through the gateway."""

    name: str
    urls: tuple[str, ...]
    took_seconds: float


class SiteDown(Notice, frozen=True):
    """The supervisor of one of a gateway's sites ended, for `reason`; it is restarted after `in_seconds`."""

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
    """A gateway has read its list of sites again: how many are new, and how many are gone."""

    added: int
    removed: int


class WorkersReset(Notice, frozen=True):
    """The new release has its configured `workers`, not those that `portico scale` set for the previous one."""

    workers: int
    before: int


class CertificateServed(Notice, frozen=True):
    """A new certificate is in force, and verified on every address."""

    names: tuple[str, ...]
    days: float
    issuer: str


class CertificateFailed(Notice, frozen=True):
    """No new certificate could be obtained; the site keeps its current one, and Portico tries again."""

    problems: tuple[Problem, ...]
    again_seconds: float
    failures: int


class CertificateRefused(Notice, frozen=True):
    """The user's certificate files are not usable. `instead` is what is served, "files" or "placeholder"; empty:
    the previous certificate, which is valid.
    """

    problems: tuple[Problem, ...]
    instead: str = ""


class CertificateNotServed(Notice, frozen=True):
    """An address shows another certificate than it should, or none: `words` say why."""

    address: str
    words: str


class CertificateEnds(Notice, frozen=True):
    """The certificate should have been renewed; `problems` are the obstacles. `phase` is warn, urgent or ended."""

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
    """Static files are compressed: `small_bytes` are the best copies' share of `bytes`; `made` of the files were
    new.
    """

    files: int
    made: int
    bytes: int
    small_bytes: int
    took_seconds: float


class Trouble(Notice, frozen=True):
    """A background task failed; the site keeps serving."""

    problem: Problem


class WatcherFailed(Notice, frozen=True):
    """A watcher failed, and is retried: in so many seconds, or at its next check."""

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
