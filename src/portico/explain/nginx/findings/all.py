"""All findings about an nginx configuration."""

from __future__ import annotations

from collections.abc import Sequence

from portico.explain.finding import HARMS, Backend, Finding
from portico.explain.nginx.findings import (
    access,
    cache,
    conditions,
    headers,
    hosts,
    injection,
    limits,
    pages,
    process,
    proxying,
    statics,
    timeouts,
    tls,
    trust,
    uploads,
    versions,
)
from portico.explain.nginx.findings.config import Config
from portico.explain.node import Node
from portico.place.model import Build

_SUBJECTS = (
    access, cache, conditions, headers, hosts, injection, limits, pages, process, proxying, statics, timeouts, tls,
    trust, uploads, versions,
)  # fmt: skip


def findings(root: Node, build: Build | None = None, backends: Sequence[Backend] = ()) -> list[Finding]:
    """What an expert would say is wrong, the worst first; one finding of a kind for each line."""
    config = Config(root, build, backends)
    found = {
        (one.code, one.place, one.what): one
        for subject in _SUBJECTS
        for find in subject.FINDERS
        for one in find(config)
    }
    order = list(HARMS)
    return sorted(found.values(), key=lambda one: (order.index(one.severity), one.file, one.line))
