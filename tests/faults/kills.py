"""kill -9 of each process, and a worker that is stopped: what was lost, who replaced it, and how soon."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from tests.faults.clients import Clients
from tests.faults.outcome import Outcome, at_most, judged
from tests.faults.stage import Stage, eventually, staged
from tests.support.clients import Asked, ask
from tests.support.process import is_alive

BACK_SECONDS = 2.0
CALM_SECONDS = 10.5
"""What ends again within ten seconds is restarted ever more slowly, as a crash loop."""
CONFIGURATION = '[nginx]\nserver = ["add_header X-Configuration \\"{mark}\\" always;"]\n'


def app_worker(times: int) -> Outcome:
    """A GET is tried on another worker; a POST that the dead one held fails, and is never sent again."""
    killed: dict[int, tuple[float, float]] = {}
    """From before the signal was sent until after: other threads may have their turn in between."""
    back: list[float] = []
    with staged() as stage, Clients(stage.port) as clients:
        arbiter = stage.arbiter()
        for _ in range(times):
            time.sleep(0.4)
            victim = arbiter.children()[0].pid
            killed[victim] = (_kill(victim), time.monotonic())
            replaced = eventually(lambda victim=victim: _count_without(arbiter, victim) == 2)  # type: ignore[misc]
            back.append(10.0 if replaced is None else replaced)
        clients.go_on()
        deaths, posts = list(killed.values()), stage.posts()
        held = sum(
            was_held(a, [death]) and a.what.startswith("POST") for death in deaths for a in clients.asked
        )
        return judged(
            f"kill -9 of an app worker, {times} times",
            "0 GET; a POST that it held",
            stage, clients,
            may_fail=lambda a: a.what.startswith("POST") and was_held(a, deaths)
            and all(pid in killed for pid in posts.get(a.key, ())),
            back_seconds=_back(clients, [sent for sent, _ in deaths], 1),
            remarks=[f"{held} POSTs were on their way to one of two workers in these moments",
                     f"replaced within {max(back):.2f} s"],
        )  # fmt: skip


def arbiter(times: int) -> Outcome:
    """Its listening socket lives on in Portico, so requests wait for the next one instead of failing."""
    moments: list[float] = []
    with staged() as stage, Clients(stage.port) as clients:
        for turn in range(times):
            time.sleep(CALM_SECONDS if turn else 0.5)
            old = stage.arbiter().pid
            moments.append(_kill(old))
            eventually(lambda old=old: _is_another(stage.arbiter, old))  # type: ignore[misc]
            clients.recovered(moments[-1])
            clients.go_on()
        return judged(
            f"kill -9 of Gunicorn's arbiter, {_times(times)}",
            f"0; back within {BACK_SECONDS:g} s",
            stage, clients,
            back_seconds=_back(clients, moments, BACK_SECONDS),
            back_within=BACK_SECONDS,
            remarks=[f"the slowest request took {clients.slowest():.2f} s"],
        )  # fmt: skip


def nginx_worker(times: int) -> Outcome:
    """Only the connections that it held end; the others, and new ones, notice nothing."""
    deaths: list[tuple[float, float]] = []
    back: list[float] = []
    with staged() as stage, Clients(stage.port) as clients:
        master = stage.nginx()
        workers = len(workers_of_nginx(master))
        for _ in range(times):
            time.sleep(0.5)
            victim = workers_of_nginx(master)[0]
            sent = _kill(victim)
            eventually(lambda victim=victim: victim not in workers_of_nginx(master))  # type: ignore[misc]
            deaths.append((sent, time.monotonic()))
            replaced = eventually(lambda: len(workers_of_nginx(master)) == workers)
            back.append(10.0 if replaced is None else replaced)
        clients.go_on()
        return judged(
            f"kill -9 of an nginx worker, {times} times",
            "what it held; replaced within 1 s",
            stage, clients,
            may_fail=lambda asked: was_away(asked, deaths, clients),
            back_seconds=back,
            back_within=1,
            remarks=[f"{sum(not asked.is_kept for asked in clients.failed)} of the failed came on fresh connections"],
        )  # fmt: skip


def nginx_master(times: int) -> Outcome:
    """Its orphans are ended, and what comes back serves the newest configuration."""
    moments: list[float] = []
    wrong: list[str] = []
    with (
        staged(files={"portico.toml": CONFIGURATION.format(mark="0")}) as stage,
        Clients(stage.port) as clients,
    ):
        for turn in range(1, times + 1):
            stage.write("portico.toml", CONFIGURATION.format(mark=turn))
            stage.reload()
            time.sleep(CALM_SECONDS if turn > 1 else 0.3)
            master = stage.nginx()
            orphans = [master, *master.children()]
            moments.append(_kill(master.pid))
            eventually(lambda old=master.pid: _is_another(stage.nginx, old))  # type: ignore[misc]
            clients.recovered(moments[-1])
            wrong += [
                f"asked after kill {turn}: configuration {mark}" for mark in marks_of(stage) - {str(turn)}
            ]
            clients.go_on()
            eventually(lambda them=orphans: not any(map(is_alive, them)), at_most(BACK_SECONDS))  # type: ignore[misc]
            wrong += [f"orphan {orphan.pid} is left" for orphan in orphans if is_alive(orphan)]
        return judged(
            f"kill -9 of nginx's master, {_times(times)}",
            f"0; newest configuration within {BACK_SECONDS:g} s, one configuration",
            stage, clients,
            back_seconds=_back(clients, moments, BACK_SECONDS),
            back_within=BACK_SECONDS,
            broken=wrong,
        )  # fmt: skip


def portico_itself(times: int) -> Outcome:
    """The next start clears up what the killed one left: no stale socket, pid or port is in its way."""
    return _portico_itself(times, keeps_socket=False)


def portico_with_a_kept_socket(times: int) -> Outcome:
    """A service manager holds the listening socket: who connects meanwhile waits and is not refused."""
    return _portico_itself(times, keeps_socket=True)


def _portico_itself(times: int, *, keeps_socket: bool) -> Outcome:
    deaths: list[tuple[float, float]] = []
    closed: list[tuple[float, float]] = []
    """When the old nginx accepts nothing more."""
    wrong: list[str] = []
    with staged(keeps_socket=keeps_socket) as stage, Clients(stage.port) as clients:
        for turn in range(1, times + 1):
            # Whoever was told to leave when Portico died may finish for a second, which the next start waits for.
            in_hand = (
                [threading.Thread(target=ask, args=(stage.port, "GET", "/wait/30"))] if turn % 2 == 0 else []
            )
            for request in in_hand:
                request.start()
            clients.go_on()
            left = stage.run.processes()
            old = workers_of_nginx(stage.nginx())
            sent = _kill(stage.run.process.pid)
            stage.run.process.wait()
            closed.append((sent, closing(old)))
            stage.release(str(turn))
            stage.begin()
            stage.until_ready()
            deaths.append((sent, clients.recovered(sent, said=str(turn))))
            eventually(lambda them=left: not any(map(is_alive, them)), at_most(0.1))  # type: ignore[misc]
            wrong += [f"left behind: {one.pid}" for one in left if is_alive(one)]
            for request in in_hand:
                request.join()
            clients.go_on()
        back = [clients.back_after(sent, seen) for sent, seen in deaths]
        each = [
            f"{seconds:.2f} s{' with a request in hand' * (turn % 2)}" for turn, seconds in enumerate(back)
        ]
        socket = ", a service manager keeps its socket" if keeps_socket else ""
        return judged(
            f"kill -9 of Portico, then start again, {_times(times)}{socket}",
            f"{'what it held, kept connections' if keeps_socket else 'all'} until it is back within {BACK_SECONDS:g} s",
            stage, clients,
            may_fail=lambda asked: was_away(asked, deaths, clients) and (
                not keeps_socket or asked.is_kept or was_held(asked, closed)
            ),
            back_seconds=back,
            back_within=BACK_SECONDS,
            remarks=[f"back after {', '.join(each)}"] if times > 1 else [],
            broken=wrong,
        )  # fmt: skip


def worker_stopped(seconds: float) -> Outcome:
    """SIGSTOP: it accepts nothing more; what it had in hand waits until it goes on."""
    with staged() as stage, Clients(stage.port) as clients:
        time.sleep(0.5)
        worker = stage.arbiter().children()[0]
        worker.suspend()
        stopped = time.monotonic()
        time.sleep(seconds)
        worker.resume()
        resumed = time.monotonic()
        time.sleep(1)
        waited = [asked.took for asked in clients.asked if asked.took > seconds / 2]
        longest = max(waited, default=0)
        meanwhile = sum(
            asked.is_good and stopped < asked.began and asked.ended < resumed for asked in clients.asked
        )
        return judged(
            f"SIGSTOP of one of two workers for {seconds:g} s",
            "0",
            stage, clients,
            back_seconds=[clients.back_after(stopped, resumed)],
            back_within=1,
            remarks=[f"{len(waited)} requests in its hands waited for it, {longest:.1f} s at most",
                     f"the other one answered {meanwhile} meanwhile"],
        )  # fmt: skip


def closing(workers: list[int]) -> float:
    """When these workers of nginx, which lost their master, accept no more connections."""
    eventually(lambda: not any(map(_accepts, workers)))
    return time.monotonic()


def _accepts(worker: int) -> bool:
    """nginx changes the title of a worker that is told to leave, and closes its listening sockets next."""
    try:
        return "shutting down" not in " ".join(psutil.Process(worker).cmdline())
    except psutil.Error:
        return False


def _kill(pid: int) -> float:
    """Kill it, and when."""
    moment = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    return moment


def _back(clients: Clients, moments: list[float], seconds: float) -> list[float]:
    """How long each recovery took, looked at for `seconds`, or until the next kill."""
    ends = [*moments[1:], math.inf]
    return [
        clients.back_after(moment, min(end, moment + seconds))
        for moment, end in zip(moments, ends, strict=True)
    ]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def was_held(asked: Asked, deaths: list[tuple[float, float]]) -> bool:
    """Between the signal and the end of a process there are some milliseconds, on busy cores more."""
    return any(asked.began <= gone and sent <= asked.ended for sent, gone in deaths)


def was_away(asked: Asked, deaths: list[tuple[float, float]], clients: Clients) -> bool:
    """Asked before the recovery was seen, or the first to find its connection closed."""
    return was_held(asked, deaths) or _is_first_on_a_dead_connection(asked, deaths, clients)


def _is_first_on_a_dead_connection(asked: Asked, deaths: list[tuple[float, float]], clients: Clients) -> bool:
    """A kept connection that lay idle at a death: its next request, and no later one, finds it closed."""
    before = [a for a in clients.asked if a.client == asked.client and a.ended <= asked.began]
    last = max(before, key=lambda one: one.ended, default=None)
    # Of when it began: a client on busy cores may read an answer when who gave it is gone.
    was_open_since = last.began if last else 0.0
    is_open = asked.is_kept and (last is None or last.status > 0)
    return is_open and any(was_open_since <= gone and sent <= asked.began for sent, gone in deaths)


def workers_of_nginx(master: psutil.Process) -> list[int]:
    """nginx's workers, oldest first; it has other children, which look after the cache."""
    found = []
    for child in master.children():
        with suppress(psutil.Error):  # it may just end
            if "worker process" in " ".join(child.cmdline()):
                found.append(child.pid)
    return found


def _count_without(parent: psutil.Process, victim: int) -> int:
    return sum(child.pid != victim for child in parent.children())


def _is_another(find: Callable[[], psutil.Process], old: int) -> bool:
    try:
        return find().pid != old
    except psutil.Error:
        return False  # dead, and the next one is not there yet


def marks_of(stage: Stage, count: int = 40) -> set[str]:
    """The configurations that answer, asked on fresh connections."""
    return {_mark(stage) for _ in range(count)}


def _mark(stage: Stage) -> str:
    answer = stage.run.raw(b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
    head = answer.decode("latin-1").partition("\r\n\r\n")[0].lower()
    return head.partition("x-configuration: ")[2].partition("\r\n")[0]
