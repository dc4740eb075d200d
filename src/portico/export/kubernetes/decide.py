"""What a site becomes in a cluster. Pure: the decisions, not their text."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from portico.errors import Problem, UsageError
from portico.export.before import before
from portico.export.image.dockerfile import grace_seconds
from portico.export.kubernetes import notes, routes
from portico.export.kubernetes.model import LISTEN, METRICS, SECRETS, Choices, Cluster, SecretFile
from portico.export.kubernetes.names import is_host, key, object_name
from portico.export.kubernetes.network import SECRET_KEY
from portico.export.kubernetes.tree import Value
from portico.export.plain_http import without_https
from portico.export.systemd import TIMES
from portico.plan.model import Plan
from portico.plan.web.entry.health import HEALTH
from portico.plan.web.model import Web
from portico.site.facts import AppFacts
from portico.site.model import Site
from portico.site.secrets import user_files

OURS = (
    "listen", "routed-by", "domains", "canonical", "email", "behind", "behind-headers", "behind-protocol", "https",
    "metrics", "release", "processes",
)  # fmt: skip
"""Flags whose options a pod has from here, with those of their tables."""
_PRIVATE = ("private", "100.64.0.0/10")
"""Where gateways connect from: the networks of clusters, with the shared one that clouds give to pods."""
_CPUS = 2
_MIB = 1 << 20
_BASE_MEMORY = 96 * _MIB
"""Of Portico and its web server: 88 MiB with a small app, measured 2026-11-29."""
_UNKNOWN_MEMORY = 128 * _MIB
_GROWTH = 1.3
"""A worker that has served for a while, by the memory of a process that has just loaded the app."""
_STEP = 64 * _MIB
_REPLICAS = (2, 10)
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_MOST_LETTERS = 63
"""Of a Job's name: its pods have it as a label."""


def cluster(
    site: Site,
    web: Web,
    plan: Plan,
    words: tuple[str, ...],
    image: str,
    memory: int,
    answers: Collection[AppFacts] = (),
) -> Cluster:
    """`words` are those after `portico run` without the flags of `OURS`; `memory` is what the app needs in bytes after
    its import, 0 if unknown. Raises UsageError for a site that would be open, or lost, in a pod.
    """
    if problems := [*_impossible(site), *routes.impossible(web.routing.routes)]:
        raise UsageError(*problems)
    home = f"/srv/{site.name}"
    has_https = site.has_https and any(map(is_host, web.hosts.declared))
    secrets = tuple(_secrets(site, home))
    is_single = bool(site.facts.one_process)
    leaving = routes.leave(web.routing.routes)
    choices, command = _choices(site, web, plan, image, memory), before(site, plan, words)
    job = _job_name(object_name(site.name), choices.tag.default) if command else ""
    return Cluster(
        name=object_name(site.name),
        home=home,
        words=(*_pod_words(site), *words),
        choices=choices,
        path=site.prefix or "/",
        health_path=plan.health.gateway_path,
        health_host="" if plan.health.gateway_path == HEALTH else plan.health.host,
        start_seconds=math.ceil(TIMES * plan.health.start_seconds),
        grace_seconds=grace_seconds(plan),
        is_single=is_single,
        has_https=has_https,
        has_certificate=has_https and site.https_mode != "files",
        acme=plan.tls.acme if plan.tls else None,
        has_metrics=site.options.metrics.listen is not None,
        secrets=secrets,
        fronts=tuple(map(object_name, site.options.routed_by)),
        before=command,
        routes=leaving,
        notes=tuple(notes.general(site, web, secrets, object_name(site.name), job)),
        found=tuple(notes.found(site, web, answers)),
    )


def _impossible(site: Site) -> Iterator[Problem]:
    options = site.options
    if options.https.client_ca and site.has_https:
        what = "TLS ends at the cluster's gateway, which would let everybody in without a certificate"
        yield Problem(
            site.cause("https.client_ca"), what, "export without it, and let the gateway ask for one"
        )
    if options.https.listen:
        what = "the cluster's gateway listens for HTTPS, not the pod"
        yield Problem(site.cause("https.listen"), what, "leave it out, or name another file with --config")
    if options.node.gateways:
        what = "a node closes connections of everyone else, and the kubelet's probes are among them"
        yield Problem(site.cause("node"), what, "leave it out: the NetworkPolicy says who may connect")


def _pod_words(site: Site) -> Iterator[str]:
    """Flags that make the site one behind a cluster's gateway."""
    yield f"--listen=:{LISTEN}"
    if site.is_routed:
        yield "--routed-by="  # a pod has an address of its own
        site = replace(site, options=replace(site.options, routed_by=[]))
    options = site.options
    yield from without_https(site)
    if site.options.release.before:
        yield "--release="
    if site.options.release.after:
        yield "--release-after="
    if site.options.processes:
        yield "--processes="
    yield from (f"--behind={one}" for one in dict.fromkeys([*_PRIVATE, *options.behind]))
    # Gateways pass a client's own headers on: no user, no certificate and no country is believed.
    yield "--behind-headers=scheme"
    if site.has_proxy_protocol:
        yield "--behind-protocol=http"
    if options.metrics.listen is not None:
        yield f"--metrics=:{METRICS}"
        yield f"--metrics-password-file={SECRETS}/{SECRET_KEY}"


def _secrets(site: Site, home: str) -> Iterator[SecretFile]:
    """The files that the site reads in a pod: those of TLS are the gateway's."""
    if site.options.metrics.listen is not None:
        yield SecretFile("", SECRET_KEY, site.metrics_password_file, "the password of the metrics")
    said = {
        site.password_file: "the password of the dashboard",
        site.path(site.options.tracing.headers_file): "the headers for the collector of traces",
        **user_files(site),
        **{site.path(path): "the variables of the app" for path in site.options.env_file},
    }
    taken = {SECRET_KEY}
    for path, what in said.items():
        if not path:
            continue
        name = key(path)
        while name in taken:
            name = f"{name}-2"
        taken.add(name)
        yield SecretFile(_inside(path, site.directory, home), name, path, what)


def _inside(path: str, directory: str, home: str) -> str:
    return f"{home}{path.removeprefix(directory)}" if path.startswith(f"{directory}/") else path


def _job_name(name: str, tag: str) -> str:
    """Of the command before a release. Raises UsageError for a tag that cannot end it."""
    made = f"{name}-release-{tag}"
    if _NAME.fullmatch(made) and len(made) <= _MOST_LETTERS:
        return made
    what = f"the Job of [release] before would be called {made}, which no Job may be"
    hint = f"a tag of small letters, digits, - and ., so that the name has at most {_MOST_LETTERS} letters"
    raise UsageError(Problem("--image", what, f"expected {hint}"))


def _choices(site: Site, web: Web, plan: Plan, image: str, memory: int) -> Choices:
    repository, tag = _split(image)
    fewest, most = _REPLICAS
    acme = plan.tls.acme if plan.tls else None
    hosts = [name for name in web.hosts.declared if is_host(name)]
    size = f"{_memory(site, memory) // _MIB}Mi"
    resources: Mapping[str, Any] = {
        "requests": {"cpu": "1", "memory": size},
        "limits": {"cpu": str(_CPUS), "memory": size},
    }
    return Choices(
        repository=Value("image.repository", repository, "where the image of `portico export docker` was pushed"),
        tag=Value("image.tag", tag, "a tag of its own for each release"),
        domains=Value("domains", hosts, "the names of the site"),
        canonical=Value("canonical", web.hosts.canonical, "the others redirect to it; empty: none"),
        fewest=Value("replicas.min", fewest, "pods when little happens"),
        most=Value("replicas.max", most, "pods at the most"),
        resources=Value("resources", resources, "of each pod"),
        environment=Value("environment", {"TZ": "UTC"}, "variables for the app that are no secret"),
        gateway_class=Value("gatewayClass", "nginx", "one of `kubectl get gatewayclass`"),
        ingress_class=Value("ingressClass", "", "one of `kubectl get ingressclass`: an Ingress instead of a Gateway"),
        queue_metric=Value("queueMetric", "", "a metric of pods that an adapter serves: how long requests wait"),
        acme_server=Value("acmeServer", acme.server if acme else "", "the certificate authority"),
    )  # fmt: skip


def _split(image: str) -> tuple[str, str]:
    """Repository and tag: a colon before a slash belongs to the port of a registry."""
    head, colon, tag = image.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (image, "latest")


def _memory(site: Site, loaded: int) -> int:
    """For Portico, its web server, each worker, and the successor of one that is replaced."""
    workers = site.options.workers.count
    number = (1 if site.facts.one_process else _CPUS) if workers == "auto" else workers
    each = (loaded or _UNKNOWN_MEMORY) * _GROWTH if site.has_app else 0
    needed = _BASE_MEMORY + (number + 1) * each
    return max(4, math.ceil(needed / _STEP)) * _STEP
