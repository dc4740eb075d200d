"""The command that runs once before a release: a Job with its variables and its network, which Helm waits for.

https://helm.sh/docs/topics/charts_hooks/
"""

from __future__ import annotations

from collections.abc import Iterator

from portico.export.before import Before
from portico.export.kubernetes.model import Choices, Cluster
from portico.export.kubernetes.network import egress
from portico.export.kubernetes.tree import Because, Document, Joined, Named, Tree, Value
from portico.export.kubernetes.workload import (
    CONTAINER_SECURITY,
    as_itself,
    image,
    mounts,
    pod_security,
    selector,
    volumes,
)

FILE = "release"
SUFFIX = "-release"
STEP = {"app.kubernetes.io/component": "release"}
"""The label of everything that a release begins with."""
_KEPT_SECONDS = 86_400
_FIRST, _THEN = "-1", "0"


def before(cluster: Cluster) -> Iterator[Document]:
    if not (command := cluster.before):
        return
    yield Document(f"{FILE}-configmap", {
        **_head("v1", "ConfigMap", Named(SUFFIX), _FIRST, "before-hook-creation,hook-succeeded"),
        "data": Because(
            "The variables of the other ConfigMap, in one of its own: pods that serve do not get new ones before this "
            "has succeeded.",
            cluster.choices.environment,
        ),
    })  # fmt: skip
    yield Document(f"{FILE}-network-policy", {
        **_head(
            "networking.k8s.io/v1", "NetworkPolicy", Named(SUFFIX), _FIRST, "before-hook-creation,hook-succeeded"
        ),
        "spec": {
            "podSelector": {"matchLabels": _labels()},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": Because("Nobody connects to it.", []),
            "egress": egress(),
        },
    })  # fmt: skip
    yield Document(FILE, {
        **_head("batch/v1", "Job", job_name(cluster.choices), _THEN, "before-hook-creation"),
        "spec": _job(cluster, command),
    })  # fmt: skip


def job_name(choices: Choices) -> Joined:
    """Of the image's tag: a Job cannot be changed, and each release has its own."""
    return Joined((Named(f"{SUFFIX}-"), choices.tag))


def _labels() -> Tree:
    """Of its pod: no Service, budget or policy of the site's pods selects it."""
    return {"app.kubernetes.io/instance": Named(), **STEP}


def _head(version: str, kind: str, name: Tree, weight: str, deleted: str) -> dict[str, Tree]:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {
            "name": name,
            "labels": {**selector(), **STEP},
            "annotations": Because(
                "Helm makes it before everything else, at an install and at an upgrade; kubectl takes no notice.",
                {
                    "helm.sh/hook": "pre-install,pre-upgrade",
                    "helm.sh/hook-weight": weight,
                    "helm.sh/hook-delete-policy": deleted,
                },
            ),
        },
    }


def _job(cluster: Cluster, command: Before) -> Tree:
    return {
        "completions": 1,
        "parallelism": 1,
        "backoffLimit": Because(
            "A command that failed is not repeated: look at it first. One whose node went away is.", 0
        ),
        "podFailurePolicy": {
            "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
        },
        "podReplacementPolicy": Because("Never two at once.", "Failed"),
        "ttlSecondsAfterFinished": Because("It goes after a day, with its output.", _KEPT_SECONDS),
        "template": {
            "metadata": {"labels": _labels()},
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": Because("It does not talk to the cluster.", tree=False),
                "enableServiceLinks": False,
                "shareProcessNamespace": Because(
                    "Then it is not process 1, which a SIGTERM does not end.", tree=True
                ),
                "securityContext": pod_security(),
                "containers": [_container(cluster, command)],
                "volumes": volumes(cluster),
            },
        },
    }  # fmt: skip


def _container(cluster: Cluster, command: Before) -> Tree:
    variables = [{"name": name, "value": as_itself(value)} for name, value in command.environment.items()]
    return {
        "name": "release",
        "image": image(cluster),
        "args": Because(
            "[release] before, in the app's directory and with its variables. $$( is $(.",
            [as_itself(word) for word in command.words],
        ),
        **({"env": variables} if variables else {}),
        "envFrom": [{"configMapRef": {"name": Named(SUFFIX)}}],
        "resources": cluster.choices.resources,
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": mounts(cluster),
    }


def renamed(name: str, value: Value) -> list[Tree]:
    """For Kustomize: the Job is named by the tag that the overlay gives the image, and has the overlay's variables."""
    colons = value.default.count(":")
    return [
        {
            "source": {"kind": "Job", "fieldPath": "spec.template.spec.containers.0.image",
                       "options": {"delimiter": ":", "index": colons + 1}},
            "targets": [{"select": {"kind": "Job"}, "fieldPaths": ["metadata.name"],
                         "options": {"delimiter": "-", "index": (name + SUFFIX).count("-") + 1}}],
        },
        {
            "source": {"kind": "ConfigMap", "name": name, "fieldPath": "data"},
            "targets": [{"select": {"kind": "ConfigMap", "name": f"{name}{SUFFIX}"}, "fieldPaths": ["data"]}],
        },
    ]  # fmt: skip
