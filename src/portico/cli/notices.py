"""Notices as sentences, one row per kind: for `portico run` and for the sender of a command."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from portico.cli.journal import Priority
from portico.cli.output import bad, faint, good, safe, strong, warned
from portico.cli.words import lasting
from portico.errors import Problem
from portico.protocol import notices
from portico.protocol.notices import Notice
from portico.values import counted
from portico.watch.lines import short_size

_BAR = 24


class Row(NamedTuple):
    """The sentence for one kind of notice. `answer` is for the sender of the command; without it, both get the
    same.
    """

    sentence: Callable[[Any], str]
    priority: Priority | Callable[[Any], Priority] = Priority.INFO
    answer: Callable[[Any], str] | None = None


def sentence(item: Notice) -> str:
    """One line for a notice; empty if it needs none."""
    row = ROWS.get(type(item))
    return row.sentence(safe(item)) if row else ""


def answer(item: Notice) -> str:
    """The line for the user whose command caused the notice."""
    row = ROWS.get(type(item))
    return (row.answer or row.sentence)(safe(item)) if row else type(item).__name__


def priority(item: Notice) -> Priority:
    """The priority of a notice."""
    found = ROWS[type(item)].priority if type(item) in ROWS else Priority.INFO
    return found if isinstance(found, Priority) else found(item)


def bar(item: notices.Precompressing) -> str:
    """The progress of compression in bytes, because large files take longest."""
    full = _BAR * item.done_bytes // max(1, item.bytes)
    sizes = f"{short_size(item.done_bytes)} of {short_size(item.bytes)}"
    return faint(f"compressing {'█' * full}{'░' * (_BAR - full)} {item.done}/{item.files} files, {sizes}")


def other_code(number: int, names: Sequence[str], pids: Sequence[int], processes: Sequence[str] = ()) -> str:
    """The release began with other files than its workers have, or than a new worker would load.

    `processes` are names of background processes that have just loaded them.
    """
    which = ", ".join(names[:_NAMES]) + (f" and {len(names) - _NAMES} more" if len(names) > _NAMES else "")
    if pids:
        return (
            f"release {number}: {len(pids)} of its workers loaded other code than the release started with ({which});"
            " one directory for each release prevents this: portico reload --path DIR"
        )
    return (
        f"release {number}: its code is no longer on disk ({which}): a replaced or crashed worker loads what"
        f" is there now{_running_it(processes)}; restore the code, then portico reload"
    )


def _running_it(processes: Sequence[str]) -> str:
    if not processes:
        return ""
    runs = "process runs" if len(processes) == 1 else "processes run"
    return f", and its {runs} that already ({', '.join(processes)})"


def behind_proxy(by: str, addresses: Sequence[str]) -> str:
    """The note that a proxy is in front, and the option that names it."""
    named = ["cloudflare"] if by == "cloudflare" else list(addresses) or ["ADDRESS OF YOUR PROXY"]
    value = ", ".join(f'"{one}"' for one in named)
    return (
        f"requests come through {_PROXIES.get(by, by)}, and behind does not name it: the app and the log take the "
        f"proxy's address for the client's. If the proxy is yours: behind = [{value}]"
    )


# Notices of more than one line -----------------------------------------------------------------------------


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return ", ".join(names[:_NAMES]) + more


def _app_fails(item: notices.AppFails) -> str:
    return bad(f"the app runs, but fails: {item.answer}") + (
        "\n  visitors get the app's own error page; portico status checks it again"
        + (f"\n  {item.hint}" if item.hint else "")
    )


def _restarting(item: notices.Restarting) -> str:
    wait = f" in {item.in_seconds:.0f} s" if item.in_seconds >= 1 else " at once"
    again = f" (crash {item.crashes} in a row)" if item.crashes > 1 else ""
    return warned(f"{item.name} ended ({_ending(item.code)}){again}; starting it again{wait}")


def _with_python(item: notices.Booting) -> str:
    return f", with {item.python}" if item.python else ""


def _switched(item: notices.Switched) -> str:
    """Leaves out the time if the release served before, as a canary."""
    after = f", after {item.took_seconds:.2f} s" if item.took_seconds else ""
    return good(f"release {item.number} serves{after}")


def _canary_serves(item: notices.CanaryServes) -> str:
    return good(f"release {item.number} gets {item.tenths}0 % of the requests")


def _canary_left(item: notices.CanaryLeft) -> str:
    why = f": {item.why}" if item.why else ""
    return good(f"the canary, release {item.number}, gets no more requests") + why


def _took_over(item: notices.TookOver) -> str:
    return bad(f"release {item.bad} cannot serve: release {item.number}, on standby, serves again")


def _cannot_load(item: notices.CannotLoad) -> str:
    return bad(f"a worker of release {item.number} cannot load the app: {item.error}") + (
        "\n  the workers that loaded it before keep serving, but none of them can be replaced;"
        " fix the code, then portico reload"
    )


def _large_worker(item: notices.LargeWorker) -> str:
    return warned(
        f"max_memory ({short_size(item.limit)}) is too small: a worker has {short_size(item.memory)} when it has just"
        f" loaded the app; workers are replaced at {short_size(item.instead)} instead"
    )


def _dropped(item: notices.ReleaseDropped) -> str:
    return _with(bad(f"release {item.number} was dropped, the previous one keeps serving"), item.problems)


def _not_concluded(item: notices.NotConcluded) -> str:
    return _with(bad(f"release {item.number} serves, but the command after it failed"), item.problems)


def _conclusion_ended(item: notices.ConclusionEnded) -> str:
    what = "was stopped" if item.was_started else "was not started"
    return warned(f"after release {item.number}: {item.command} {what}: {item.why}")


def _nothing_changed(item: notices.ReleaseDropped) -> str:
    """A gateway has no release of its own; its number is 0."""
    what = "the new release was dropped, the previous one keeps serving"
    return _with(bad(what if item.number else "nothing was changed"), item.problems)


def _left(item: notices.ReleaseLeft) -> str:
    return warned(f"release {item.number} did not finish in time and was ended") if item.killed else ""


def _no_server(item: notices.NoServer) -> str:
    return bad(f"no server of [upstream] is healthy through the gateway: {item.answer}") + (
        "\nvisitors see an error page; Portico keeps checking the servers: portico status"
    )


def _old_worker_ended(item: notices.OldWorkerEnded) -> str:
    held = f"{item.count} of the gateway's old workers are still there with {short_size(item.memory)}"
    return warned(f"{held}: the oldest, pid {item.pid}, was ended, and its transfers were cut")


def _server_drained(item: notices.ServerDrained) -> str:
    if item.undo:
        return good(f"server {item.name} gets requests again")
    return faint(f"server {item.name} is drained")


def _closed(item: notices.Closed) -> str:
    let_in = f"; let in: {', '.join(item.allow)}" if item.allow else ""
    return warned(f"closed for maintenance: {item.message}") + let_in


def _resumed(item: notices.Resumed) -> str:
    if item.by_itself:
        return warned("the pause has ended by itself: requests are answered again")
    return good("resumed")


def _workers_reset(item: notices.WorkersReset) -> str:
    return f"  it has {counted(item.workers, 'worker')} as configured; before, it had {item.before}"


def _site_serves(item: notices.SiteServes) -> str:
    return f"{strong(item.name)}  {good('serves')} {'  '.join(item.urls)}, after {item.took_seconds:.1f} s"


def _site_down(item: notices.SiteDown) -> str:
    wait = f"in {item.in_seconds:.0f} s" if item.in_seconds >= 0.5 else "at once"
    what = f"({_ending(item.code)}); next start {wait}, the others keep serving"
    return f"{strong(item.name)}  {bad('is down')} {what}"


def _site_stopped(item: notices.SiteStopped) -> str:
    what = "is gone" if item.is_gone else "is stopped; portico reload starts it again"
    return f"{strong(item.name)}  {what}"


def _certificate_served(item: notices.CertificateServed) -> str:
    names = ", ".join(item.names)
    return good(f"{names}: a certificate by {item.issuer} is served, good for {item.days:.0f} days")


def _certificate_failed(item: notices.CertificateFailed) -> str:
    which = f" (try {item.failures})" if item.failures > 1 else ""
    again = f"no certificate{which}: next try in {lasting(item.again_seconds)}"
    return warned("\n".join([again, *map(str, item.problems)]))


def _certificate_not_served(item: notices.CertificateNotServed) -> str:
    words = f": {item.words}" if item.words else ""
    return bad(f"{item.address} does not serve the right certificate{words}")


def _certificate_ends(item: notices.CertificateEnds) -> str:
    left = f"ends in {lasting(item.days * 86400)}" if item.days >= 0 else "has ENDED"
    paint = warned if item.phase == "warn" else bad
    return _with(paint(f"the certificate {left}: portico cert says what is planned"), item.problems)


def _precompressed(item: notices.Precompressed) -> str:
    sizes = f"{short_size(item.bytes)} as {short_size(item.small_bytes)}"
    what = f"{counted(item.files, 'static file')} compressed, {sizes}, in {item.took_seconds:.1f} s"
    return faint(what) if item.made else ""


def _watcher_failed(item: notices.WatcherFailed) -> str:
    again = "at the next look" if item.in_seconds is None else f"in {item.in_seconds:.0f} s"
    return warned(f"watching {item.name} failed: {item.error}; the site keeps serving; next try {again}")


def _with(head: str, problems: Sequence[Problem]) -> str:
    return "\n".join([head, *map(str, problems)])


def _of_site(name: str, what: str, reason: str) -> str:
    return "\n".join([f"{name}  {what}", *(f"    {line}" for line in reason.splitlines())])


def _ending(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


_NAMES = 3
_PROXIES = {
    "cloudflare": "Cloudflare (CF-Ray)",
    "aws": "a load balancer of AWS (X-Amzn-Trace-Id)",
    "proxy": "another proxy (X-Forwarded-For or X-Real-IP)",
}
_REFUSED = {
    "": "the new certificate cannot be used, the previous one stays in use",
    "files": "the certificate is not valid: browsers will warn. HTTPS serves it anyway, and plain HTTP works",
    "placeholder": "the certificate cannot be used: HTTPS uses a temporary self-signed one, which "
    "no browser trusts. Plain HTTP works",
}
_ERROR, _WARNING, _NOTICE = Priority.ERROR, Priority.WARNING, Priority.NOTICE

ROWS: Mapping[type[Notice], Row] = {
    # A start, and what happens to the app server and nginx
    notices.Starting: Row(lambda _: faint("starting ...")),
    notices.Ready: Row(lambda _: "", _NOTICE),  # the banner reports it
    notices.AppFails: Row(_app_fails, _ERROR),
    notices.AppWorks: Row(lambda _: good("the app is healthy now"), _NOTICE),
    notices.Restarting: Row(_restarting, _WARNING),
    notices.Recovered: Row(lambda it: good(f"{it.name} is back after {it.down_seconds:.1f} s"), _NOTICE),
    notices.Stuck: Row(
        lambda it: warned(f"{it.name} did not become healthy: {it.answer}; trying again"), _WARNING
    ),
    notices.NoServer: Row(_no_server, _ERROR),
    notices.OldWorkerEnded: Row(_old_worker_ended, _WARNING),
    notices.GatewaySaid: Row(lambda it: warned(f"{it.program}: {it.line}"), _WARNING),
    notices.ServerSaid: Row(lambda it: str(it.line)),
    notices.Stopping: Row(
        lambda it: faint(
            f"stopping: finishing what is in progress, at most {it.up_to_seconds:.0f} s; again to hurry"
        ),
        _NOTICE,
        answer=lambda _: bad("the site is being stopped"),
    ),
    notices.Hurrying: Row(lambda _: warned("hurrying")),
    # Releases
    notices.Reloading: Row(
        lambda _: faint("reloading ..."),
        answer=lambda _: faint("reading the app and the configuration ..."),
    ),
    notices.Changed: Row(lambda it: faint(f"{_some(it.files)} changed: the app is loaded again")),
    notices.NotAllWatched: Row(
        lambda it: warned(
            f"the app's directory has more than {it.most} files and directories, and the rest is not watched: move "
            "data out of it, or into a directory whose name begins with a dot"
        ),
        _WARNING,
    ),
    notices.Booting: Row(
        lambda it: faint(f"release {it.number} is starting beside the live one{_with_python(it)}"),
        answer=lambda it: faint(f"release {it.number} starts beside the running one{_with_python(it)} ..."),
    ),
    notices.Preparing: Row(
        lambda it: faint(f"before release {it.number}: {it.command}"),
        answer=lambda it: faint(f"before release {it.number}: {it.command} ..."),
    ),
    notices.CommandWaits: Row(
        lambda it: faint(
            f"{it.when} release {it.number}: waits for the end of the command {it.when} release {it.earlier}"
        )
    ),
    notices.Concluding: Row(
        lambda it: faint(f"after release {it.number}: {it.command}"),
        answer=lambda it: faint(f"after release {it.number}: {it.command} ..."),
    ),
    notices.Concluded: Row(lambda it: faint(f"after release {it.number}: {it.command} has ended well")),
    notices.NotConcluded: Row(_not_concluded, _ERROR),
    notices.ConclusionEnded: Row(_conclusion_ended, _NOTICE),
    notices.BackgroundStarted: Row(
        lambda it: faint(f"process {it.name} of release {it.number}: {it.command}, pid {it.pid}")
    ),
    notices.Switched: Row(_switched, _NOTICE),
    notices.CanaryServes: Row(
        _canary_serves,
        answer=lambda it: (
            f"{_canary_serves(it)}\ncompare: portico status; then: portico reload --promote, or --abort"
        ),
    ),
    notices.CanaryLeft: Row(_canary_left),
    notices.RolledBack: Row(
        lambda it: good(f"release {it.number} serves again; {it.bad} leaves"),
        answer=lambda it: good(f"release {it.number} serves again; release {it.bad} stops"),
    ),
    notices.TookOver: Row(_took_over, _ERROR),
    notices.Refused: Row(lambda _: "", answer=lambda it: str(it.problem)),
    notices.ReleaseDropped: Row(_dropped, _ERROR, answer=_nothing_changed),
    notices.ReleaseLeft: Row(_left, _WARNING),
    notices.WorkersReset: Row(_workers_reset),
    notices.CannotLoad: Row(_cannot_load, _ERROR),
    notices.OtherCode: Row(
        lambda it: warned(other_code(it.number, it.files, it.pids, it.processes)), _WARNING
    ),
    notices.LargeWorker: Row(_large_worker, _WARNING),
    # Servers elsewhere, and proxies in front
    notices.ServerOut: Row(
        lambda it: bad(f"server {it.name} is out: {it.answer}; the others take its requests"), _WARNING
    ),
    notices.ServerBack: Row(
        lambda it: good(f"server {it.name} is back after {it.out_seconds:.1f} s"), _NOTICE
    ),
    notices.ServersMoved: Row(
        lambda it: f"other addresses of {', '.join(it.names)}: the gateway has looked them up again", _NOTICE
    ),
    notices.ServerDrained: Row(_server_drained, _NOTICE),
    notices.LastServer: Row(
        lambda it: bad(
            f"server {it.name} fails ({it.answer}), and no other is left: it keeps getting requests"
        ),
        _ERROR,
    ),
    notices.BehindProxy: Row(lambda it: warned(behind_proxy(it.by, it.addresses)), _WARNING),
    # Commands of people
    notices.Closed: Row(_closed, _NOTICE),
    notices.Opened: Row(lambda _: good("maintenance is over"), _NOTICE),
    notices.Paused: Row(
        lambda it: warned(f"paused: requests wait, {it.up_to_seconds:.0f} s at most"), _NOTICE
    ),
    notices.Resumed: Row(_resumed, _NOTICE),
    # The sites of a gateway
    notices.SitesRead: Row(
        lambda it: f"list of sites read: {it.added} new, {it.removed} removed",
    ),
    notices.SiteSaid: Row(lambda it: f"{strong(it.name)}  {it.line}"),
    notices.SiteServes: Row(_site_serves, _NOTICE, answer=lambda it: f"{it.name}  {good('serves')}"),
    notices.SiteDown: Row(
        _site_down, _ERROR, answer=lambda it: _of_site(it.name, bad("does not start"), it.reason)
    ),
    notices.SiteStopped: Row(_site_stopped, _NOTICE),
    notices.SiteRefused: Row(
        lambda it: f"{strong(it.name)}  {bad('is not served')}, the others are\n{it.reason}",
        _ERROR,
        answer=lambda it: _of_site(it.name, bad("is not served"), it.reason),
    ),
    # Certificates
    notices.CertificateServed: Row(_certificate_served, _NOTICE),
    notices.CertificateFailed: Row(_certificate_failed, _WARNING),
    notices.CertificateRefused: Row(lambda it: _with(bad(_REFUSED[it.instead]), it.problems), _ERROR),
    notices.CertificateNotServed: Row(_certificate_not_served, _ERROR),
    notices.CertificateEnds: Row(_certificate_ends, lambda it: _WARNING if it.phase == "warn" else _ERROR),
    # Tasks beside the serving
    notices.Precompressed: Row(_precompressed),
    notices.PassesAsked: Row(
        lambda _: warned(
            "more requests come than the app answers: costly routes ask for a pass (guard.challenge)"
        ),
        _WARNING,
    ),
    notices.PassesNotAsked: Row(
        lambda it: good(f"costly routes ask for no pass any more, after {lasting(it.after_seconds)}"), _NOTICE
    ),
    notices.DiskFull: Row(
        lambda it: warned(
            f"the disk that holds {it.state} is full: requests are still answered, their log lines are lost"
        ),
        _WARNING,
    ),
    notices.DiskBack: Row(
        lambda it: good(f"the disk that holds {it.state} has room again: requests are logged"), _NOTICE
    ),
    notices.Trouble: Row(lambda it: warned(str(it.problem)), _WARNING),
    notices.WatcherFailed: Row(_watcher_failed, _WARNING),
    notices.WatcherRecovered: Row(
        lambda it: good(f"watching {it.name} works again, after {lasting(it.failed_seconds)}"), _NOTICE
    ),
}
