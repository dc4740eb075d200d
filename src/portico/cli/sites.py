"""Several sites at a glance: those of a gateway, and all that run on this machine."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from portico.cli import output, watchers
from portico.cli.words import lasting
from portico.errors import PorticoError
from portico.place.probe import runtime_directories
from portico.protocol.commands import STATUS
from portico.run.control import client
from portico.run.disk import lock
from portico.values import counted


def everything() -> list[dict[str, Any]]:
    """Each site of ours that runs, or that a gateway of ours would like to run; ready for JSON."""
    found: dict[str, dict[str, Any]] = {}
    for directory in map(str, runtime_directories()):
        running = lock.running(directory)
        if running is None:
            continue
        if running.stage:
            found[directory] = _starting(running, directory)
            continue
        try:
            (status,) = client.ask(directory, STATUS)
        except (PorticoError, ValueError):
            if client.is_stopped(directory):
                found[directory] = _silent(directory)
            continue  # else it begins or ends at this moment
        for site in status.get("sites") or [_alone(status, directory)]:
            found[site["runtime"] or site["origin"]] = site | found.get(site["runtime"], {})
    return list(found.values())


def _starting(running: lock.Running, directory: str) -> dict[str, Any]:
    """A site that cannot be asked yet."""
    return {
        "name": running.app,
        "status": "starting",
        "urls": running.urls,
        "runtime": directory,
        "pid": running.pid,
        "since_seconds": round(time.time() - running.since, 3),
        "reason": running.stage,
    }


def _silent(directory: str) -> dict[str, Any]:
    """One whose Portico was stopped by a signal, in the same words."""
    running = lock.running(directory)
    return {
        "name": Path(directory).name.rpartition("-")[0],
        "status": "stopped by a signal",
        "urls": running.urls if running else (),
        "runtime": directory,
        "pid": running.pid if running else None,
        "since_seconds": time.time() - running.since if running else 0.0,
        "reason": "continue it: kill -CONT, see portico status",
    }


def _alone(status: dict[str, Any], directory: str) -> dict[str, Any]:
    """A site that answers for itself, in the words of a gateway's list."""
    return {
        "name": status["name"],
        "status": status["phase"],
        "urls": status["urls"],
        "runtime": directory,
        "pid": status["pid"],
        "since_seconds": status["up_seconds"],
        "requests": status["requests"],
    }


def lines(status: dict[str, Any]) -> list[str]:
    """The gateway, and each of its sites."""
    nginx = status["nginx"]
    pid = f", pid {nginx['pid']}" if nginx["pid"] else ""
    return [
        f"{output.strong(status['name'])}  {counted(len(status['sites']), 'site')}",
        f"  portico    {status['phase']}, pid {status['pid']}, for {lasting(status['up_seconds'])}",
        f"  nginx      {nginx['status']}{pid}, for {lasting(nginx['since_seconds'])}",
        *watchers.rows(status["watchers"]),
        "",
        *rows(status["sites"]),
        "",
        "portico status --site NAME shows more of one",
    ]


def rows(sites: list[dict[str, Any]]) -> list[str]:
    """A line a site, and why it does not serve where it does not."""
    width = max((len(site["name"]) for site in sites), default=0)
    return [line for site in sites for line in _row(site, width)]


def _row(site: dict[str, Any], width: int) -> list[str]:
    word = output.good(site["status"]) if site["status"] == "serving" else output.bad(site["status"])
    retry = site.get("retry_seconds")
    again = f"; tried again in {retry:.0f} s" if retry is not None else ""
    head = f"  {output.strong(site['name'].ljust(width))}  {word} for {lasting(site['since_seconds'])}{again}"
    reason = site.get("reason") or ""
    return [f"{head}  {'  '.join(site['urls'])}", *(f"      {line}" for line in reason.splitlines())]
