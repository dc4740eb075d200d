"""What the run says, as sentences."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from portico.cli.journal import Priority
from portico.cli.output import bad, faint, good, safe, strong, warned
from portico.cli.words import lasting
from portico.run import news
from portico.values import counted
from portico.watch.lines import short_size

_BAR = 24


def bar(item: news.Packing) -> str:
    """How far the compressing is, by bytes: large files take longest."""
    full = _BAR * item.done_bytes // max(1, item.bytes)
    sizes = f"{short_size(item.done_bytes)} of {short_size(item.bytes)}"
    return faint(f"compressing {'█' * full}{'░' * (_BAR - full)} {item.done}/{item.files} files, {sizes}")


def sentence(item: news.News) -> str:
    """One line for one piece of news, empty for what needs none."""
    return _sentence(msgspec.convert(safe(msgspec.to_builtins(item)), type(item)))


def _sentence(item: news.News) -> str:  # noqa: C901  a table, one row a kind of news
    match item:
        case news.Starting():
            return faint("starting ...")
        case news.AppFails(number, answer, hint):
            return bad(f"the app runs and fails: {answer}") + (
                "\n  visitors get the app's own error page; portico status asks it again"
                + (f"\n  {hint}" if hint else "")
            )
        case news.AppWorks():
            return good("the app answers well now")
        case news.Restarting(name, code, in_seconds, crashes):
            wait = f" in {in_seconds:.0f} s" if in_seconds >= 1 else " at once"
            again = f" (crash {crashes} in a row)" if crashes > 1 else ""
            return warned(f"{name} ended ({_ending(code)}){again}; starting it again{wait}")
        case news.Recovered(name, down_seconds):
            return good(f"{name} is back after {down_seconds:.1f} s")
        case news.Stuck(name, answer):
            return warned(f"{name} did not become well: {answer}; trying again")
        case news.Reloading():
            return faint("reloading ...")
        case news.Booting(number):
            return faint(f"release {number} is starting beside the one that serves")
        case news.Switched(number, took_seconds):
            return good(f"release {number} serves{after(took_seconds)}")
        case news.CanaryServes(number, tenths, _):
            return good(f"release {number} gets {tenths}0 % of the requests")
        case news.CanaryLeft(number, why):
            return good(f"the canary, release {number}, gets no more requests") + (f": {why}" if why else "")
        case news.RolledBack(number, worse):
            return good(f"release {number} serves again; {worse} leaves")
        case news.TookOver(number, worse):
            return bad(f"release {worse} cannot serve: release {number}, kept for a rollback, serves again")
        case news.CannotLoad(number, error):
            return bad(f"a worker of release {number} cannot load the app: {error}") + (
                "\n  the workers that loaded it before keep serving, but none of them can be replaced;"
                " fix the code, then portico reload"
            )
        case news.OtherCode(number, names, pids):
            return warned(other_code(number, names, pids))
        case news.LargeWorker(memory, limit, instead):
            return warned(
                f"max_memory ({short_size(limit)}) is too small: a worker has {short_size(memory)} when it has just"
                f" loaded the app; workers are replaced at {short_size(instead)} instead"
            )
        case news.GenerationDropped(number, _, problems):
            words = "\n".join(str(problem) for problem in problems)
            return bad(f"release {number} was dropped, the previous one keeps serving") + (
                f"\n{words}" if words else ""
            )
        case news.GenerationLeft(number, killed):
            return warned(f"release {number} did not finish in time and was ended") if killed else ""
        case news.Stopping(up_to_seconds):
            return faint(
                f"stopping: finishing what is in progress, at most {up_to_seconds:.0f} s; again to hurry"
            )
        case news.Hurrying():
            return warned("hurrying")
        case news.NoServer(answer):
            return bad(f"no server of [upstream] answers well through nginx: {answer}") + (
                "\nvisitors see an error page; Portico keeps checking the servers: portico status"
            )
        case news.OldWorkerEnded(pid, count, memory):
            held = f"{count} of nginx's old workers held on with {short_size(memory)}"
            return warned(f"{held}: the oldest, pid {pid}, was ended, and the transfers it had were cut")
        case news.NginxSaid(line):
            return warned(f"nginx: {line}")
        case news.ServerSaid(line):
            return line
        case news.DiskFull(state):
            return warned(f"the disk that holds {state} is full: requests go on, their log lines are lost")
        case news.DiskBack(state):
            return good(f"the disk that holds {state} has room again: requests are logged")
        case news.BehindProxy(by, addresses):
            return warned(behind_proxy(by, addresses))
        case news.ServerOut(name, answer):
            return bad(f"server {name} is out: {answer}; the others take its requests")
        case news.ServerBack(name, out_seconds):
            return good(f"server {name} is back after {out_seconds:.1f} s")
        case news.ServerDrained(name, undo):
            return good(f"server {name} gets requests again") if undo else faint(f"server {name} is drained")
        case news.LastServer(name, answer):
            return bad(f"server {name} fails ({answer}), and there is no other: it goes on getting requests")
        case news.Closed(message, allow):
            return warned(f"closed for maintenance: {message}") + (
                f"; let in: {', '.join(allow)}" if allow else ""
            )
        case news.Opened():
            return good("maintenance is over")
        case news.Paused(up_to_seconds):
            return warned(f"paused: requests wait, {up_to_seconds:.0f} s at most")
        case news.Resumed(by_itself):
            return (
                warned("the pause was long enough: requests are answered again")
                if by_itself
                else good("resumed")
            )
        case news.SiteSaid(name, line):
            return f"{strong(name)}  {line}"
        case news.SiteServes(name, urls, took_seconds):
            return f"{strong(name)}  {good('serves')} {'  '.join(urls)}, after {took_seconds:.1f} s"
        case news.SiteDown(name, code, in_seconds, _):
            wait = f"in {in_seconds:.0f} s" if in_seconds >= 0.5 else "at once"
            return f"{strong(name)}  {bad('is down')} ({_ending(code)}); next start {wait}, the others keep serving"
        case news.SiteStopped(name, is_gone):
            return f"{strong(name)}  " + (
                "is gone" if is_gone else "is stopped; portico reload starts it again"
            )
        case news.SiteRefused(name, _, problems):
            words = "\n".join(str(problem) for problem in problems)
            return f"{strong(name)}  {bad('is not served')}, the others are\n{words}"
        case news.CertificateServed(names, days, issuer):
            return good(f"{', '.join(names)}: a certificate by {issuer} is served, good for {days:.0f} days")
        case news.CertificateFailed(problems, again_seconds, failures):
            which = f" (try {failures})" if failures > 1 else ""
            again = f"no certificate{which}: next try in {lasting(again_seconds)}"
            return warned("\n".join([again, *map(str, problems)]))
        case news.CertificateRefused(problems, instead):
            words = "\n".join(map(str, problems))
            return bad(_REFUSED[instead]) + f"\n{words}"
        case news.CertificateNotServed(address, words):
            return bad(f"{address} does not show the certificate it should" + (f": {words}" if words else ""))
        case news.CertificateEnds(days, problems, phase):
            words = "".join(f"\n{problem}" for problem in problems)
            left = f"ends in {lasting(days * 86400)}" if days >= 0 else "has ENDED"
            mark = warned if phase == "warn" else bad
            return mark(f"the certificate {left}: portico cert says what is planned") + words
        case news.Packed(files, made, whole, small, took):
            sizes = f"{short_size(whole)} as {short_size(small)}"
            return (
                faint(f"{counted(files, 'static file')} compressed, {sizes}, in {took:.1f} s") if made else ""
            )
        case news.Trouble(problem):
            return warned(str(problem))
        case news.WatcherFailed(name, error, in_seconds):
            again = "at the next look" if in_seconds is None else f"in {in_seconds:.0f} s"
            return warned(f"watching {name} failed: {error}; the site keeps serving; next try {again}")
        case news.WatcherRecovered(name, failed_seconds):
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


def priority(item: news.News) -> Priority:  # noqa: C901  a table, one row a level
    """How bad it is."""
    match item:
        case news.TookOver() | news.CannotLoad() | news.AppFails():
            return Priority.ERROR
        case news.OtherCode() | news.LargeWorker():
            return Priority.WARNING
        case news.Restarting() | news.Stuck() | news.GenerationLeft() | news.OldWorkerEnded():
            return Priority.WARNING
        case news.BehindProxy():
            return Priority.WARNING
        case news.NginxSaid() | news.DiskFull() | news.Trouble() | news.WatcherFailed() | news.ServerOut():
            return Priority.WARNING
        case (
            news.GenerationDropped()
            | news.LastServer()
            | news.NoServer()
            | news.SiteDown()
            | news.SiteRefused()
        ):
            return Priority.ERROR
        case news.CertificateEnds(phase=phase):
            return Priority.WARNING if phase == "warn" else Priority.ERROR
        case news.CertificateNotServed() | news.CertificateRefused():
            return Priority.ERROR
        case news.CertificateFailed():
            return Priority.WARNING
        case news.ServerBack() | news.ServerDrained() | news.SiteServes() | news.SiteStopped():
            return Priority.NOTICE
        case news.CertificateServed() | news.Closed() | news.Opened() | news.Paused() | news.Resumed():
            return Priority.NOTICE
        case (
            news.Ready()
            | news.AppWorks()
            | news.Recovered()
            | news.Switched()
            | news.Stopping()
            | news.DiskBack()
            | news.WatcherRecovered()
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
