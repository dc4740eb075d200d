"""What the run says, as sentences."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from portico.cli.journal import Priority
from portico.cli.output import bad, faint, good, safe, strong, warned
from portico.cli.words import lasting
from portico.run import notices
from portico.values import counted
from portico.watch.lines import short_size

_BAR = 24


def bar(item: notices.Precompressing) -> str:
    """How far the compressing is, by bytes: large files take longest."""
    full = _BAR * item.done_bytes // max(1, item.bytes)
    sizes = f"{short_size(item.done_bytes)} of {short_size(item.bytes)}"
    return faint(f"compressing {'█' * full}{'░' * (_BAR - full)} {item.done}/{item.files} files, {sizes}")


def sentence(item: notices.Notice) -> str:
    """One line for one notice, empty for what needs none."""
    return _sentence(msgspec.convert(safe(msgspec.to_builtins(item)), type(item)))


def _sentence(item: notices.Notice) -> str:  # noqa: C901  a table, one row a kind of notice
    match item:
        case notices.Starting():
            return faint("starting ...")
        case notices.AppFails(number, answer, hint):
            return bad(f"the app runs and fails: {answer}") + (
                "\n  visitors get the app's own error page; portico status asks it again"
                + (f"\n  {hint}" if hint else "")
            )
        case notices.AppWorks():
            return good("the app answers well now")
        case notices.Restarting(name, code, in_seconds, crashes):
            wait = f" in {in_seconds:.0f} s" if in_seconds >= 1 else " at once"
            again = f" (crash {crashes} in a row)" if crashes > 1 else ""
            return warned(f"{name} ended ({_ending(code)}){again}; starting it again{wait}")
        case notices.Recovered(name, down_seconds):
            return good(f"{name} is back after {down_seconds:.1f} s")
        case notices.Stuck(name, answer):
            return warned(f"{name} did not become well: {answer}; trying again")
        case notices.Reloading():
            return faint("reloading ...")
        case notices.Booting(number):
            return faint(f"release {number} is starting beside the one that serves")
        case notices.Switched(number, took_seconds):
            return good(f"release {number} serves{after(took_seconds)}")
        case notices.CanaryServes(number, tenths, _):
            return good(f"release {number} gets {tenths}0 % of the requests")
        case notices.CanaryLeft(number, why):
            return good(f"the canary, release {number}, gets no more requests") + (f": {why}" if why else "")
        case notices.RolledBack(number, worse):
            return good(f"release {number} serves again; {worse} leaves")
        case notices.TookOver(number, worse):
            return bad(f"release {worse} cannot serve: release {number}, kept for a rollback, serves again")
        case notices.CannotLoad(number, error):
            return bad(f"a worker of release {number} cannot load the app: {error}") + (
                "\n  the workers that loaded it before keep serving, but none of them can be replaced;"
                " fix the code, then portico reload"
            )
        case notices.OtherCode(number, names, pids):
            return warned(other_code(number, names, pids))
        case notices.LargeWorker(memory, limit, instead):
            return warned(
                f"max_memory ({short_size(limit)}) is too small: a worker has {short_size(memory)} when it has just"
                f" loaded the app; workers are replaced at {short_size(instead)} instead"
            )
        case notices.ReleaseDropped(number, _, problems):
            words = "\n".join(str(problem) for problem in problems)
            return bad(f"release {number} was dropped, the previous one keeps serving") + (
                f"\n{words}" if words else ""
            )
        case notices.ReleaseLeft(number, killed):
            return warned(f"release {number} did not finish in time and was ended") if killed else ""
        case notices.Stopping(up_to_seconds):
            return faint(
                f"stopping: finishing what is in progress, at most {up_to_seconds:.0f} s; again to hurry"
            )
        case notices.Hurrying():
            return warned("hurrying")
        case notices.NoServer(answer):
            return bad(f"no server of [upstream] answers well through nginx: {answer}") + (
                "\nvisitors see an error page; Portico keeps checking the servers: portico status"
            )
        case notices.OldWorkerEnded(pid, count, memory):
            held = f"{count} of nginx's old workers held on with {short_size(memory)}"
            return warned(f"{held}: the oldest, pid {pid}, was ended, and the transfers it had were cut")
        case notices.NginxSaid(line):
            return warned(f"nginx: {line}")
        case notices.ServerSaid(line):
            return line
        case notices.DiskFull(state):
            return warned(f"the disk that holds {state} is full: requests go on, their log lines are lost")
        case notices.DiskBack(state):
            return good(f"the disk that holds {state} has room again: requests are logged")
        case notices.BehindProxy(by, addresses):
            return warned(behind_proxy(by, addresses))
        case notices.ServerOut(name, answer):
            return bad(f"server {name} is out: {answer}; the others take its requests")
        case notices.ServerBack(name, out_seconds):
            return good(f"server {name} is back after {out_seconds:.1f} s")
        case notices.ServerDrained(name, undo):
            return good(f"server {name} gets requests again") if undo else faint(f"server {name} is drained")
        case notices.LastServer(name, answer):
            return bad(f"server {name} fails ({answer}), and there is no other: it goes on getting requests")
        case notices.Closed(message, allow):
            return warned(f"closed for maintenance: {message}") + (
                f"; let in: {', '.join(allow)}" if allow else ""
            )
        case notices.Opened():
            return good("maintenance is over")
        case notices.Paused(up_to_seconds):
            return warned(f"paused: requests wait, {up_to_seconds:.0f} s at most")
        case notices.Resumed(by_itself):
            return (
                warned("the pause was long enough: requests are answered again")
                if by_itself
                else good("resumed")
            )
        case notices.SiteSaid(name, line):
            return f"{strong(name)}  {line}"
        case notices.SiteServes(name, urls, took_seconds):
            return f"{strong(name)}  {good('serves')} {'  '.join(urls)}, after {took_seconds:.1f} s"
        case notices.SiteDown(name, code, in_seconds, _):
            wait = f"in {in_seconds:.0f} s" if in_seconds >= 0.5 else "at once"
            return f"{strong(name)}  {bad('is down')} ({_ending(code)}); next start {wait}, the others keep serving"
        case notices.SiteStopped(name, is_gone):
            return f"{strong(name)}  " + (
                "is gone" if is_gone else "is stopped; portico reload starts it again"
            )
        case notices.SiteRefused(name, _, problems):
            words = "\n".join(str(problem) for problem in problems)
            return f"{strong(name)}  {bad('is not served')}, the others are\n{words}"
        case notices.CertificateServed(names, days, issuer):
            return good(f"{', '.join(names)}: a certificate by {issuer} is served, good for {days:.0f} days")
        case notices.CertificateFailed(problems, again_seconds, failures):
            which = f" (try {failures})" if failures > 1 else ""
            again = f"no certificate{which}: next try in {lasting(again_seconds)}"
            return warned("\n".join([again, *map(str, problems)]))
        case notices.CertificateRefused(problems, instead):
            words = "\n".join(map(str, problems))
            return bad(_REFUSED[instead]) + f"\n{words}"
        case notices.CertificateNotServed(address, words):
            return bad(f"{address} does not show the certificate it should" + (f": {words}" if words else ""))
        case notices.CertificateEnds(days, problems, phase):
            words = "".join(f"\n{problem}" for problem in problems)
            left = f"ends in {lasting(days * 86400)}" if days >= 0 else "has ENDED"
            mark = warned if phase == "warn" else bad
            return mark(f"the certificate {left}: portico cert says what is planned") + words
        case notices.Precompressed(files, made, whole, small, took):
            sizes = f"{short_size(whole)} as {short_size(small)}"
            return (
                faint(f"{counted(files, 'static file')} compressed, {sizes}, in {took:.1f} s") if made else ""
            )
        case notices.Trouble(problem):
            return warned(str(problem))
        case notices.WatcherFailed(name, error, in_seconds):
            again = "at the next look" if in_seconds is None else f"in {in_seconds:.0f} s"
            return warned(f"watching {name} failed: {error}; the site keeps serving; next try {again}")
        case notices.WatcherRecovered(name, failed_seconds):
            return good(f"watching {name} works again, after {lasting(failed_seconds)}")
        case _:
            return ""


def after(took_seconds: float) -> str:
    """How long a release took to serve; nothing for one that served before, as a canary."""
    return f", after {took_seconds:.2f} s" if took_seconds else ""


def other_code(number: int, names: Sequence[str], pids: Sequence[int]) -> str:
    """What the release began with is not what its workers have, or what a new one would load."""
    which = ", ".join(names[:_NAMES]) + (f" and {len(names) - _NAMES} more" if len(names) > _NAMES else "")
    if pids:
        return (
            f"release {number}: {len(pids)} of its workers came up with other code than it began with ({which});"
            " a directory a release prevents that: portico reload --path DIR"
        )
    return (
        f"release {number}: its code is no longer on the disk ({which}): a worker that is replaced or crashes comes"
        " back with what is there now; put the code back and portico reload"
    )


_NAMES = 3


def priority(item: notices.Notice) -> Priority:  # noqa: C901  a table, one row a level
    """How bad it is."""
    match item:
        case notices.TookOver() | notices.CannotLoad() | notices.AppFails():
            return Priority.ERROR
        case notices.OtherCode() | notices.LargeWorker():
            return Priority.WARNING
        case notices.Restarting() | notices.Stuck() | notices.ReleaseLeft() | notices.OldWorkerEnded():
            return Priority.WARNING
        case notices.BehindProxy():
            return Priority.WARNING
        case (
            notices.NginxSaid()
            | notices.DiskFull()
            | notices.Trouble()
            | notices.WatcherFailed()
            | notices.ServerOut()
        ):
            return Priority.WARNING
        case (
            notices.ReleaseDropped()
            | notices.LastServer()
            | notices.NoServer()
            | notices.SiteDown()
            | notices.SiteRefused()
        ):
            return Priority.ERROR
        case notices.CertificateEnds(phase=phase):
            return Priority.WARNING if phase == "warn" else Priority.ERROR
        case notices.CertificateNotServed() | notices.CertificateRefused():
            return Priority.ERROR
        case notices.CertificateFailed():
            return Priority.WARNING
        case notices.ServerBack() | notices.ServerDrained() | notices.SiteServes() | notices.SiteStopped():
            return Priority.NOTICE
        case (
            notices.CertificateServed()
            | notices.Closed()
            | notices.Opened()
            | notices.Paused()
            | notices.Resumed()
        ):
            return Priority.NOTICE
        case (
            notices.Ready()
            | notices.AppWorks()
            | notices.Recovered()
            | notices.Switched()
            | notices.Stopping()
            | notices.DiskBack()
            | notices.WatcherRecovered()
        ):
            return Priority.NOTICE
        case _:
            return Priority.INFO


_REFUSED = {
    "": "the new certificate cannot be used, the previous one stays in force",
    "files": "the certificate is not valid: browsers will warn. HTTPS serves it all the same, and plain HTTP works",
    "placeholder": "the certificate cannot be used: HTTPS uses a temporary self-signed one, which "
    "no browser trusts. Plain HTTP works",
}


def _ending(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


_PROXIES = {
    "cloudflare": "Cloudflare (CF-Ray)",
    "aws": "a load balancer of AWS (X-Amzn-Trace-Id)",
    "proxy": "another proxy (X-Forwarded-For or X-Real-IP)",
}


def behind_proxy(by: str, addresses: Sequence[str]) -> str:
    """That a proxy is in front, and the option that names it."""
    named = ["cloudflare"] if by == "cloudflare" else list(addresses) or ["ADDRESS OF YOUR PROXY"]
    value = ", ".join(f'"{one}"' for one in named)
    return (
        f"requests come through {_PROXIES.get(by, by)}, and behind does not name it: the app and the log take the "
        f"proxy's address for the client's. If the proxy is yours: behind = [{value}]"
    )
