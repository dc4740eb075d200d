"""A chart for Helm: the objects as templates, and the values that they share. https://helm.sh/docs/topics/charts/"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from portico.export.kubernetes.dump import Helm, Plain, documents, dump
from portico.export.kubernetes.model import Cluster
from portico.export.kubernetes.tree import Because, Document, Value, values_of
from portico.plan.files import File, Line

_AT = "chart"


def chart(cluster: Cluster, made: Sequence[Document], head: Sequence[str]) -> Iterator[File]:
    about = {
        "apiVersion": "v2",
        "name": cluster.name,
        "description": f"The site {cluster.name}",
        "type": "application",
        "version": "0.1.0",
        "appVersion": cluster.choices.tag.default,
    }
    yield _file("Chart.yaml", dump(about, Plain(cluster.name)))
    values = [*values_of(list(made))]
    yield _file("values.yaml", [*head, *_values(values)])
    for name, lines in documents(made, Helm()):
        yield _file(f"templates/{name}.yaml", lines)
    shown = ["kubectl rollout status deployment/{{ .Release.Name }} -n {{ .Release.Namespace }}"]
    yield _file("templates/NOTES.txt", shown)


def _values(values: Sequence[Value]) -> list[str]:
    tree: dict[str, Any] = {}
    for value in values:
        *above, name = value.path.split(".")
        inner = tree
        for key in above:
            inner = inner.setdefault(key, {})
        inner[name] = Because(value.why, value.default) if value.why else value.default
    return dump(tree, Plain(""))


def _file(name: str, lines: Sequence[str]) -> File:
    return File(f"{_AT}/{name}", tuple(map(Line, lines)))
