"""All objects of a site, as files: plain YAML, Kustomize and Helm."""

from __future__ import annotations

from portico.export.kubernetes.before import before
from portico.export.kubernetes.chart import chart
from portico.export.kubernetes.dump import Plain, comment, documents
from portico.export.kubernetes.entry import entry
from portico.export.kubernetes.kustomize import kustomization
from portico.export.kubernetes.model import Cluster
from portico.export.kubernetes.network import network
from portico.export.kubernetes.tree import Document
from portico.export.kubernetes.workload import workload
from portico.plan.files import File, Line


def objects(cluster: Cluster) -> tuple[Document, ...]:
    return (*before(cluster), *workload(cluster), *network(cluster), *entry(cluster))


def plain(cluster: Cluster) -> File:
    """Everything in one file, for `kubectl apply -f`."""
    style = Plain(cluster.name)
    lines = head(cluster)
    for _, made in documents(objects(cluster), style):
        lines += ["---", *made]
    return File(f"{cluster.name}.yaml", tuple(map(Line, lines)))


def head(cluster: Cluster) -> list[str]:
    """The notes, as comments."""
    style = Plain(cluster.name)
    lines = comment(
        f"The site {cluster.name} for Kubernetes, by `portico export kubernetes`. It is yours: change what you like. "
        "`portico export docker` writes its image.",
        style, 0,
    )  # fmt: skip
    for title, notes in (("Decide before the first start:", cluster.found), ("Know:", cluster.notes)):
        if notes:
            lines += ["#", f"# {title}"]
        for one in notes:
            lines += [f"# {'  ' if n else '* '}{line[2:]}" for n, line in enumerate(comment(one, style, 0))]
    return lines


def tree(cluster: Cluster) -> tuple[File, ...]:
    """The plain YAML, and folders for Kustomize and for Helm."""
    made = objects(cluster)
    return (plain(cluster), *kustomization(cluster, made), *chart(cluster, made, head(cluster)))
