"""A base for Kustomize, overlays for environments, and components for what a cluster has or has not.

https://kubectl.docs.kubernetes.io/references/kustomize/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from portico.export.kubernetes.before import FILE as JOB
from portico.export.kubernetes.before import before, renamed
from portico.export.kubernetes.dump import Plain, documents, dump
from portico.export.kubernetes.entry import CERT_MANAGER, GATEWAY, entry
from portico.export.kubernetes.model import Cluster
from portico.export.kubernetes.tree import Because, Document, Tree
from portico.export.kubernetes.workload import QUEUE_METRIC, arguments, workload
from portico.plan.files import File, Line

_AT = "kustomize"
_KIND = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
_COMPONENT = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}
_INGRESS_CLASS = "nginx"


def kustomization(cluster: Cluster, made: Sequence[Document]) -> Iterator[File]:
    style = Plain(cluster.name)
    base = dict(documents(made, style)) | _unnamed(cluster)
    for name, lines in base.items():
        yield _file(f"base/{name}.yaml", lines)
    yield _file(
        "base/kustomization.yaml", dump({**_KIND, "resources": [f"{name}.yaml" for name in base]}, style)
    )
    if not cluster.fronts:
        yield from _ingress(cluster)
    has_queue = cluster.has_metrics and not cluster.is_single
    if has_queue:
        yield from _queue(cluster)
    yield from _production(cluster, has_queue=has_queue)
    yield from _staging(cluster)


def _production(cluster: Cluster, *, has_queue: bool) -> Iterator[File]:
    listed = list[str]()
    if not cluster.fronts:
        listed += ["# Without a Gateway API: components/ingress."]
    if has_queue or not cluster.fronts:
        listed += ["# components:"]
    if not cluster.fronts:
        listed += ["#   - ../../components/ingress"]
    if has_queue:
        listed += ["#   - ../../components/queue"]
    made: dict[str, Tree] = {
        **_KIND,
        "resources": ["../../base"],
        "images": Because("The tag of this release.", [_image(cluster)]),
        **_renamed(cluster),
    }
    yield _file("overlays/production/kustomization.yaml", [*dump(made, Plain(cluster.name)), *listed])


def _staging(cluster: Cluster) -> Iterator[File]:
    """The same site with names of its own, in a namespace of its own, and small."""
    choices, name = cluster.choices, cluster.name
    patches = list[_Patch]()
    if domains := [_staged(one) for one in choices.domains.default]:
        canonical = _staged(choices.canonical.default) if choices.canonical.default else ""
        other = replace(
            cluster,
            choices=replace(
                choices,
                domains=replace(choices.domains, default=domains),
                canonical=replace(choices.canonical, default=canonical),
            ),
        )
        container = {"name": "site", "args": arguments(other)}
        spec: Tree = {"template": {"spec": {"containers": [container]}}}
        patches.append(_merge("deployment", "apps/v1", "Deployment", name, spec))
        patches += [
            _merge(file, GATEWAY, "HTTPRoute", of, {"hostnames": domains}) for file, of in _routes(cluster)
        ]
        if cluster.has_certificate:
            patches.append(_merge("certificate", CERT_MANAGER, "Certificate", name, {"dnsNames": domains}))
    if cluster.acme and cluster.acme.staging and cluster.has_certificate:
        spec = {"acme": {"server": cluster.acme.staging}}
        patches.append(_merge("issuer", CERT_MANAGER, "Issuer", name, spec))
    if not cluster.is_single:
        spec = {"minReplicas": 1, "maxReplicas": 2}
        patches.append(_merge("autoscaler", "autoscaling/v2", "HorizontalPodAutoscaler", name, spec))
    made: dict[str, Tree] = {
        **_KIND,
        "namespace": Because("Its objects do not meet those of production.", f"{name}-staging"),
        "resources": ["../../base"],
        "images": [_image(cluster)],
        **_renamed(cluster),
    }
    yield from _folder("overlays/staging", made, patches, name)


def _staged(host: str) -> str:
    """The name of the same host in the other environment."""
    return f"*.staging.{host[2:]}" if host.startswith("*.") else f"staging.{host}"


def _routes(cluster: Cluster) -> list[tuple[str, str]]:
    """The files and names of the HTTPRoutes."""
    redirect = [("redirect", f"{cluster.name}-redirect")] if cluster.has_https else []
    return [("route", cluster.name), *redirect]


def _ingress(cluster: Cluster) -> Iterator[File]:
    """Instead of the Gateway and its routes."""
    choices = cluster.choices
    chosen = replace(choices.ingress_class, default=_INGRESS_CLASS)
    other = replace(cluster, choices=replace(choices, ingress_class=chosen))
    made = dict(documents(list(entry(other)), Plain(cluster.name)))
    patches = [
        _Patch(file, {**_object(GATEWAY, kind, name), "$patch": "delete"})
        for file, kind, name in [
            ("gateway", "Gateway", cluster.name),
            *((file, "HTTPRoute", name) for file, name in _routes(cluster)),
        ]
    ]
    if cluster.acme and cluster.has_certificate:
        solvers = [{"http01": {"ingress": {"ingressClassName": _INGRESS_CLASS}}}]
        spec: Tree = {"acme": {"solvers": solvers}}
        patches.append(_merge("issuer", CERT_MANAGER, "Issuer", cluster.name, spec))
    yield _file("components/ingress/ingress.yaml", made["ingress"])
    yield from _folder(
        "components/ingress", {**_COMPONENT, "resources": ["ingress.yaml"]}, patches, cluster.name
    )


def _queue(cluster: Cluster) -> Iterator[File]:
    """Scaling by how long requests wait, where an adapter serves the metric."""
    chosen = replace(cluster.choices.queue_metric, default=QUEUE_METRIC)
    other = replace(cluster, choices=replace(cluster.choices, queue_metric=chosen))
    found = next(one for one in workload(other) if one.file == "autoscaler")
    metrics = {"metrics": found.tree["spec"]["metrics"]}
    patch = _merge("autoscaler", "autoscaling/v2", "HorizontalPodAutoscaler", cluster.name, metrics)
    files = list(_folder("components/queue", dict(_COMPONENT), [patch], cluster.name))
    rule = {
        "rules": [
            {
                "seriesQuery": f'{QUEUE_METRIC}_count{{namespace!="",pod!=""}}',
                "resources": {
                    "overrides": {"namespace": {"resource": "namespace"}, "pod": {"resource": "pod"}}
                },
                "name": {"matches": f"^{QUEUE_METRIC}_count$", "as": QUEUE_METRIC},
                "metricsQuery": f"{_rate('sum')} / {_rate('count')}",
            }
        ]
    }
    yield from files[:-1]
    yield _file("components/queue/adapter.yaml", [
        "# The values of the chart prometheus-adapter: it makes the metric of each pod.", *dump(rule, Plain(""))
    ])  # fmt: skip
    yield files[-1]


def _rate(of: str) -> str:
    return f"sum(rate({QUEUE_METRIC}_{of}{{<<.LabelMatchers>>}}[2m])) by (<<.GroupBy>>)"


class _Patch(Struct, frozen=True):
    file: str
    tree: Tree


def _object(version: str, kind: str, name: str) -> dict[str, Tree]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}}


def _merge(file: str, version: str, kind: str, name: str, spec: Tree) -> _Patch:
    return _Patch(file, {**_object(version, kind, name), "spec": spec})


def _folder(at: str, made: dict[str, Tree], patches: Sequence[_Patch], name: str) -> Iterator[File]:
    """A kustomization with its patches, each a file beside it."""
    if patches:
        made["patches"] = [{"path": f"{one.file}.yaml"} for one in patches]
    for one in patches:
        yield _file(f"{at}/{one.file}.yaml", dump(one.tree, Plain(name)))
    yield _file(f"{at}/kustomization.yaml", dump(made, Plain(name)))


def _unnamed(cluster: Cluster) -> dict[str, list[str]]:
    """The Job of the base, whose name the overlays end with their tags: they replace one word of it."""
    choices = cluster.choices
    other = replace(cluster, choices=replace(choices, tag=replace(choices.tag, default="tag")))
    found = [one for one in before(other) if one.file == JOB]
    return dict(documents(found, Plain(cluster.name)))


def _renamed(cluster: Cluster) -> dict[str, Tree]:
    if not cluster.before:
        return {}
    why = "The Job of this release has its tag in its name, and the same variables as the pods."
    return {"replacements": Because(why, renamed(cluster.name, cluster.choices.repository))}


def _image(cluster: Cluster) -> Tree:
    repository = cluster.choices.repository.default
    return {"name": repository, "newName": repository, "newTag": cluster.choices.tag.default}


def _file(name: str, lines: Sequence[str]) -> File:
    return File(f"{_AT}/{name}", tuple(map(Line, lines)))
