"""What is worth a try: rules from what was seen of the app, the options and the machine. Pure.

A rule does not say that a setting is better; the measurement does. A key that the command line sets is never proposed:
a line of portico.toml would have no effect.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec.structs import replace

from portico.app_servers.kind import Feature
from portico.measure.tune.model import Advice, Candidate, Looked, Seen, quoted
from portico.measure.tune.times import with_own_timeout
from portico.place.model import Place
from portico.plan.app_servers.chosen import app_server
from portico.plan.app_servers.workers import DEFAULT_THREADS, capacity
from portico.plan.web.app.cache import FORBIDDING, STATUSES
from portico.site.model import Site
from portico.site.options.cache import Cache
from portico.site.variables import is_cause
from portico.values import Size, longer

_WAITS_MS, _WAITS_TIMES = 5.0, 2.0
"""A request alone that takes longer, and so many times its processor time, waits for something."""
_DEAR_MS = 2.0
"""Processor time of a page for which a cache is worth a word."""
_LARGEST_ITEM = Size(16 << 20)
_LIFE = re.compile(r"(?:^|[\s,])(s-maxage|max-age)\s*=\s*([1-9][0-9]*)")
_TIMED_OUT = 504
_OF_SEVERAL = ("memory", "scheduler", "thread")
"""Risks that come with more than one process."""

Rule = Iterator[Candidate | Advice]


def candidates(site: Site, place: Place, looked: Looked) -> tuple[list[Candidate], list[Advice]]:
    """In the order in which they are tried."""
    found = [
        *_timeout(site, looked),
        *_statics(site, looked),
        *_cache(site, looked),
        *_workers(site, place, looked),
        *_threads(site, place, looked),
    ]
    said = {key for key, where in site.causes.items() if where.startswith("--") or is_cause(where)}
    made, advice = list[Candidate](), list[Advice]()
    for one in found:
        if isinstance(one, Advice):
            advice.append(one)
        elif one.name in said or one.key[0] in said:
            where = site.causes.get(one.name) or site.causes[one.key[0]]
            where = where if is_cause(where) else f"{where} on the command line"
            advice.append(Advice(one.line, f"not tried: {where} would win over this line"))
        else:
            made.append(one)
    return made, advice


def waits(seen: Seen) -> bool:
    """Whether a request spends its time waiting for something else than a processor."""
    return seen.alone_ms > max(_WAITS_MS, _WAITS_TIMES * seen.cpu_ms)


def is_declared(seen: Seen) -> bool:
    """Whether the app itself says that a shared cache may store this answer."""
    said = seen.cache_control.lower()
    lives = {name: int(number) for name, number in _LIFE.findall(said)}
    is_public = "s-maxage" in lives or ("public" in re.split(r"[\s,]+", said) and "max-age" in lives)
    is_forbidden = any(word in said for word in FORBIDDING) or seen.vary.strip() == "*" or seen.sets_cookie
    return is_public and not is_forbidden and seen.status in STATUSES


def _timeout(site: Site, looked: Looked) -> Rule:
    """The page that takes longest of those that ran out of time."""
    all_late = [one for one in looked.routes if one.status == _TIMED_OUT]
    late = [one for one in all_late if not with_own_timeout(site, one.path)]
    yield from _of_routes(site, all_late)
    if not late:
        return
    now = site.options.request_timeout
    if never := [one.path for one in late if not one.needed_ms]:
        why = f"no answer in {looked.patience_seconds:.0f} s either: a background process should do such work"
        yield Advice(f"GET {', '.join(never)}", why)
    if found := [one for one in late if one.needed_ms]:
        slowest = max(found, key=lambda one: one.needed_ms)
        seconds = slowest.needed_ms / 1e3
        value = longer(seconds)
        why = (
            f"GET {slowest.path} takes {seconds:.1f} s and is ended after {now} (504). {value} is twice what it takes. "
            f'If other pages shall end sooner: [routes."{slowest.path.partition("?")[0]}"] timeout = "{value}"'
        )
        yield Candidate(("request_timeout",), str(value), "answered of 100", slowest.path, why)


def _of_routes(site: Site, late: list[Seen]) -> Rule:
    """No option of the command line sets the timeout of a route, so a copy cannot try another one."""
    for one in late:
        if own := with_own_timeout(site, one.path):
            why = (
                f"it is ended after {own.edge.timeout} (504) by the timeout of its own route "
                f"({own.causes.get('timeout', own.rule)}); request_timeout does not count there. Not tried: raise "
                "that one"
            )
            yield Advice(f"GET {one.path}", why)


def _statics(site: Site, looked: Looked) -> Rule:
    """[static] counts from the mount."""
    for one in looked.folders:
        key = ("static", one.url.removeprefix(site.prefix))
        if one.problem:
            yield Advice(f"static.{quoted(key[1])} = {quoted(one.folder)}", f"not tried: {one.problem}")
            continue
        why = (
            f"the app sends the files below {one.url} itself; the gateway can, without a worker. "
            f"{_files(one.files)} compared, and the gateway gives every client the same bytes"
        )
        caution = (
            "the gateway sends every file of the folder to everybody; is there one that only some may read?"
        )
        yield Candidate(key, one.folder, "CPU µs a request", one.path, why, caution)


def _files(count: int) -> str:
    return "One file was" if count == 1 else f"{count} files were"


def _cache(site: Site, looked: Looked) -> Rule:
    """The app's word decides what may be stored. Answers that are only alike are for a person to decide."""
    if site.options.gateway != "nginx":
        return
    declared = sorted(filter(is_declared, looked.routes), key=lambda one: -one.cpu_ms)
    now = site.options.cache
    item = now.item if now.size else Cache().item
    small = [one for one in declared if one.size <= item]
    if small and not now.size:
        first = small[0]
        why = f"the app says that anybody may store GET {first.path} ({first.cache_control}), and the cache is off"
        yield Candidate(("cache", "size"), str(Cache().size), "CPU µs a request", first.path, why)
    large = [one for one in declared if one.size > item]
    if large and large[0].size <= _LARGEST_ITEM:
        first = large[0]
        value = Size(1 << (20 + max(0, (first.size - 1) >> 20).bit_length()))
        why = (
            f"the app says that anybody may store GET {first.path} ({first.cache_control}), but it has "
            f"{first.size >> 10} KiB and the cache stores up to {item}"
        )
        yield Candidate(("cache", "item"), str(value), "CPU µs a request", first.path, why)
    for one in looked.routes:
        if _may_be_public(one):
            why = (
                f"two answers were alike, without a cookie, and each takes {one.cpu_ms:.1f} ms of a processor. Only if "
                "everybody gets the same page, also with a session: Portico cannot see that"
            )
            path = one.path.partition("?")[0]
            yield Advice(f'routes.{quoted(path)}.cache = "10s"', why)


def _may_be_public(seen: Seen) -> bool:
    is_silent = not seen.cache_control and not seen.vary and not seen.sets_cookie
    return is_silent and seen.is_same and seen.status in range(200, 300) and seen.cpu_ms > _DEAR_MS


def _workers(site: Site, place: Place, looked: Looked) -> Rule:
    """A number that somebody wrote, beside the one that Portico takes."""
    now = site.options.workers.count
    usual = replace(site, options=_with(site, count="auto"))
    auto = capacity(usual, place).workers
    route = _dearest(looked)
    if now == "auto" or now == auto or route is None:
        return
    key, cpus = ("workers", "count"), f"this machine has {place.cpus:g} CPUs"
    if now > auto:
        why = f"each of {now} workers has the app in its memory; {cpus}, for which {auto} are enough"
        yield Candidate(key, "auto", "memory, MB", route.path, why)
        return
    why = f"{_processes(now)}, and {cpus}: Python computes in one thread of a process at a time. Here auto is {auto}"
    risks = [one.what for one in site.facts.risks if one.kind in _OF_SEVERAL]
    if risks and now == 1:
        yield Advice(
            'workers.count = "auto"',
            f"not tried: {why}; but several processes change what the app does: {risks[0]}",
        )
        return
    yield Candidate(key, "auto", "requests/s", route.path, why)


def _processes(count: int) -> str:
    return "one process runs the app" if count == 1 else f"{count} processes run the app"


def _threads(site: Site, place: Place, looked: Looked) -> Rule:
    now = site.options.workers.threads
    if now == "auto" or Feature.WSGI not in app_server(site).features:
        return
    waiting = [one for one in _pages(looked) if waits(one)]
    most = capacity(replace(site, options=_with(site, threads="auto")), place).most_threads
    if waiting and now < most:
        first = max(waiting, key=lambda one: one.alone_ms - one.cpu_ms)
        why = (
            f"GET {first.path} takes {first.alone_ms:.0f} ms and computes for {first.cpu_ms:.1f} of them; the rest it "
            f"waits, and holds its thread. A worker has {now}; with auto it adds threads while requests wait, up to "
            f"{most}"
        )
        if site.facts.settings.per_thread:
            names = ", ".join(site.facts.settings.per_thread[:3])
            yield Advice(
                'workers.threads = "auto"', f"not tried: {why}; but {names} differs from thread to thread"
            )
            return
        caution = "is threads = 1 there because the app is not thread-safe? Then leave it" if now == 1 else ""
        yield Candidate(("workers", "threads"), "auto", "requests/s", first.path, why, caution)
    elif not waiting and now > DEFAULT_THREADS and (route := _dearest(looked)):
        why = f"no route that was asked waits for anything; {now} threads of a worker share one interpreter"
        yield Candidate(("workers", "threads"), "auto", "requests/s", route.path, why)


def _with(site: Site, **workers: str) -> object:
    return replace(site.options, workers=replace(site.options.workers, **workers))


def _pages(looked: Looked) -> list[Seen]:
    """Those that reach the app in every request."""
    return [one for one in looked.routes if one.status < 400 and not is_declared(one)]


def _dearest(looked: Looked) -> Seen | None:
    """The page that computes most."""
    return max(_pages(looked), key=lambda one: one.cpu_ms, default=None)
